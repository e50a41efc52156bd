"""A sender of one's own, described in the TOML file: a payment provider that is not in the table, or a CRM.

    [[source]]
    name = "crm"                      # POST /webhooks/crm; its secret: CRM_WEBHOOK_SECRET
    header = "x-crm-signature"        # scheme "hmac", the default; "standard" is Standard Webhooks; "secret": see below
    algorithm = "sha256"              # sha256, sha384, sha512
    encoding = "hex"                  # hex, base64
    prefix = "sha256="                # before the signature, where there is one
    time_header = "x-crm-time"        # where the time is signed, as time + "." + body
    type = "event"                    # place of the notice's type
    paid = ["deal.won"]               # types that are payments
    refunded = ["deal.refunded"]
    unit = "major"                    # of the amount: major (49.90) or minor (4990)
    decimal = ","                     # where amounts are texts such as "1.234,50"
    currency = "EUR"                  # of an amount beside which the notice has none
    fields = { key = "deal.id", value = "deal.amount", currency = "deal.currency", email = "contact.email" }
    stages = { "lead.qualified" = "QualifiedLead" }
    body = "json"                     # json, form

`stages` are for Meta's CRM integration: each becomes an event of that name, `system_generated`, with `event_source:
crm` and the `lead_id` of the form. A source without a time is a source whose notices can be replayed: what protects
then is that the event's id and time are of the order and not of the notice.

Some senders cannot sign: they repeat the secret as it is (`scheme = "secret"`), in the header, or in a place of the
notice (`secret_place`). Whoever sees one such notice can write others.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from conversion_relay.errors import SettingsError, SignatureError
from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.patterns import seldom
from conversion_relay.payments import standard
from conversion_relay.payments.form import fields_of
from conversion_relay.payments.notice import Customer, Ignored, Mode, Money, Notice, Payment, Refund, Stage
from conversion_relay.payments.reading import (
    at,
    context_of,
    document_of,
    in_major_units,
    in_minor_units,
    is_yes,
    seconds,
    text,
    whole,
)
from conversion_relay.payments.signature import Encoding, check_time, missing, repeated_in, signed_in, wrong

PERSON = Customer.__struct_fields__
FIELDS = ("key", "payment", "value", "currency", "time", "refund", "metadata", "test", *PERSON)
_CHOICES = {
    "scheme": ("hmac", "standard", "secret"),
    "body": ("json", "form"),
    "algorithm": ("sha256", "sha384", "sha512"),
    "encoding": ("hex", "base64"),
    "unit": ("major", "minor"),
    "decimal": (",", "."),
}


# No `$.deal.id` and no `items[0]`, which are another language's: they would find nothing, for ever and without a word.
_PLACE = seldom(r"(?!\$[.\[]|/)[^.\[\]]+(?:\.[^.\[\]]+)*")
_AS_READ = {
    decimal: seldom(rf"([0-9]+|[0-9]{{1,3}}(?:[{other}'\u2019 \u00a0\u202f][0-9]{{3}})+)(?:[{decimal}]([0-9]+))?")
    for decimal, other in ((",", "."), (".", ","))
}
_HEADER = seldom(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One [[source]] table."""

    name: str
    scheme: str = "hmac"
    header: str = "x-signature"
    algorithm: str = "sha256"
    encoding: str = "hex"
    prefix: str = ""
    time_header: str = ""
    secret_place: str = ""
    """Where in the notice the secret itself stands, with scheme "secret"; empty: in the header."""
    body: str = "json"
    type: str = "type"
    paid: tuple[str, ...] = ()
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


def source_of(table: Mapping[str, Any], number: int, taken: Sequence[str]) -> Source:
    """Raises SettingsError that names the key and never shows a value."""
    where = f"[[source]] {number}"
    for name, value in table.items():
        if name not in Source.__struct_fields__:
            raise SettingsError(f"{where}: {name[:40]}: one of {', '.join(Source.__struct_fields__)}")
        _check(where, name, value)
    name = str(table.get("name", ""))
    if not re.fullmatch(r"[a-z][a-z0-9]{1,30}", name) or name in taken:
        raise SettingsError(
            f"{where}: name: small letters and digits, and not the name of a provider or another source"
        )
    if not any(table.get(kind) for kind in ("paid", "refunded", "stages")):
        raise SettingsError(f"{where}: paid, refunded or stages: say which notices count")
    places = [(f"fields.{one}", place) for one, place in (table.get("fields") or {}).items()]
    if "secret_place" in table and table.get("scheme") != "secret":
        raise SettingsError(f'{where}: secret_place: it goes with scheme = "secret"')
    more = [(name, table[name]) for name in ("type", "secret_place") if name in table]
    for one, place in [*places, *more]:
        if not _PLACE.fullmatch(place):
            raise SettingsError(f"{where}: {one[:40]}: a place in the notice such as deal.id or items.0.id")
    if not (table.get("fields") or {}).get("key"):
        raise SettingsError(f"{where}: fields.key: the place of the order's or lead's id")
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
    for lower in ("header", "time_header"):
        if lower in given:
            given[lower] = given[lower].lower()
    return Source(**given)


