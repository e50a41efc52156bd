"""What each object of Stripe's says, and in which unit it counts: https://docs.stripe.com/currencies

Which of the kinds is counted, and why only one of them, stands in `stripe.py`.
"""

from decimal import Decimal
from typing import Any

from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.payments import reading
from conversion_relay.payments.notice import (
    Customer,
    Ignored,
    Line,
    Link,
    Mode,
    Money,
    Notice,
    Payment,
    Pending,
    Refund,
    Renewal,
    Trial,
)
from conversion_relay.payments.options import Options
from conversion_relay.payments.reading import at, context_of, in_minor_units, key, members, seconds, text

ORDER_KEY = ("client_reference_id", "metadata.order_id", "metadata.registration_id")
KINDS = ("checkout", "refund")
# Where Stripe's unit differs from ISO 4217's: ISK and UGX are kept at two digits for compatibility, MGA has none.
EXPONENTS = {**CURRENCY_EXPONENTS, "ISK": 2, "UGX": 2, "MGA": 0, "IQD": 2, "LYD": 2, "CLF": 2, "UYW": 2, "UYI": 2}
_PENDING = ("payment_intent.processing", "payment_intent.requires_action", "payment_intent.amount_capturable_updated")
_FAILED = (
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "invoice.payment_failed",
    "charge.failed",
    "refund.failed",
)
# https://docs.stripe.com/api/invoices/object#invoice_object-billing_reason
# The last is of `pending_invoice_item_interval`: what came to a subscription between its periods, on a date of its own.
_LATER = frozenset(
    {
        *("subscription_cycle", "subscription_update", "subscription_threshold", "subscription"),
        "automatic_pending_invoice_item_invoice",
    }
)
_SUBSCRIPTION = ("parent.subscription_details", "subscription_details")


