"""A sender of one's own, described in the TOML file: a payment provider that is not in the table, or a CRM.

    [[source]]
    name = "crm"                      # POST /webhooks/crm; its secret: CRM_WEBHOOK_SECRET
    header = "x-crm-signature"        # scheme "hmac", the default; "standard" is Standard Webhooks; "secret": see below
    query = "signature"               # in place of `header`: ?signature=... behind the address
    algorithm = "sha256"              # sha256, sha384, sha512, sha1
    encoding = "hex"                  # hex, base64
    prefix = "sha256="                # before the signature, where there is one
    time_header = "x-crm-time"        # where the time is signed, as time + "." + body
    type = "event"                    # place of the notice's type; ["resource", "action"]: order.created
    paid = ["deal.won"]               # types that are payments
    renewed = ["deal.renewed"]        # types that are a subscription's further payments
    refunded = ["deal.refunded"]
    unit = "major"                    # of the amount: major (49.90), minor (4990), hundredths in every currency
    decimal = ","                     # where amounts are texts such as "1.234,50"
    currency = "EUR"                  # of an amount beside which the notice has none
    fields = { key = "deal.id", value = "deal.amount", currency = "deal.currency", email = "contact.email" }
    stages = { "lead.qualified" = "QualifiedLead" }
    body = "json"                     # json, form
    answer = "OK"                     # what the sender wants to read, where it reads no JSON

`stages` are for Meta's CRM integration: each becomes an event of that name, `system_generated`, with `event_source:
crm` and the `lead_id` of the form. A source without a time is a source whose notices can be replayed: what protects
then is that the event's id and time are of the order and not of the notice.

Some senders cannot sign: they repeat the secret as it is (`scheme = "secret"`), in the header, in the address, or in a
place of the notice (`secret_place`). Whoever sees one such notice can write others.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from conversion_relay.errors import SignatureError
from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.patterns import seldom
from conversion_relay.payments import standard
from conversion_relay.payments.form import fields_of
from conversion_relay.payments.notice import Customer, Ignored, Mode, Money, Notice, Payment, Refund, Renewal, Stage
from conversion_relay.payments.reading import (
    at,
    context_of,
    document_of,
    in_major_units,
    in_minor_units,
    is_test,
    is_yes,
    seconds,
    text,
    whole,
)
from conversion_relay.payments.signature import Encoding, check_time, repeated_in, signed_in

_PERSON = Customer.__struct_fields__
_AS_READ = {
    decimal: seldom(rf"(-?)([0-9]+|[0-9]{{1,3}}(?:[{other}'\u2019 \u00a0\u202f][0-9]{{3}})+)(?:[{decimal}]([0-9]+))?")
    for decimal, other in ((",", "."), (".", ","))
}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One [[source]] table."""

    name: str
    scheme: str = "hmac"
    header: str = "x-signature"
    query: str = ""
    """The parameter of the address that the signature or the secret is in, in place of the header."""
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    time_header: str = ""
    secret_place: str = ""
    """Where in the notice the secret itself stands, with scheme "secret"; empty: in the header."""
    body: str = "json"
    answer: str = ""
    type: tuple[str, ...] = ("type",)
    """Several places are one type, joined by a point."""
    paid: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()
    refunded: tuple[str, ...] = ()
    unit: str = "major"
    decimal: str = ""
    """The mark before the cents, where amounts are written as people read them ("1.234,50")."""
    currency: str = ""
    """Of amounts beside which none is written."""
    fields: dict[str, str] = {}
    stages: dict[str, str] = {}

    @property
    def setting(self) -> str:
        return f"{self.name.upper()}_WEBHOOK_SECRET"

    @property
    def vouched_in(self) -> str:
        """Where the signature or the secret stands, by name."""
        return self.secret_place or self.query or self.header


def verify(
    source: Source, raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float, query: str = ""
) -> Mode:
    if source.scheme == "standard":
        return standard.verify(raw, headers, secrets, now, source.setting)
    place, moment = source.vouched_in, headers.get(source.time_header, "")
    if source.secret_place:
        given = text(_document(source, raw), place)
    else:
        given = fields_of(query.encode("utf-8", "replace")).get(place) if source.query else headers.get(place)
    if not isinstance(given, str) or not given:
        raise SignatureError("signature_missing", place, f"{place} is missing")
    if source.time_header and not moment:
        raise SignatureError("signature_missing", source.time_header, f"{source.time_header} is missing")
    mode = None
    if given.startswith(source.prefix) or source.scheme == "secret":
        given = given.removeprefix(source.prefix).strip()
        if source.scheme == "secret":
            mode = repeated_in(given, secrets)
        else:
            signed = moment.encode("utf-8", "replace") + b"." + raw if source.time_header else raw
            mode = signed_in(signed, [given], secrets, cast("Encoding", source.encoding), algorithm=source.algorithm)
    if mode is None:
        what = "it is another secret" if source.scheme == "secret" else "the signature is not of this body"
        raise SignatureError("signature_wrong", place, f"{what}; check {source.setting}")
    if source.time_header:
        check_time(moment, now, source.time_header)
    return mode