def verify(source: Source, raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Mode:
    if source.scheme == "standard":
        return standard.verify(raw, headers, secrets, now, source.setting)
    if source.scheme == "secret":
        return _repeated(source, raw, headers, secrets)
    given, moment = headers.get(source.header), headers.get(source.time_header, "")
    if not given or (source.time_header and not moment):
        raise missing(source.header if not given else source.time_header)
    if not given.startswith(source.prefix):
        raise wrong(source.header, source.setting)
    signed = moment.encode("utf-8", "replace") + b"." + raw if source.time_header else raw
    signature = given.removeprefix(source.prefix).strip()
    mode = signed_in(signed, [signature], secrets, cast("Encoding", source.encoding), algorithm=source.algorithm)
    if mode is None:
        raise wrong(source.header, source.setting)
    if source.time_header:
        check_time(moment, now, source.time_header)
    return mode


def _repeated(source: Source, raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> Mode:
    place = source.secret_place
    given = text(_document(source, raw), place) if place else headers.get(source.header)
    if not given:
        raise missing(source.header) if not place else SignatureError("signature_missing", place, "no secret is there")
    mode = repeated_in(given.removeprefix(source.prefix).strip(), secrets)
    if mode is None:
        raise SignatureError("signature_wrong", place or source.header, f"it is another secret; check {source.setting}")
    return mode


def _document(source: Source, raw: bytes) -> dict[str, Any]:
    return fields_of(raw) if source.body == "form" else document_of(raw)


def read(source: Source, raw: bytes, mode: Mode = "live") -> Notice:
    event = _document(source, raw)
    what = text(event, source.type) or ""
    field = source.fields
    payment = text(event, field["payment"]) if "payment" in field else None
    name = text(event, field["key"]) or payment
    if "test" in field and is_yes(at(event, field["test"])):
        mode = "test"
    if what not in (*source.paid, *source.refunded, *source.stages):
        return Ignored("other_type" if what else "no_type", what, mode)
    if name is None:
        return Ignored("odd_shape", what, mode)
    customer = Customer(**{one: text(event, field[one]) for one in PERSON if one in field})
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
    money = _money(source, event)
    if what in source.refunded:
        refund = text(event, field["refund"]) if "refund" in field else None
        return Refund(
            provider=source.name,
            refund_id=refund or name,
            payments=(payment or name,),
            order_key=name,
            money=money,
            at=moment,
            mode=mode,
        )
    return Payment(
        provider=source.name,
        webhook_id="",
        payment_id=payment or name,
        order_key=name,
        money=money,
        paid_at=moment,
        customer=customer,
        context=context,
        mode=mode,
    )


def _money(source: Source, event: dict[str, Any]) -> Money:
    value = source.fields.get("value", "value")
    currency = text(event, source.fields.get("currency", "currency")) or source.currency
    if source.unit == "minor":
        return in_minor_units(whole(event, value), currency, CURRENCY_EXPONENTS)
    return in_major_units(_amount(at(event, value), source.decimal), currency, CURRENCY_EXPONENTS)


def _amount(written: object, decimal: str) -> object:
    """
    >>> _amount("1.234,50", ","), _amount("1,234.50", "."), _amount("1,5", "."), _amount("49.90", "")
    ('1234.50', '1234.50', None, '49.90')
    """
    if not decimal or not isinstance(written, str) or len(written) > 30:
        return written
    found = _AS_READ[decimal].fullmatch(written.strip())
    return f"{re.sub('[^0-9]', '', found[1])}.{found[2] or 0}" if found else None


def _check(where: str, name: str, value: object) -> None:
    if name in ("paid", "refunded"):
        is_right = isinstance(value, list) and all(isinstance(one, str) and one for one in value)
        expected = "a list of texts"
    elif name in ("fields", "stages"):
        is_right = isinstance(value, dict) and all(isinstance(one, str) and one for one in value.values())
        expected = "a table of texts"
        if is_right and name == "fields" and (odd := set(cast("dict[str, str]", value)) - set(FIELDS)):
            raise SettingsError(f"{where}: fields.{min(odd)[:40]}: one of {', '.join(FIELDS)}")
    else:
        choices = _CHOICES.get(name)
        is_right = isinstance(value, str) and (not choices or value in choices) and value.isprintable()
        expected = f"one of {', '.join(choices)}" if choices else "a text"
        if name in ("header", "time_header"):
            is_named = isinstance(value, str) and (bool(_HEADER.fullmatch(value)) or (not value and name != "header"))
            is_right, expected = is_named, "the name of a header"
        if name == "currency":
            is_right, expected = value in CURRENCY_EXPONENTS, "a currency of ISO 4217 such as EUR"
    if not is_right:
        raise SettingsError(f"{where}: {name}: expected {expected}")
