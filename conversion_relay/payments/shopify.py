"""Shopify: https://shopify.dev/docs/apps/build/webhooks/subscribe/https

`X-Shopify-Hmac-Sha256`: the base64 HMAC of the body with the app's client secret; a hook that was made in the shop's
admin uses another key, which stands there. There is no time in it. The topic's header is not signed, so the kind of
notice is told by its body.

An order is counted by its state, whichever topic brought it, and under the order's own id and time: `orders/updated`
comes for months after. What is refunded later was paid before. Money is the shop's currency (`total_price`,
`currency`), never `total_price` with the currency that the customer saw.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.payments.notice import Context, Customer, Ignored, Mode, Notice, Payment, Pending, Refund, Renewal
from conversion_relay.payments.options import NO_OPTIONS, Options
from conversion_relay.payments.reading import (
    context_of,
    decimal_of,
    document_of,
    in_major_units,
    key,
    lines_of,
    members,
    pairs,
    seconds,
    text,
)
from conversion_relay.payments.signature import body_is_signed, missing

HEADERS, SETTING = ("x-shopify-hmac-sha256", "shopify-hmac-sha256"), "SHOPIFY_WEBHOOK_SECRET"
ORDER_KEY = ("id",)
_TILLS = ("pos", "iphone", "android")
_PAID = ("paid", "partially_refunded", "refunded")


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Mode:
    header = next((name for name in HEADERS if headers.get(name)), None)
    if header is None:
        raise missing(HEADERS[0])
    return body_is_signed(raw, headers, header, secrets, "base64", SETTING)


def read(raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    thing = document_of(raw)
    if "financial_status" in thing:
        return _order(thing, options)
    if "order_id" in thing and isinstance(thing.get("transactions"), list):
        return _refund(thing, options)
    return Ignored("other_type")


def _order(order: dict[str, Any], options: Options) -> Notice:
    status, name = text(order, "financial_status") or "", text(order, "id")
    mode: Mode = "test" if order.get("test") is True else "live"
    if status in ("pending", "authorized", "partially_paid"):
        return Pending(status, "order")
    if status not in _PAID or not name:
        return Ignored("failed" if status == "voided" else "not_paid", "order")
    notes = pairs(order, "note_attributes")
    is_renewal = _is_renewal(order)
    kind = Renewal if is_renewal else Payment
    own = key({**order, "notes": notes}, *(options.order_key or ORDER_KEY))
    return kind(
        provider="shopify",
        webhook_id="",
        payment_id=name,
        order_key=name if is_renewal else own or name,
        money=in_major_units(order.get("total_price"), text(order, "currency"), CURRENCY_EXPONENTS),
        paid_at=seconds(order, "processed_at", "created_at"),
        also=tuple(
            one for one in (text(order, "name"), text(order, "checkout_token"), text(order, "cart_token")) if one
        ),
        customer=_customer(order, notes),
        lines=lines_of(members(order, "line_items"), ("product_id", "variant_id", "sku"), "price", "title"),
        context=_context(order, notes),
        mode=mode,
    )


def _is_renewal(order: dict[str, Any]) -> bool:
    """`subscription_contract`, and since 2025 also `subscription_contract_checkout_one`."""
    return (text(order, "source_name") or "").startswith("subscription_contract")


def _customer(order: dict[str, Any], notes: dict[str, Any]) -> Customer:
    place = next((p for p in (order.get("billing_address"), order.get("shipping_address")) if isinstance(p, dict)), {})
    return Customer(
        email=text(order, "email", "contact_email", "customer.email"),
        phone=text(order, "phone", "customer.phone", "billing_address.phone", "shipping_address.phone"),
        first_name=text(order, "customer.first_name") or text(place, "first_name"),
        last_name=text(order, "customer.last_name") or text(place, "last_name"),
        city=text(place, "city"),
        state=text(place, "province_code", "province"),
        zip=text(place, "zip"),
        country=text(place, "country_code"),
        external_id=text(notes, "external_id") or text(order, "customer.id"),
    )


def _context(order: dict[str, Any], notes: dict[str, Any]) -> Context:
    """Shopify itself knows the browser of an order that was made on the shop's pages. A till's device is no buyer's: it
    would be everybody's who buys there. Neither is whatever charges a subscription."""
    if _is_renewal(order) or text(order, "source_name") in _TILLS:
        return context_of(notes)
    seen = {
        "client_ip_address": text(order, "browser_ip", "client_details.browser_ip"),
        "client_user_agent": text(order, "client_details.user_agent"),
        "event_source_url": _shop_of(text(order, "order_status_url")),
    }
    return context_of(notes, seen)


def _shop_of(url: str | None) -> str | None:
    """The shop's front page: the address of an order's status is a key to the order, and must not leave."""
    found = re.match(r"https://[A-Za-z0-9.-]+/", url or "", re.ASCII)
    return found[0] if found else None


def _refund(refund: dict[str, Any], options: Options) -> Notice:
    name, order = text(refund, "id"), text(refund, "order_id")
    done = [t for t in members(refund, "transactions") if t.get("kind") == "refund" and t.get("status") == "success"]
    if not name or not order:
        return Ignored("odd_shape", "refund")
    if not done:
        return Ignored("refund_not_done", "refund")
    amounts = [decimal_of(one.get("amount")) for one in done]
    total = None if None in amounts else sum((one for one in amounts if one is not None), Decimal(0))
    return Refund(
        provider="shopify",
        refund_id=name,
        payments=(order,),
        order_key=order if not options.order_key else None,
        money=in_major_units(None if total is None else str(total), text(done[0], "currency"), CURRENCY_EXPONENTS),
        at=seconds(refund, "processed_at", "created_at"),
        mode="test" if done[0].get("test") is True else "live",
    )
