"""Square: https://developer.squareup.com/docs/webhooks/step3validate

`x-square-hmacsha256-signature`: the base64 HMAC of the notification URL and the body, with no separator. The URL is the
one that is written at Square, to the letter, and so it is a setting (SQUARE_WEBHOOK_URL): behind a proxy nobody could
build it again. The older `x-square-signature` (SHA-1) is not read.

A payment is counted once it is COMPLETED, under its own id. Square counts every currency in its smallest unit.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from conversion_relay.meta.customer_information import CURRENCY_EXPONENTS
from conversion_relay.payments.notice import Customer, Ignored, Mode, Notice, Payment, Pending, Refund
from conversion_relay.payments.options import NO_OPTIONS, Options
from conversion_relay.payments.reading import at, context_of, document_of, in_minor_units, key, seconds, text, whole
from conversion_relay.payments.signature import missing, mode_among, mode_of, signed_in, wrong

HEADER, SETTING = "x-square-hmacsha256-signature", "SQUARE_WEBHOOK_SECRET"
ORDER_KEY = ("reference_id",)


def verify(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Mode:
    """`secrets`: each "ADDRESS KEY", since every subscription has both of its own."""
    given = headers.get(HEADER)
    if not given:
        raise missing(HEADER)
    modes = set[Mode]()
    for secret in secrets:
        mode, both = mode_of(secret)
        url, _, made = both.rpartition(" ")
        if url and signed_in(url.encode() + raw, [given.strip()], [made], "base64"):
            modes.add(mode)
    found = mode_among(modes)
    if found is None:
        raise wrong(HEADER, f"{SETTING} and SQUARE_WEBHOOK_URL")
    return found


def read(raw: bytes, options: Options = NO_OPTIONS) -> Notice:
    event = document_of(raw)
    what = text(event, "type") or ""
    if what in ("payment.created", "payment.updated"):
        return _payment(event, at(event, "data.object.payment"), what, options)
    if what in ("refund.created", "refund.updated"):
        return _back(at(event, "data.object.refund"), what)
    if what in ("dispute.created", "dispute.state.updated", "dispute.state.changed"):
        return _dispute(at(event, "data.object.dispute"), what)
    return Ignored("other_type" if what else "no_type", what)


def _payment(event: dict[str, Any], payment: object, what: str, options: Options) -> Notice:
    name, status = text(payment, "id"), text(payment, "status")
    if not name:
        return Ignored("odd_shape", what)
    if status in ("APPROVED", "PENDING"):
        return Pending(status.lower(), what)
    if status != "COMPLETED":
        return Ignored("failed" if status in ("FAILED", "CANCELED") else "odd_shape", what)
    return Payment(
        provider="square",
        webhook_id=text(event, "event_id") or "",
        payment_id=name,
        order_key=key(payment, *(options.order_key or ORDER_KEY)) or name,
        money=in_minor_units(
            whole(payment, "total_money.amount"), text(payment, "total_money.currency"), CURRENCY_EXPONENTS
        ),
        paid_at=seconds(payment, "created_at") or seconds(event, "created_at"),
        also=tuple(one for one in (text(payment, "order_id"),) if one),
        customer=Customer(
            email=text(payment, "buyer_email_address"),
            first_name=text(payment, "billing_address.first_name"),
            last_name=text(payment, "billing_address.last_name"),
            city=text(payment, "billing_address.locality"),
            state=text(payment, "billing_address.administrative_district_level_1"),
            zip=text(payment, "billing_address.postal_code"),
            country=text(payment, "billing_address.country"),
            external_id=text(payment, "customer_id"),
        ),
        context=context_of(at(payment, "reference_id"), at(payment, "note")),
    )


def _back(refund: object, what: str) -> Notice:
    if text(refund, "status") != "COMPLETED":
        return Ignored("refund_not_done", what)
    return _refund(refund, what, text(refund, "payment_id"), "refund")


def _dispute(dispute: object, what: str) -> Notice:
    """An inquiry takes no money back, and neither does a dispute that is not lost."""
    if text(dispute, "state") not in ("LOST", "ACCEPTED"):
        return Ignored("other_type", what)
    return _refund(dispute, what, text(dispute, "disputed_payment.payment_id", "payment_id"), "chargeback")


def _refund(thing: object, what: str, payment: str | None, kind: Any) -> Notice:
    name = text(thing, "id", "dispute_id")
    if not name or not payment:
        return Ignored("odd_shape", what)
    return Refund(
        provider="square",
        refund_id=name,
        payments=(payment,),
        money=in_minor_units(
            whole(thing, "amount_money.amount"), text(thing, "amount_money.currency"), CURRENCY_EXPONENTS
        ),
        at=None if kind == "chargeback" else seconds(thing, "created_at"),  # lost weeks after it was opened
        kind=kind,
    )
