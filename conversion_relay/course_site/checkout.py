"""The demo's stand-in for Stripe Checkout: no card is charged, but the webhook is signed and posted as Stripe does."""

import hashlib

import msgspec

from conversion_relay.course_site.registrations import Registration
from conversion_relay.course_site.site import CourseSite
from conversion_relay.payments.stripe import minor_unit, sign


class Checkout:
    def __init__(self, site: CourseSite, webhook_secret: str) -> None:
        self._site, self._secret = site, webhook_secret

    def deliver_webhook(self, registration: Registration, base_url: str) -> str:
        """POST the event to the site's own endpoint; its message ("paid" or "duplicate"). The same registration gives
        the same event, so a second delivery is what Stripe's redelivery is."""
        import urllib3

        body = self.event(registration)
        headers = {
            "Stripe-Signature": sign(body, self._secret, self._site.clock()),
            "Content-Type": "application/json",
        }
        answer = urllib3.request("POST", f"{base_url}/payment-webhook", body=body, headers=headers, timeout=10.0)
        document = msgspec.json.decode(answer.data)
        return str(document.get("message", document.get("error")))

    def event(self, registration: Registration) -> bytes:
        """https://docs.stripe.com/api/events/types#event_types-checkout.session.completed"""
        course = self._site.courses[registration.course_id]
        name = hashlib.sha256(registration.registration_id.encode()).hexdigest()[:24]
        session = {
            "id": f"cs_test_{name}",
            "object": "checkout.session",
            "client_reference_id": registration.registration_id,
            "amount_total": int(course.price.scaleb(minor_unit(course.currency) or 0)),
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
            "created": int(registration.paid_at or self._site.clock()),
            "livemode": False,
            "data": {"object": session},
        }
        return msgspec.json.encode(event)
