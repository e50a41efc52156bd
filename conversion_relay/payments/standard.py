"""Standard Webhooks, as Polar, Svix, Clerk and many others send them: https://www.standardwebhooks.com

`webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64>[ v1,<base64>]` (`svix-` for `webhook-` at older
senders); signed is `id.timestamp.body`. The secret is the base64 after `whsec_`, decoded; padding may be missing. One
without that prefix is the base64 or the key itself: libraries of the standard take the first, Polar signs with the
text that it shows. Versions that are not known are skipped.

The standard says nothing of what a notice holds, but for `type` and `data`. Read here are the shapes of those who sell
with it (Polar's `order.paid`, Dodo's `payment.succeeded`): an id, an amount in the smallest unit, a currency. For
another one, describe a source in TOML with `scheme = "standard"`.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.payments.notice import (
    Customer,
    Ignored,
    Mode,
    Money,
    Notice,
    Payment,
    Pending,
    Refund,
    Renewal,
    Trial,
)
from conversion_relay.payments.options import NO_OPTIONS, Options
from conversion_relay.payments.reading import context_of, document_of, in_minor_units, key, seconds, text, whole
from conversion_relay.payments.signature import (
    MOST_SIGNATURES,
    check_time,
    malformed,
    missing,
    mode_among,
    signed_in,
    wrong,
)

HEADER, SETTING = "webhook-signature", "STANDARD_WEBHOOK_SECRET"
ORDER_KEY = ("metadata.order_id", "metadata.order", "metadata.cart")
_PAID = ("order.paid", "payment.succeeded", "payment.paid")
_TOTAL = ("total_amount", "amount_total", "amount")


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float, setting: str = SETTING) -> Mode:
    given = {
        name: headers.get(f"webhook-{name}") or headers.get(f"svix-{name}") for name in ("id", "timestamp", "signature")
    }
    name, moment, header = given["id"], given["timestamp"], given["signature"]
    if not (name and moment and header):
        raise missing(HEADER)
    if not re.fullmatch(r"[0-9]{1,12}", moment, re.ASCII):
        raise malformed("webhook-timestamp", "unix seconds")
    parts = [part.partition(",") for part in header.split(" ")]
    signatures = [value for version, _, value in parts if version == "v1"]
    if not signatures:
        raise malformed(HEADER, "v1,<base64>")
    signed = f"{name}.{moment}.".encode("utf-8", "replace") + raw
    given_ones = signatures[:MOST_SIGNATURES]
    mode = mode_among({signed_in(signed, given_ones, secrets, "base64", one) for one in (key_of, text_of)})
    if mode is None:
        raise wrong(HEADER, setting)
    check_time(moment, now, "webhook-timestamp")
    return mode


def key_of(secret: str) -> bytes | None:
    """
    >>> key_of("whsec_dGVzdHNlY3JldA=="), key_of("dGVzdHNlY3JldA"), key_of("whsec_é")
    (b'testsecret', b'testsecret', None)
    """
    coded = secret.removeprefix("whsec_")
    try:
        return base64.b64decode(coded + "=" * (-len(coded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def text_of(secret: str) -> bytes | None:
    """A secret without the standard's prefix may be used as it is: Polar signs with the text of its `polar_whs_...`.

    >>> text_of("polar_whs_1"), text_of("whsec_dGVzdA==")
    (b'polar_whs_1', None)
    """
    return None if secret.startswith("whsec_") else secret.encode("utf-8", "replace")


def read(raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    event = document_of(raw)
    what, thing = text(event, "type") or "", event.get("data")
    if not isinstance(thing, dict):
        return Ignored("other_type" if what else "no_type", what)
    notice = _meant(event, thing, what, options)
    return msgspec.structs.replace(notice, mode="test") if _is_test(event) or _is_test(thing) else notice


def _is_test(told: dict[str, Any]) -> bool:
    """Polar and Dodo have secrets of their own for it; others who sell with the standard mark each notice."""
    marks = (told.get("livemode"), told.get("live"), told.get("live_mode"))
    said = (told.get("test"), told.get("test_mode"), told.get("is_test"), told.get("sandbox"))
    named = {str(told.get(name)).lower() for name in ("mode", "environment")}
    return any(one is False for one in marks) or any(one is True for one in said) or bool(named & {"test", "sandbox"})


def _meant(event: dict[str, Any], thing: dict[str, Any], what: str, options: Options) -> Notice:
    if what in _PAID:
        return _payment(event, thing, what, options)
    if what in ("refund.created", "refund.updated", "refund.succeeded"):
        return _refund(event, thing, what)
    if what in ("order.created", "payment.processing"):
        return Pending("unpaid", what)
    if what == "subscription.created" and thing.get("status") == "trialing" and (name := text(thing, "id")):
        return Trial(
            provider="standard",
            subscription=name,
            order_key=key(thing, *(options.order_key or ORDER_KEY)) or name,
            at=seconds(thing, "started_at", "created_at"),
            customer=_customer(thing),
            context=context_of(thing.get("metadata")),
        )
    return Ignored("failed" if what.endswith(".failed") else "other_type", what)


def _payment(event: dict[str, Any], thing: dict[str, Any], what: str, options: Options) -> Notice:
    name, subscription = text(thing, "id", "payment_id"), text(thing, "subscription_id")
    if not name:
        return Ignored("odd_shape", what)
    is_renewal = text(thing, "billing_reason") in ("subscription_cycle", "subscription_update")
    kind = Renewal if is_renewal else Payment
    own = key(thing, *(options.order_key or ORDER_KEY))
    return kind(
        provider="standard",
        webhook_id="",
        payment_id=name,
        order_key=name if is_renewal else own or name,
        of_order=own if is_renewal else None,
        money=_money(thing, *_TOTAL),
        paid_at=seconds(thing, "created_at") or seconds(event, "timestamp"),
        also=tuple(one for one in (text(thing, "checkout_id"), subscription) if one),
        subscription=subscription,
        customer=_customer(thing),
        context=context_of(thing.get("metadata")),
    )


def _money(thing: dict[str, Any], *places: str) -> Money:
    """Senders of this standard who write 10.43 (Whop's `total`) write 10.0, too, and it is ten of the whole unit: so a
    number with a point, and a place that no sender known here counts in the smallest unit, is not read as cents."""
    currency = text(thing, "currency")
    for place in places:
        if (amount := whole(thing, place)) is not None and not isinstance(thing.get(place), float):
            return in_minor_units(amount, currency, CURRENCY_EXPONENTS)
    is_told = any(thing.get(place) is not None for place in (*places, "total"))
    return Money(None, (currency or "").upper()[:3], "unit_unknown" if is_told else "not_an_amount")


def _customer(thing: dict[str, Any]) -> Customer:
    return Customer(
        email=text(thing, "customer.email", "customer_email"),
        phone=text(thing, "customer.phone_number", "customer.phone"),
        name=text(thing, "billing_name", "customer.name", "customer_name"),
        city=text(thing, "billing_address.city", "billing.city"),
        state=text(thing, "billing_address.state", "billing.state"),
        zip=text(thing, "billing_address.postal_code", "billing.zipcode"),
        country=text(thing, "billing_address.country", "billing.country"),
        external_id=text(thing, "customer.external_id", "metadata.external_id", "customer_id", "customer.customer_id"),
    )


def _refund(event: dict[str, Any], thing: dict[str, Any], what: str) -> Notice:
    name, payment = text(thing, "id", "refund_id"), text(thing, "order_id", "payment_id")
    if not name or not payment:
        return Ignored("odd_shape", what)
    if text(thing, "status") not in ("succeeded", "completed"):
        return Ignored("refund_not_done", what)
    return Refund(
        provider="standard",
        refund_id=name,
        payments=(payment,),
        money=_with_tax(_money(thing, "amount"), thing),
        at=seconds(thing, "created_at") or seconds(event, "timestamp"),
    )


def _with_tax(money: Money, refund: dict[str, Any]) -> Money:
    """Polar counts an order with its tax and tells of a refund without it: `amount`, and `tax_amount` beside.
    https://docs.polar.sh/api-reference/webhooks/refund.created"""
    tax = whole(refund, "tax_amount") if refund.get("order_id") is not None else None
    if not tax or money.amount is None:
        return money
    more = in_minor_units(tax, money.currency, CURRENCY_EXPONENTS)
    return more if more.amount is None else Money(money.amount + more.amount, money.currency)
