"""Razorpay: https://razorpay.com/docs/webhooks/validate-test/

`X-Razorpay-Signature`: the hex HMAC of the body with the *webhook's* secret, which is not the API key's. Retries of
older events keep an older secret, so both stay configured for a day. Live and test are two webhooks with two secrets.

One payment comes as `payment.captured`, `order.paid`, and perhaps `invoice.paid`, `payment_link.paid` or
`subscription.charged`. All of them hold the same payment, and its id is their key; the order's key is looked up in all
that the notice holds. Where it is in the order's notes only, use one kind of notice, or put it into the payment's, too.
A subscription's charges are told by `subscription.charged`, which alone knows their number: counted under
`payment.captured` as well, each renewal would be two.
"""

from collections.abc import Mapping, Sequence

from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.payments.notice import Customer, Ignored, Mode, Notice, Payment, Pending, Refund, Renewal, Trial
from conversion_relay.payments.options import NO_OPTIONS, Options
from conversion_relay.payments.reading import at, context_of, document_of, in_minor_units, key, seconds, text, whole
from conversion_relay.payments.signature import body_is_signed, hash_of

HEADER, SETTING = "x-razorpay-signature", "RAZORPAY_WEBHOOK_SECRET"
ORDER_KEY = ("payment.entity.notes.order_id",)
TRIAL_KEY = ("subscription.entity.notes.order_id",)
# https://razorpay.com/docs/payments/international-payments/: ISK and UGX have no digits here, and MGA has two.
EXPONENTS = {**CURRENCY_EXPONENTS, "ISK": 0, "UGX": 0}
_PAID = ("payment.captured", "order.paid", "invoice.paid", "payment_link.paid", "subscription.charged")
_LOST = ("payment.dispute.lost",)


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Mode:
    return body_is_signed(raw, headers, HEADER, secrets, "hex", SETTING)


def read(raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    event = document_of(raw)
    what, payload = text(event, "event") or "", event.get("payload")
    if not isinstance(payload, dict):
        return Ignored("other_type" if what else "no_type", what)
    if what in _PAID:
        return _payment(event, payload, what, options)
    if what == "payment.authorized":
        return Pending("authorized", what)
    if what == "refund.processed":
        return _refund(payload, what, "refund", options)
    if what in _LOST:
        return _refund(payload, what, "dispute", options)
    if what == "subscription.authenticated":
        return _trial(event, payload, what, options)
    return Ignored("failed" if what in ("payment.failed", "refund.failed") else "other_type", what)


def _payment(event: dict[str, object], payload: dict[str, object], what: str, options: Options) -> Notice:
    payment = at(payload, "payment.entity")
    name, subscription = text(payment, "id"), text(payload, "subscription.entity.id")
    if not name:
        return Ignored("odd_shape", what)
    if at(payment, "captured") not in (True, "1", 1) and text(payment, "status") != "captured":
        return Pending("not_captured", what)
    if what != "subscription.charged" and _is_of_subscription(payload):
        return Ignored("told_by_subscription", what)
    is_renewal = subscription is not None and (whole(payload, "subscription.entity.paid_count") or 1) > 1
    # The kinds hold different things beside the payment. What only one of them holds cannot be the default key, or the
    # others would count the payment under another one.
    own = key(payload, *(options.order_key or ORDER_KEY))
    kind = Renewal if is_renewal else Payment
    return kind(
        provider="razorpay",
        webhook_id=hash_of(what, name, event.get("created_at")),
        payment_id=name,
        order_key=name if is_renewal else own or name,
        of_order=own if is_renewal else None,
        money=in_minor_units(whole(payment, "amount"), text(payment, "currency"), EXPONENTS),
        paid_at=seconds(payment, "created_at") or seconds(event, "created_at"),
        also=tuple(one for one in (text(payment, "order_id"), subscription) if one),
        subscription=subscription,
        customer=Customer(
            email=_email(payment),
            phone=text(payment, "contact"),
            external_id=text(payment, "notes.external_id", "notes.user_id"),
        ),
        context=context_of(at(payment, "notes"), at(payload, "order.entity.notes")),
    )


def _email(payment: object) -> str | None:
    """Razorpay fills in an address of its own where the buyer gave none: it would match everybody with everybody."""
    found = text(payment, "email")
    return None if found and found.lower() == "void@razorpay.com" else found


def _is_of_subscription(payload: dict[str, object]) -> bool:
    """Whether `subscription.charged` tells of this payment, too. The payment itself names its invoice alone, and what
    Razorpay writes when it charges by itself."""
    charged = (text(payload, "payment.entity.description") or "").lower() == "recurring payment via subscription"
    return charged or text(payload, "payment.entity.subscription_id", "invoice.entity.subscription_id") is not None


def _refund(payload: dict[str, object], what: str, kind: str, options: Options) -> Notice:
    name = text(payload, f"{kind}.entity.id")
    payment = text(payload, f"{kind}.entity.payment_id", "payment.entity.id")
    if not name or not payment:
        return Ignored("odd_shape", what)
    currency = text(payload, f"{kind}.entity.currency", "payment.entity.currency")
    return Refund(
        provider="razorpay",
        refund_id=name,
        payments=(payment,),
        order_key=key(payload, *(options.order_key or ORDER_KEY)),
        money=in_minor_units(whole(payload, f"{kind}.entity.amount"), currency, EXPONENTS),
        at=None if kind == "dispute" else seconds(payload, f"{kind}.entity.created_at"),  # lost weeks after it began
        kind="chargeback" if kind == "dispute" else "refund",
    )


def _trial(event: dict[str, object], payload: dict[str, object], what: str, options: Options) -> Notice:
    """Authenticated, and its first charge lies in the future."""
    entity = at(payload, "subscription.entity")
    name, begins, told = text(entity, "id"), seconds(entity, "start_at", "charge_at"), seconds(event, "created_at")
    if not name or begins is None or told is None or begins <= told or whole(entity, "paid_count"):
        return Ignored("other_type", what)
    return Trial(
        provider="razorpay",
        subscription=name,
        order_key=key(payload, *(options.order_key or TRIAL_KEY)) or name,
        at=told,
        customer=Customer(external_id=text(entity, "notes.external_id", "customer_id")),
        context=context_of(at(entity, "notes")),
    )
