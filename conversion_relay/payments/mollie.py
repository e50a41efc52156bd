"""Mollie: https://docs.mollie.com/reference/webhooks and https://docs.mollie.com/reference/webhooks-new

Two kinds. The newer one is signed: `X-Mollie-Signature: sha256=<hex>` (also without the prefix), the HMAC of the body,
and it may hold the payment. The older one is a form with one member, `id=tr_...`, that nobody signs: anybody can send
it, so nothing of it is believed. It says that something changed, and Mollie is asked what, with the shop's own key.

What went back. The older notice comes again when a payment is refunded or charged back; the payment then tells the sum
of it (`amountRefunded`), and a second part told as the sum would count the first part twice. So Mollie is asked for the
parts, too (`embed`), each with an id and an amount of its own. The newer webhooks tell each part by itself
(`refund.refunded`, `chargeback.received`), under the same ids. The sums are not read.
https://docs.mollie.com/reference/refunds-api-webhooks https://docs.mollie.com/reference/chargebacks-api-webhooks

Orders (`ord_...`, https://docs.mollie.com/orders/status-changes) are an API that Mollie advises against and plugins
still use. What counts of an order is its payment: the same one, under the same id, that a notice of its own would tell
of. Its own metadata is empty there, so the order's stands in its place, and the number that the shop gave the order.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from conversion_relay.errors import InvalidEvent
from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.patterns import seldom
from conversion_relay.payments.notice import Ask, Customer, Ignored, Mode, Notice, Payment, Pending, Refund, Renewal
from conversion_relay.payments.options import NO_OPTIONS, Options
from conversion_relay.payments.reading import (
    at,
    context_of,
    document_in,
    document_of,
    in_major_units,
    key,
    lines_of,
    members,
    seconds,
    text,
)
from conversion_relay.payments.signature import missing, signed_in, wrong

HEADER, SETTING = "x-mollie-signature", "MOLLIE_WEBHOOK_SECRET"
ORDER_KEY = ("metadata.order_id", "metadata.order", "metadata.cart")
_FORM = re.compile(rb"id=([a-z]{1,10}_[A-Za-z0-9.]{1,64})")
_EMBED = "?embed=refunds,chargebacks"
_EMBED_IN_ORDER = "?embed=payments,refunds"
_ON_ITS_WAY = ("pending", "processing", "refunded")
"""Of the older webhooks nobody knows whether another one comes when a refund that is on its way has arrived."""
_ALONE = {"payment": "payment.paid", "refund": "refund.refunded", "chargeback": "chargeback.received"}
_PAYMENT = re.compile(r"tr_[A-Za-z0-9]{1,64}")
_ORDER = seldom(r"ord_[A-Za-z0-9.]{1,64}")


def verify(
    raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float, *, can_ask: bool = False
) -> Mode:
    """`can_ask`: whether the shop's key is there, without which an unsigned notice is worth nothing."""
    given = headers.get(HEADER, "").strip()
    if not given:
        if can_ask and _FORM.fullmatch(raw.strip()):
            return "live"
        raise missing(HEADER)
    mode = signed_in(raw, [given.removeprefix("sha256=")], secrets)
    if mode is None:
        raise wrong(HEADER, SETTING)
    return mode


