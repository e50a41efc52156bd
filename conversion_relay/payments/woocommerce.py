"""WooCommerce: https://woocommerce.github.io/woocommerce-rest-api-docs/#webhooks

`X-WC-Webhook-Signature`: the base64 HMAC of the body. The shop decodes HTML entities of its secret before it signs, so
a secret that was copied out of a page may read `&amp;` where `&` is meant: both are tried. There is no time in it, and
what fails is not sent again.

Every save of an order sends it anew, in its state of that moment: the first notice that comes may show a refund
already. So an order is counted by `date_paid_gmt` under its own id, in any status but those before the money and of
failure: shops name their own (`shipped`, `wc-ready-for-pickup`). Each of its refunds is counted beside it. A
subscription of the plugin has an order's members, too, and the payments of its orders are told by these.
"""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.payments.notice import Customer, Ignored, Mode, Notice, Payment, Pending, Refund, Renewal
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
from conversion_relay.payments.signature import body_is_signed

HEADER, SETTING = "x-wc-webhook-signature", "WOOCOMMERCE_WEBHOOK_SECRET"
ORDER_KEY = ("id",)
_PENDING = ("pending", "on-hold", "checkout-draft", "auto-draft", "draft")
_FAILED = ("failed", "cancelled", "trash")
_SUBSCRIPTION = ("billing_period", "next_payment_date_gmt")


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Mode:
    tried = [*secrets, *(html.unescape(secret) for secret in secrets if "&" in secret)]
    return body_is_signed(raw, headers, HEADER, tried, "base64", SETTING)


def is_ping(raw: bytes) -> bool:
    """What a shop posts, unsigned, when a webhook is saved; it keeps the webhook only when that is answered 200."""
    return re.fullmatch(rb"webhook_id=[0-9]{1,20}", raw) is not None


def read(raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    order = document_of(raw)
    status, name = text(order, "status") or "", text(order, "id")
    if not name or "order_key" not in order:
        return Ignored("other_type")
    if any(member in order for member in _SUBSCRIPTION):
        return Ignored("other_type")
    if status in _PENDING:
        return Pending(status, "order")
    if status in _FAILED:
        return Ignored("failed", "order")
    moment = seconds(order, "date_paid_gmt")
    if moment is None or not status:
        return Pending("not_paid", "order")
    meta = pairs(order, "meta_data", "key")
    subscription = text(meta, "_subscription_renewal")
    is_renewal = subscription is not None or order.get("created_via") == "subscription"
    kind = Renewal if is_renewal else Payment
    named = {**order, "meta": meta}
    payment = text(order, "order_key") or name
    own = payment if is_renewal else key(named, *(options.order_key or ORDER_KEY)) or name
    return kind(
        provider="woocommerce",
        webhook_id="",
        payment_id=payment,
        order_key=own,
        money=in_major_units(order.get("total"), text(order, "currency"), CURRENCY_EXPONENTS),
        paid_at=moment,
        also=tuple(one for one in dict.fromkeys((name, text(order, "transaction_id"))) if one and one != own),
        subscription=subscription,
        customer=_customer(order, meta),
        lines=lines_of(members(order, "line_items"), ("product_id", "variation_id", "sku"), "price", "name"),
        context=context_of(
            meta,
            {
                "client_ip_address": text(order, "customer_ip_address"),
                "client_user_agent": text(order, "customer_user_agent"),
                "event_source_url": text(meta, "_wc_order_attribution_session_entry"),
            },
        ),
        refunds=tuple(_refunds(order, payment, own)),
    )


def _customer(order: dict[str, Any], meta: dict[str, Any]) -> Customer:
    customer = text(order, "customer_id")
    return Customer(
        email=text(order, "billing.email"),
        phone=text(order, "billing.phone"),
        first_name=text(order, "billing.first_name"),
        last_name=text(order, "billing.last_name"),
        city=text(order, "billing.city"),
        state=text(order, "billing.state"),
        zip=text(order, "billing.postcode"),
        country=text(order, "billing.country"),
        external_id=text(meta, "external_id") or (customer if customer != "0" else None),
    )


def _refunds(order: dict[str, Any], payment: str, own: str) -> list[Refund]:
    found = []
    for one in members(order, "refunds"):
        amount = decimal_of(one.get("total"))
        if (name := text(one, "id")) and amount is not None:
            money = in_major_units(str(abs(amount)), text(order, "currency"), CURRENCY_EXPONENTS)
            found.append(
                Refund(provider="woocommerce", refund_id=name, payments=(payment,), order_key=own, money=money, at=None)
            )
    return found
