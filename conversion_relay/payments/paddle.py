"""Paddle Billing: https://developer.paddle.com/webhooks/signature-verification

`Paddle-Signature: ts=1671552777;h1=eb4d0d...[;h1=...]`; signed is `ts + ":" + body`, the secret (`pdl_ntfset_...`) as
it is, one for each destination. Paddle asks for a difference of at most five seconds; 300 is what clocks need.

`transaction.paid` and `transaction.completed` are about one transaction and have one id: both are read, and the second
is a duplicate. Neither names the buyer: what Paddle knows of them stays with Paddle, so give `custom_data` the order's
id (and `email`, if the shop knows it). Paddle's customer id is sent as `external_id`.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.payments.notice import (
    Customer,
    Ignored,
    Line,
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
from conversion_relay.payments.reading import (
    at,
    context_of,
    document_of,
    in_minor_units,
    key,
    members,
    seconds,
    text,
    whole,
)
from conversion_relay.payments.signature import MOST_SIGNATURES, check_time, malformed, missing, signed_in, wrong

HEADER, SETTING = "paddle-signature", "PADDLE_WEBHOOK_SECRET"
ORDER_KEY = ("custom_data.order_id", "custom_data.order", "custom_data.cart")


# https://developer.paddle.com/api-reference/transactions/overview: a change of plan and a charge beside it have the
# subscription's own `custom_data`, and so the key of the order that it began with.
_LATER = ("subscription_recurring", "subscription_update", "subscription_charge")


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Mode:
    header = headers.get(HEADER)
    if not header:
        raise missing(HEADER)
    parts = [part.strip().partition("=") for part in header.split(";")]
    times = [value for name, _, value in parts if name == "ts"]
    signatures = [value for name, _, value in parts if name == "h1"]
    # A comma joins two headers of this name; Paddle sends one.
    if len(times) != 1 or not re.fullmatch(r"[0-9]{1,12}", times[0], re.ASCII) or not signatures or "," in header:
        raise malformed(HEADER, "ts=<unix seconds>;h1=<hex>")
    mode = signed_in(times[0].encode() + b":" + raw, signatures[:MOST_SIGNATURES], secrets)
    if mode is None:
        raise wrong(HEADER, SETTING)
    check_time(times[0], now, HEADER)
    return mode


def read(raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    event = document_of(raw)
    what, thing = text(event, "event_type") or "", event.get("data")
    if not isinstance(thing, dict):
        return Ignored("other_type" if what else "no_type", what)
    notice = _meant(event, thing, what, options)
    # Paddle's simulator signs what it makes up with the destination's own secret, and sends it to a live one as well.
    # https://developer.paddle.com/webhooks/test-webhooks
    ids = (text(event, "event_id"), text(event, "notification_id"))
    is_made_up = any(one and one.startswith("ntfsim") for one in ids)
    return msgspec.structs.replace(notice, mode="test") if is_made_up else notice


def _meant(event: dict[str, object], thing: dict[str, object], what: str, options: Options) -> Notice:
    if what in ("transaction.completed", "transaction.paid"):
        return _transaction(event, thing, what, options)
    if what in ("adjustment.created", "adjustment.updated"):
        return _adjustment(thing, what)
    if what in ("subscription.trialing", "subscription.created"):
        return _trial(event, thing, what, options)
    if what in ("transaction.ready", "transaction.billed", "transaction.created", "transaction.updated"):
        return Pending("unpaid", what)
    is_failure = what in ("transaction.payment_failed", "transaction.past_due", "transaction.canceled")
    return Ignored("failed" if is_failure else "other_type", what)


def _transaction(event: dict[str, object], thing: dict[str, object], what: str, options: Options) -> Notice:
    name = text(thing, "id")
    if not name:
        return Ignored("odd_shape", what)
    is_renewal = text(thing, "origin") in _LATER
    total = (
        "details.totals.grand_total" if at(thing, "details.totals.grand_total") is not None else "details.totals.total"
    )
    money = in_minor_units(whole(thing, total), text(thing, "currency_code"), CURRENCY_EXPONENTS)
    custom, subscription = thing.get("custom_data"), text(thing, "subscription_id")
    kind = Renewal if is_renewal else Payment
    own = key(thing, *(options.order_key or ORDER_KEY))
    return kind(
        provider="paddle",
        webhook_id=text(event, "event_id") or "",
        payment_id=name,
        order_key=name if is_renewal else own or name,
        of_order=own if is_renewal else None,
        money=money,
        # Of the transaction, not of the notice: `paid` and `completed` come at different times.
        paid_at=seconds(thing, "payments.0.captured_at", "billed_at", "created_at") or seconds(event, "occurred_at"),
        also=(subscription,) if subscription else (),
        subscription=subscription,
        customer=_customer(thing),
        lines=_lines(thing, money),
        context=context_of(custom),
    )


def _lines(thing: dict[str, object], money: Money) -> tuple[Line, ...]:
    """A price is the shop's list price, in a currency of its own; what this buyer paid for a piece, converted and with
    tax and discount, stands in the transaction's own lines.
    https://developer.paddle.com/build/products/offer-localized-pricing"""
    digits, found = CURRENCY_EXPONENTS.get(money.currency, 2), []
    paid = {text(line, "price_id"): line for line in members(thing, "details.line_items")}
    for item in members(thing, "items")[:200]:
        if name := key(item, "price.product_id", "price.id"):
            cost = whole(paid.get(text(item, "price.id")), "unit_totals.total")
            if cost is None and (text(item, "price.unit_price.currency_code") or money.currency) == money.currency:
                cost = whole(item, "price.unit_price.amount")
            unit = in_minor_units(cost, money.currency, {money.currency: digits})
            found.append(Line(name, max(1, whole(item, "quantity") or 1), unit.amount, text(item, "price.name")))
    return tuple(found)