def read(raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    if form := _FORM.fullmatch(raw.strip()):
        return _ask(form[1].decode(), "payment")
    event = document_of(raw)
    what = text(event, "type") or ""
    # Under the kind's own name in what Mollie's PHP client is tested with, as `entity` on Mollie's page.
    entity = at(event, "_embedded.entity") or at(event, f"_embedded.{what.partition('.')[0]}")
    if not what and (is_one_of := text(event, "resource")) in _ALONE:
        # https://docs.mollie.com/reference/payments-api-webhooks shows the object alone, without the event around it.
        entity, what = event, _ALONE[is_one_of]
    if what.startswith(("refund.", "chargeback.")):
        return _back(entity, what) if isinstance(entity, dict) else Ignored("odd_shape", what)
    if not what.startswith("payment."):
        return Ignored("other_type" if what else "no_type", what)
    if isinstance(entity, dict):
        return _payment(entity, text(event, "id") or "", what, options)
    return _ask(text(event, "entityId") or "", what)


def read_answer(ask: Ask, raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    try:
        found = document_of(raw)
    except InvalidEvent:
        return Ignored("odd_shape", ask.what)
    if found.get("resource") == "order":
        return _of_order(found, ask.what, options)
    return _payment(found, ask.webhook_id, ask.what, options)


def _of_order(order: dict[str, Any], what: str, options: Options) -> Notice:
    """Another payment of an order can only be made when the one before was not paid."""
    payments = members(order, "_embedded.payments")
    payment = next((one for one in payments if text(one, "status") == "paid"), payments[-1] if payments else None)
    mode: Mode = "test" if "test" in (order.get("mode"), payment and payment.get("mode")) else "live"
    if payment is None:
        return Pending(text(order, "status") or "open", what)
    of_order = {name: order.get(name) for name in ("orderNumber", "billingAddress", "lines", "metadata")}
    told = of_order | {name: value for name, value in payment.items() if value is not None}
    told |= {"mode": mode, "_embedded": {"refunds": members(order, "_embedded.refunds")}}
    places = options.order_key or (*ORDER_KEY, "orderNumber")
    return _payment(told, "", what, msgspec.structs.replace(options, order_key=places))


def _ask(name: str, what: str) -> Notice:
    if _ORDER.fullmatch(name):
        return Ask(provider="mollie", path=f"/v2/orders/{name}{_EMBED_IN_ORDER}", what=what)
    if not _PAYMENT.fullmatch(name):
        return Ignored("other_type", what)
    return Ask(provider="mollie", path=f"/v2/payments/{name}{_EMBED}", what=what)


def _payment(payment: dict[str, Any], webhook_id: str, what: str, options: Options) -> Notice:
    name, status = text(payment, "id"), text(payment, "status")
    mode: Mode = "test" if payment.get("mode") == "test" else "live"
    own = key(payment, *(options.order_key or ORDER_KEY))
    if isinstance(metadata := payment.get("metadata"), str) and (found := document_in(metadata)):
        payment = {**payment, "metadata": found}  # Mollie takes any JSON there, and a text that holds JSON, too
        own = own or key(payment, *(options.order_key or ORDER_KEY))
    if not name:
        return Ignored("odd_shape", what)
    if status in ("open", "pending", "authorized"):
        return Pending(status, what)
    if status != "paid":
        return Ignored("failed" if status in ("failed", "canceled", "expired") else "odd_shape", what)
    subscription = text(payment, "subscriptionId")
    is_renewal = payment.get("sequenceType") == "recurring" or subscription is not None
    kind = Renewal if is_renewal else Payment
    return kind(
        provider="mollie",
        webhook_id=webhook_id,
        payment_id=name,
        order_key=name if is_renewal else own or name,
        money=in_major_units(at(payment, "amount.value"), text(payment, "amount.currency"), CURRENCY_EXPONENTS),
        paid_at=seconds(payment, "paidAt", "createdAt"),
        also=tuple(one for one in (text(payment, "orderId"), text(payment, "customerId")) if one),
        subscription=subscription or (text(payment, "mandateId") if payment.get("sequenceType") == "first" else None),
        customer=_customer(payment),
        lines=lines_of(members(payment, "lines"), ("sku", "id"), "unitPrice.value", "description"),
        context=context_of(payment.get("metadata")),
        refunds=tuple(_backs(payment, name, mode)),
        mode=mode,
    )


def _customer(payment: dict[str, Any]) -> Customer:
    return Customer(
        email=text(payment, "billingAddress.email", "metadata.email", "billingEmail"),
        phone=text(payment, "billingAddress.phone"),
        first_name=text(payment, "billingAddress.givenName"),
        last_name=text(payment, "billingAddress.familyName"),
        city=text(payment, "billingAddress.city"),
        state=text(payment, "billingAddress.region"),
        zip=text(payment, "billingAddress.postalCode"),
        country=text(payment, "billingAddress.country"),
        external_id=text(payment, "metadata.external_id", "customerId"),
    )


def _back(part: dict[str, Any], what: str) -> Notice:
    """A refund or a chargeback that is told by itself."""
    mode: Mode = "test" if part.get("mode") == "test" else "live"
    payment = text(part, "paymentId")
    if not payment or not text(part, "id"):
        return Ignored("odd_shape", what)
    is_refund = what.startswith("refund.")
    if part.get("reversedAt") or (text(part, "status") != "refunded" if is_refund else what != "chargeback.received"):
        return Ignored("refund_not_done", what)
    return _part(part, payment, mode, "refund" if is_refund else "chargeback")


def _backs(payment: dict[str, Any], name: str, mode: Mode) -> list[Refund]:
    refunds = [one for one in members(payment, "_embedded.refunds") if text(one, "status") in _ON_ITS_WAY]
    chargebacks = [one for one in members(payment, "_embedded.chargebacks") if not one.get("reversedAt")]
    return [
        *(_part(one, name, mode, "refund") for one in refunds if text(one, "id")),
        *(_part(one, name, mode, "chargeback") for one in chargebacks if text(one, "id")),
    ]


def _part(part: dict[str, Any], payment: str, mode: Mode, kind: Literal["refund", "chargeback"]) -> Refund:
    return Refund(
        provider="mollie",
        refund_id=text(part, "id") or "",
        payments=(payment,),
        money=in_major_units(at(part, "amount.value"), text(part, "amount.currency"), CURRENCY_EXPONENTS),
        at=None,  # when it was begun stands there, which may be weeks before it was told
        kind=kind,
        mode=mode,
    )