def _document(source: Source, raw: bytes) -> dict[str, Any]:
    return fields_of(raw) if source.body == "form" else document_of(raw)


def read(source: Source, raw: bytes, mode: Mode = "live") -> Notice:
    event = _document(source, raw)
    parts = [text(event, place) or "" for place in source.type]
    what = ".".join(parts) if any(parts) else ""
    field = source.fields
    payment = text(event, field["payment"]) if "payment" in field else None
    name = text(event, field["key"]) or payment
    if _is_of_a_test(event, field):
        mode = "test"
    if what not in (*source.paid, *source.renewed, *source.refunded, *source.stages):
        return Ignored("other_type" if what else "no_type", what)
    if name is None:
        return Ignored("odd_shape", what)
    customer = Customer(**{one: text(event, field[one]) for one in _PERSON if one in field})
    context = context_of(at(event, field["metadata"])) if "metadata" in field else context_of(event)
    moment = seconds(event, field["time"]) if "time" in field else None
    if what in source.stages:
        return Stage(
            provider=source.name,
            event_name=source.stages[what],
            key=name,
            at=moment,
            source=source.name,
            customer=customer,
            context=context,
            mode=mode,
        )
    if what in source.refunded:
        refund = text(event, field["refund"]) if "refund" in field else None
        return Refund(
            provider=source.name,
            refund_id=refund or name,
            payments=(payment or name,),
            order_key=name,
            money=_money(source, event, is_back=True),
            at=moment,
            mode=mode,
        )
    subscription = text(event, field["subscription"]) if "subscription" in field else None
    is_renewal = what in source.renewed or ("period" in field and (whole(event, field["period"]) or 0) > 1)
    if is_renewal and payment is None:
        return Ignored("odd_shape", what)  # under the order's name every further one would be its duplicate
    kind = Renewal if is_renewal else Payment
    return kind(
        provider=source.name,
        webhook_id="",
        payment_id=payment or name,
        order_key=(payment or name) if is_renewal else name,
        of_order=name if is_renewal else None,
        money=_money(source, event),
        paid_at=moment,
        subscription=subscription,
        customer=customer,
        context=context,
        mode=mode,
    )


def _is_of_a_test(event: dict[str, Any], field: dict[str, str]) -> bool:
    live = at(event, field["live"]) if "live" in field else None
    return ("test" in field and is_test(at(event, field["test"]))) or (live is not None and not is_yes(live))


def _money(source: Source, event: dict[str, Any], *, is_back: bool = False) -> Money:
    """`is_back`: some write what went back as a negative amount."""
    value = source.fields.get("value", "value")
    currency = text(event, source.fields.get("currency", "currency")) or source.currency
    if source.unit != "major":
        cents = whole(event, value)
        digits = CURRENCY_EXPONENTS if source.unit == "minor" else dict.fromkeys(CURRENCY_EXPONENTS, 2)
        return in_minor_units(abs(cents) if cents is not None and is_back else cents, currency, digits)
    amount = _amount(at(event, value), source.decimal)
    if is_back:
        is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
        amount = abs(cast("float", amount)) if is_number else _without_a_minus(amount)
    return in_major_units(amount, currency, CURRENCY_EXPONENTS)


def _without_a_minus(written: object) -> object:
    return written.strip().removeprefix("-") if isinstance(written, str) else written


def _amount(written: object, decimal: str) -> object:
    """
    >>> _amount("1.234,50", ","), _amount("1,234.50", "."), _amount("1,5", "."), _amount("49.90", "")
    ('1234.50', '1234.50', None, '49.90')
    """
    if not decimal or not isinstance(written, str) or len(written) > 30:
        return written
    found = _AS_READ[decimal].fullmatch(written.strip())
    return f"{found[1]}{re.sub('[^0-9]', '', found[2])}.{found[3] or 0}" if found else None