class StripeEvent:
    """One event with its object. Over 150 lines: one short method for each kind of object, over one event."""

    def __init__(self, event: dict[str, Any], thing: dict[str, Any], what: str, mode: Mode, options: Options) -> None:
        self._event, self._thing, self._what, self._mode = event, thing, what, mode
        self._places = options.order_key or ORDER_KEY
        self._kinds = options.kinds or KINDS

    def read(self) -> Notice:
        what = self._what
        if what in ("checkout.session.completed", "checkout.session.async_payment_succeeded"):
            return self._session()
        if what == "payment_intent.succeeded":
            return self._of_kind("payment_intent", self._intent)
        if what in ("invoice.paid", "invoice.payment_succeeded"):  # both tell of one invoice, under its one id
            return self._invoice()
        if what in ("refund.created", "refund.updated", "charge.refund.updated"):
            return self._of_kind("refund", self._refund)
        if what == "charge.refunded":
            return self._of_kind("charge", self._charge)
        if what == "charge.dispute.funds_withdrawn":
            return self._dispute()
        if what == "customer.subscription.created":
            return self._trial()
        if what == "invoice_payment.paid":
            return self._link()
        if what in _PENDING:
            return Pending("processing", what)
        return self._ignored("failed" if what in _FAILED else "other_type")

    def _of_kind(self, kind: str, read: Any) -> Notice:
        found: Notice = read() if kind in self._kinds else self._ignored("other_kind")
        return found

    def _ignored(self, why: str) -> Ignored:
        return Ignored(why, self._what)

    def _session(self) -> Notice:
        session, status = self._thing, text(self._thing, "payment_status")
        if "checkout" not in self._kinds:
            return self._ignored("other_kind")
        if session.get("mode") == "setup":
            return self._ignored("setup")
        if status == "unpaid":
            return Pending("unpaid", self._what)
        if status not in ("paid", "no_payment_required"):
            return self._ignored("odd_shape")
        intent, invoice, subscription = (_id(session, name) for name in ("payment_intent", "invoice", "subscription"))
        paid = (invoice or subscription) if session.get("mode") == "subscription" else intent
        money = self._money("amount_total")
        if status == "no_payment_required" and money.problem == "not_an_amount":
            money = Money(Decimal(0), money.currency)
        return self._paid(
            Payment,
            paid or text(session, "id"),
            money,
            also=(intent, invoice, subscription, text(session, "id")),
            subscription=subscription,
            customer=_customer(session),
            lines=_lines(session, EXPONENTS.get(money.currency, 2)),
        )

    def _intent(self) -> Notice:
        intent, charge = self._thing, at(self._thing, "latest_charge")
        billing = at(charge, "billing_details") or at(intent, "charges.data.0.billing_details")
        person = _person(billing) if isinstance(billing, dict) else _person(intent.get("shipping"))
        email = text(intent, "receipt_email") or person.get("email")
        return self._paid(
            Payment,
            text(intent, "id"),
            self._money("amount_received"),
            also=(_id(intent, "latest_charge"),),
            customer=Customer(**{**person, "email": email}),
        )

    def _invoice(self) -> Notice:
        invoice, reason = self._thing, text(self._thing, "billing_reason") or ""
        subscription = _id(invoice, "subscription") or text(invoice, "parent.subscription_details.subscription")
        # Made by hand for a subscription: no checkout opens such an invoice, and without `invoice` nobody tells of it.
        is_extra = reason == "manual" and subscription is not None and "invoice" not in self._kinds
        kind = Renewal if reason in _LATER or is_extra else Payment
        intent = _id(invoice, "payment_intent") or text(invoice, "payments.data.0.payment.payment_intent")
        if kind is Payment and "invoice" not in self._kinds:
            # Before 2025-03-31 this notice alone says which intent paid for the start of a subscription.
            if reason == "subscription_create" and intent and subscription:
                what, mode = self._what, self._mode
                return Link(provider="stripe", payment=intent, of=subscription, what=what, why="other_kind", mode=mode)
            return self._ignored("other_kind")
        money = self._money("amount_paid")
        if money.amount == 0:
            return self._ignored("free")
        name = text(invoice, "customer_name")
        address = invoice.get("customer_address")
        customer = Customer(
            email=text(invoice, "customer_email"), phone=text(invoice, "customer_phone"), name=name, **_address(address)
        )
        also = (intent, _id(invoice, "charge"), subscription)
        return self._paid(kind, text(invoice, "id"), money, also=also, subscription=subscription, customer=customer)

    def _refund(self) -> Notice:
        if text(self._thing, "status") != "succeeded":
            return self._ignored("refund_not_done")
        known = (_id(self._thing, "payment_intent"), _id(self._thing, "charge"))
        return self._back(text(self._thing, "id"), known, self._money("amount"))

    def _charge(self) -> Notice:
        """Cumulative: what this notice adds is what the refund before it had not reached."""
        total = reading.whole(self._thing, "amount_refunded") or 0
        before = reading.whole(self._event, "data.previous_attributes.amount_refunded") or 0
        known = (_id(self._thing, "payment_intent"), text(self._thing, "id"))
        money = in_minor_units(total - before, text(self._thing, "currency"), EXPONENTS)
        return self._back(f"{text(self._thing, 'id')}_{total}", known, money)

    def _dispute(self) -> Notice:
        known = (_id(self._thing, "payment_intent"), _id(self._thing, "charge"))
        return self._back(text(self._thing, "id"), known, self._money("amount"), "chargeback")

    def _back(self, name: str | None, known: tuple[str | None, ...], money: Money, kind: Any = "refund") -> Notice:
        payments = tuple(one for one in known if one)
        if not name or not payments:
            return self._ignored("odd_shape")
        return Refund(
            provider="stripe",
            refund_id=name,
            payments=payments,
            order_key=key(self._thing, "metadata.order_id"),
            money=money,
            at=seconds(self._thing, "created") or seconds(self._event, "created"),
            kind=kind,
            mode=self._mode,
        )

    def _link(self) -> Notice:
        """Since 2025-03-31 an invoice does not name its payment intent any more, which a refund names alone.
        https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices"""
        kind = text(self._thing, "payment.type") or ""
        payment, invoice = _id(at(self._thing, "payment"), kind), _id(self._thing, "invoice")
        if not payment or not invoice:
            return self._ignored("odd_shape")
        return Link(provider="stripe", payment=payment, of=invoice, what=self._what, mode=self._mode)

    def _trial(self) -> Notice:
        name = text(self._thing, "id")
        if text(self._thing, "status") != "trialing" or not name:
            return self._ignored("other_type")
        return Trial(
            provider="stripe",
            subscription=name,
            order_key=key(self._thing, *self._places) or name,
            at=seconds(self._event, "created"),
            currency=(text(self._thing, "currency") or "").upper() or None,
            customer=Customer(external_id=text(self._thing, "metadata.external_id")),
            context=context_of(self._thing.get("metadata")),
            mode=self._mode,
        )

    def _money(self, name: str) -> Money:
        return in_minor_units(_strictly(self._thing, name), text(self._thing, "currency"), EXPONENTS)

    def _paid(self, kind: Any, name: str | None, money: Money, *, also: tuple[str | None, ...], **rest: Any) -> Notice:
        if not name:
            return self._ignored("odd_shape")
        # An invoice has a copy of what the shop wrote on the subscription; before 2025-03-31 it stood at the top.
        told = [self._thing, *(at(self._thing, place) for place in _SUBSCRIPTION)]
        own = next((named for one in told if (named := key(one, *self._places))), None)
        found: Notice = kind(
            provider="stripe",
            webhook_id=text(self._event, "id") or "",
            payment_id=name,
            order_key=name if kind is Renewal else own or name,
            of_order=own if kind is Renewal else None,
            money=money,
            paid_at=seconds(self._event, "created"),
            also=tuple(dict.fromkeys(one for one in also if one and one != name)),
            context=context_of(*(at(one, "metadata") for one in told)),
            mode=self._mode,
            **rest,
        )
        return found


