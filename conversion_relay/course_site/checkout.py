"""The demo's stand-in for Stripe Checkout: no card is charged, but the webhook is signed and posted as Stripe does."""

import hashlib
import hmac
from decimal import Decimal

import msgspec

from conversion_relay.course_site.shop import Registration, Shop
from conversion_relay.payments.stripe import EXPONENTS


class Checkout:
    def __init__(self, shop: Shop, webhook_secret: str) -> None:
        self._shop, self._secret = shop, webhook_secret

    def deliver_webhook(self, registration: Registration, base_url: str) -> str:
        """POST the event to the site's own endpoint; its message ("paid" or "duplicate"). The same registration gives
        the same event, so a second delivery is what Stripe's redelivery is."""
        from urllib.error import HTTPError
        from urllib.request import Request, urlopen

        body = self.event(registration)
        headers = {
            "Stripe-Signature": sign(body, self._secret, self._shop.clock()),
            "Content-Type": "application/json",
        }
        request = Request(f"{base_url}/payment-webhook", body, headers)  # noqa: S310 - this site's own address
        try:
            with urlopen(request, timeout=10.0) as answer:  # noqa: S310
                document = msgspec.json.decode(answer.read())
        except HTTPError as error:
            document = msgspec.json.decode(error.read())
        return str(document.get("message", document.get("error")))

    def event(self, registration: Registration) -> bytes:
        """https://docs.stripe.com/api/events/types#event_types-checkout.session.completed"""
        course = self._shop.courses[registration.course_id]
        name = hashlib.sha256(registration.registration_id.encode()).hexdigest()[:24]
        session = {
            "id": f"cs_test_{name}",
            "object": "checkout.session",
            "client_reference_id": registration.registration_id,
            "amount_total": minor_units(course.price, course.currency),
            "currency": course.currency.lower(),
            "payment_status": "paid",
            "status": "complete",
            "mode": "payment",
            "customer_details": {
                "email": registration.email,
                "name": registration.name,
                "phone": registration.phone,
            },
        }
        event = {
            "id": f"evt_{name}",
            "object": "event",
            "type": "checkout.session.completed",
            "created": int(registration.paid_at or self._shop.clock()),
            "livemode": False,
            "data": {"object": session},
        }
        return msgspec.json.encode(event)


def sign(body: bytes, secret: str, now: float) -> str:
    """The Stripe-Signature header that Stripe would send with this body at this time (Unix seconds).

    https://docs.stripe.com/webhooks#verify-manually
    """
    timestamp = str(int(now))
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def minor_units(price: Decimal, currency: str) -> int:
    """A price in Stripe's smallest unit of its currency, however many digits it is written with.

    >>> minor_units(Decimal("299.99"), "USD"), minor_units(Decimal("149"), "EUR"), minor_units(Decimal("12000"), "JPY")
    (29999, 14900, 12000)
    """
    return int(price.scaleb(EXPONENTS[currency]).to_integral_value())