def _customer(thing: dict[str, object]) -> Customer:
    return Customer(
        email=text(thing, "custom_data.email", "customer.email"),
        name=text(thing, "custom_data.name", "customer.name"),
        phone=text(thing, "custom_data.phone"),
        country=text(thing, "address.country_code"),
        zip=text(thing, "address.postal_code"),
        city=text(thing, "address.city"),
        external_id=text(thing, "custom_data.external_id", "custom_data.user_id", "customer_id"),
    )


def _adjustment(thing: dict[str, object], what: str) -> Notice:
    """https://developer.paddle.com/api-reference/adjustments/overview"""
    name, payment, action = text(thing, "id"), text(thing, "transaction_id"), text(thing, "action")
    if action not in ("refund", "chargeback"):
        return Ignored("other_type", what)
    if text(thing, "status") != "approved":
        return Ignored("refund_not_done", what)
    if not name or not payment:
        return Ignored("odd_shape", what)
    money = in_minor_units(whole(thing, "totals.total"), text(thing, "currency_code"), CURRENCY_EXPONENTS)
    return Refund(
        provider="paddle",
        refund_id=name,
        payments=(payment,),
        money=money,
        at=None,  # `created_at` is when it was asked for; Paddle approves days later
        kind="chargeback" if action == "chargeback" else "refund",
    )


def _trial(event: dict[str, object], thing: dict[str, object], what: str, options: Options) -> Notice:
    name = text(thing, "id")
    if thing.get("status") != "trialing" or not name:
        return Ignored("other_type", what)
    return Trial(
        provider="paddle",
        subscription=name,
        order_key=key(thing, *(options.order_key or ORDER_KEY)) or name,
        at=seconds(thing, "started_at", "created_at") or seconds(event, "occurred_at"),
        currency=text(thing, "currency_code"),
        customer=_customer(thing),
        context=context_of(thing.get("custom_data")),
    )