def _strictly(thing: dict[str, Any], name: str) -> int | None:
    """Stripe writes amounts as numbers; a text is no amount."""
    found = thing.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _id(thing: object, name: str) -> str | None:
    """An id, whether or not the object stands in its place (`expand`)."""
    return text(thing, name, f"{name}.id")


def _customer(session: dict[str, Any]) -> Customer:
    shipping = at(session, "collected_information.shipping_details") or session.get("shipping_details")
    told = _person(session.get("customer_details"))
    delivered = _person(shipping)
    found = {**delivered, **{name: value for name, value in told.items() if value}}
    return Customer(**found, external_id=text(session, "metadata.external_id", "metadata.user_id"))


def _person(details: object) -> dict[str, str | None]:
    found = {name: text(details, name) for name in ("email", "phone")}
    return {**found, "name": _name(details), **_address(at(details, "address"))}


def _name(details: object) -> str | None:
    """Of a person; since 2025-09-30 a checkout may ask for a business, too, whose name is nobody's.
    https://docs.stripe.com/payments/checkout/name-collection"""
    name = text(details, "individual_name", "name")
    return None if name == text(details, "business_name") else name


def _address(address: object) -> dict[str, str | None]:
    return {
        "city": text(address, "city"),
        "state": text(address, "state"),
        "zip": text(address, "postal_code"),
        "country": text(address, "country"),
    }


def _lines(session: dict[str, Any], digits: int) -> tuple[Line, ...]:
    """Where the endpoint's events are expanded, or a thin event was fetched with its items."""
    found = []
    for item in members(session, "line_items.data")[:200]:
        if name := key(item, "price.product", "price.product.id", "price.id", "id"):
            quantity = max(1, reading.whole(item, "quantity") or 1)
            total = reading.whole(item, "amount_total")
            price = None if total is None else (Decimal(total).scaleb(-digits) / quantity)
            found.append(Line(name, quantity, price, text(item, "description")))
    return tuple(found)
