"""Notices as Stripe's pages show them, with invented persons: https://docs.stripe.com/api/events/types"""

from typing import Any

NOW = 1_795_435_200


def event(kind: str, thing: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{kind.replace('.', '')[:20]}",
        "object": "event",
        "api_version": "2026-10-29.basil",
        "created": NOW - 9,
        "type": kind,
        "livemode": True,
        "data": {"object": thing},
        **more,
    }


def session(**more: Any) -> dict[str, Any]:
    return {
        "id": "cs_1",
        "object": "checkout.session",
        "mode": "payment",
        "payment_status": "paid",
        "status": "complete",
        "amount_subtotal": 5_000,
        "amount_total": 4_990,
        "currency": "eur",
        "total_details": {"amount_discount": 500, "amount_shipping": 490, "amount_tax": 797},
        "client_reference_id": "cart-77",
        "customer": "cus_1",
        "customer_details": {
            "email": "Ada.Test@example.com",
            "name": "Ada Test",
            "phone": "+4930123456",
            "address": {"city": "Berlin", "country": "DE", "line1": "Weg 1", "postal_code": "10115", "state": None},
        },
        "payment_intent": "pi_1",
        "invoice": None,
        "subscription": None,
        "metadata": {},
        **more,
    }


def subscription_session(**more: Any) -> dict[str, Any]:
    return session(mode="subscription", payment_intent=None, invoice="in_1", subscription="sub_1", **more)


def intent(**more: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 4_990,
        "amount_received": 4_990,
        "currency": "eur",
        "latest_charge": "ch_1",
        "metadata": {"order_id": "1001"},
        "receipt_email": "ada.test@example.com",
        "shipping": {"name": "Ada Test", "phone": None, "address": {"city": "Berlin", "country": "DE"}},
        "status": "succeeded",
        **more,
    }


def invoice(reason: str, number: str = "in_2", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "object": "invoice",
        "amount_paid": 900,
        "billing_reason": reason,
        "currency": "eur",
        "customer": "cus_1",
        "customer_email": "ada.test@example.com",
        "customer_name": "Ada Test",
        "customer_phone": None,
        "customer_address": {"city": "Berlin", "country": "DE", "postal_code": "10115"},
        "metadata": {},
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1", "metadata": {}}},
        **more,
    }


def refund(**more: Any) -> dict[str, Any]:
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 1_000,
        "currency": "eur",
        "status": "succeeded",
        "created": NOW - 5,
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "metadata": {},
        **more,
    }


def charge(**more: Any) -> dict[str, Any]:
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 4_990,
        "amount_refunded": 1_000,
        "currency": "eur",
        "payment_intent": "pi_1",
        "refunded": False,
        **more,
    }


def thin(kind: str = "v1.checkout.session.completed", url: str = "/v1/checkout/sessions/cs_1") -> dict[str, Any]:
    return {
        "id": "evt_thin",
        "object": "v2.core.event",
        "type": kind,
        "created": "2026-11-23T10:39:51.000Z",
        "livemode": True,
        "related_object": {"id": "cs_1", "type": "checkout.session", "url": url},
    }
