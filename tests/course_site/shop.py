"""A course site over real files, and the requests that its tests send."""

import hashlib
import json

from conversion_relay import RequestFacts
from conversion_relay.course_site.web import SiteAnswer, SiteRequest
from tests.payments.signing import stripe_header

NOW, SECRET, DATASET = 1_795_435_200, "whsec_test", "1232612085335834"
EMAIL = "canary.person@example.org"
DIGEST = hashlib.sha256(EMAIL.encode()).hexdigest()
VISITOR = RequestFacts(
    client_ip_address="8.8.4.4",
    client_user_agent="Mozilla/5.0 (X11)",
    fbp="fb.1.1596403881668.1116446470",
    fbc="fb.1.1554763741205.AbCdEf",
    url="https://courses.example/courses/watercolour",
)
FORM = {"name": "Canaria Personsson", "email": EMAIL, "phone": "+44 20 7946 0958", "course_id": "watercolour"}


def post(endpoint, body, facts: RequestFacts = VISITOR, **headers) -> SiteAnswer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = SiteRequest(
        method="POST",
        body=raw,
        headers={"host": "courses.example"} | named,
        facts=facts,
        url="https://courses.example/x",
    )
    return endpoint(request)


def stored(site) -> dict[str, dict]:
    """Every sealed event by its id, as it will go to Meta."""
    outbox = site.shop.relay.outbox
    lease = outbox.claim(DATASET, 1000, 60, NOW)
    if lease is None:
        return {}
    outbox.settle(lease, [], None, NOW)
    return {event.event_id: json.loads(event.body) for event in lease.events}


def count(site) -> int:
    return sum(book.accepted for book in site.shop.relay.outbox.counts().values())


def register(site, **form) -> str:
    return post(site.register, FORM | form).body["registration_id"]


def webhook(
    site, registration_id, header: str | None = None, kind="checkout.session.completed", **session
) -> SiteAnswer:
    """What the site answers to Stripe's notice; `header`: another signature, "" for none."""
    paid = {
        "id": "cs_1",
        "payment_status": "paid",
        "amount_total": 29999,
        "currency": "usd",
        "client_reference_id": registration_id,
        "customer_details": {"email": "payer@example.org"},
    }
    outer = {name: session.pop(name) for name in ("created", "livemode") if name in session}
    event = {"id": "evt_1", "type": kind, "created": NOW - 9, "data": {"object": paid | session}} | outer
    body = json.dumps(event).encode()
    headers = {} if header == "" else {"stripe_signature": header or stripe_header(body, SECRET, NOW)}
    return post(site.payment_webhook, body, RequestFacts(client_ip_address="54.187.174.169"), **headers)
