"""Lemon Squeezy: https://docs.lemonsqueezy.com/help/webhooks/signing-requests

`X-Signature`: the hex HMAC of the body, with no time in it, so a notice may be replayed for ever: the order's own key
and time make every replay a duplicate. It hears only a 200, and repeats three times within minutes.

The first payment of a subscription comes as `order_created` and as `subscription_payment_success` with
`billing_reason: initial`; the order counts. A recovered payment comes with a success of its own and is not read.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.payments.notice import (
    Context,
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
    decimal_of,
    document_of,
    in_minor_units,
    key,
    seconds,
    text,
    whole,
)
from conversion_relay.payments.signature import body_is_signed, hash_of

HEADER, SETTING = "x-signature", "LEMONSQUEEZY_WEBHOOK_SECRET"
ORDER_KEY = ("meta.custom_data.order_id", "meta.custom_data.order", "meta.custom_data.cart")


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Mode:
    return body_is_signed(raw, headers, HEADER, secrets, "hex", SETTING)


def read(raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    event = document_of(raw)
    what, told = text(event, "meta.event_name") or "", at(event, "data.attributes")
    is_test = at(event, "meta.test_mode") is True or at(event, "data.attributes.test_mode") is True
    mode: Mode = "test" if is_test else "live"
    name = text(event, "data.id")
    if not isinstance(told, dict) or not name:
        return Ignored("other_type" if what else "no_type", what)
    reader = _Notice(event, told, name, what, mode, options)
    if what == "order_created":
        return reader.order()
    if what == "subscription_payment_success":
        return reader.invoice()
    if what == "order_refunded":
        return reader.refund(name)
    if what == "subscription_payment_refunded":
        return reader.refund(f"invoice-{name}")
    if what == "subscription_created":
        return reader.trial()
    return Ignored("failed" if what == "subscription_payment_failed" else "other_type", what)


class _Notice:
    """One event with its attributes."""

    def __init__(
        self, event: dict[str, object], told: dict[str, object], name: str, what: str, mode: Mode, options: Options
    ) -> None:
        self._event, self._told, self._name, self._what, self._mode = event, told, name, what, mode
        self._own = key(event, *(options.order_key or ORDER_KEY))

    def order(self) -> Notice:
        status = text(self._told, "status")
        if status == "pending":
            return Pending("pending", self._what)
        if status not in ("paid", "refunded", "partial_refund"):  # what is refunded by now was paid before
            return Ignored("failed" if status == "failed" else "not_paid", self._what)
        item = at(self._told, "first_order_item")
        product = key(item, "product_id", "variant_id")
        line = (
            Line(product, max(1, whole(item, "quantity") or 1), None, text(item, "product_name")) if product else None
        )
        return Payment(
            provider="lemonsqueezy",
            webhook_id=self._webhook_id(),
            payment_id=self._name,
            order_key=self._own or self._name,
            money=self._money("total"),
            paid_at=seconds(self._told, "created_at"),
            also=tuple(one for one in (text(self._told, "identifier"),) if one),
            customer=self._customer(),
            lines=(line,) if line else (),
            context=self._context(),
            mode=self._mode,
        )

    def invoice(self) -> Notice:
        if text(self._told, "billing_reason") == "initial":
            return Ignored("told_by_order", self._what)
        subscription = text(self._told, "subscription_id")
        return Renewal(
            provider="lemonsqueezy",
            webhook_id=self._webhook_id(),
            payment_id=f"invoice-{self._name}",
            order_key=f"invoice-{self._name}",
            of_order=self._own,
            money=self._money("total"),
            paid_at=seconds(self._told, "created_at"),
            also=(subscription,) if subscription else (),
            subscription=subscription,
            customer=self._customer(),
            context=self._context(),
            mode=self._mode,
        )

    def refund(self, payment: str) -> Notice:
        """Cumulative: the sum that went back so far is part of the id, and of a later notice only the rest is new. The
        notice does not say what went before, so a second part is told with the sum."""
        total = whole(self._told, "refunded_amount")
        if total is None:
            total = whole(self._told, "total")
        return Refund(
            provider="lemonsqueezy",
            refund_id=f"{payment}_{total}",
            payments=(payment,),
            order_key=self._own,
            money=self._unit(total),
            at=seconds(self._told, "refunded_at", "updated_at"),
            mode=self._mode,
        )

    def trial(self) -> Notice:
        if text(self._told, "status") != "on_trial":
            return Ignored("told_by_order", self._what)
        return Trial(
            provider="lemonsqueezy",
            subscription=self._name,
            order_key=self._own or text(self._told, "order_id") or self._name,
            at=seconds(self._told, "created_at"),
            customer=self._customer(),
            context=self._context(),
            mode=self._mode,
        )

    def _money(self, name: str) -> Money:
        return self._unit(whole(self._told, name))

    def _unit(self, amount: int | None) -> Money:
        """ "Cents" of a currency without cents are not documented. The same sum in US cents, at the notice's own rate,
        tells which unit it is in; where it does not, nobody guesses."""
        currency = (text(self._told, "currency") or "").upper()
        digits = CURRENCY_EXPONENTS.get(currency)
        if digits in (2, None) or amount is None:
            return in_minor_units(amount, currency, CURRENCY_EXPONENTS)
        total, in_dollars = whole(self._told, "total"), whole(self._told, "total_usd")
        rate = decimal_of(self._told.get("currency_rate"))
        if not total or not in_dollars or not rate:
            return Money(None, currency, "unit_unknown")
        ratio = Decimal(in_dollars) / (Decimal(total) * rate)
        for unit in (2, digits or 0):
            if abs(ratio / Decimal(10) ** (2 - unit) - 1) < Decimal("0.1"):
                return in_minor_units(amount, currency, {currency: unit})
        return Money(None, currency, "unit_unknown")

    def _customer(self) -> Customer:
        return Customer(
            email=text(self._told, "user_email"),
            name=text(self._told, "user_name"),
            external_id=text(self._event, "meta.custom_data.external_id", "meta.custom_data.user_id"),
        )

    def _context(self) -> Context:
        return context_of(at(self._event, "meta.custom_data"))

    def _webhook_id(self) -> str:
        """A notice has no id of its own."""
        return hash_of(self._what, self._name, self._told.get("updated_at"))
