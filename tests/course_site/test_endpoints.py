"""The four endpoints over real files: what they answer, what they store, and what becomes of it."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from urllib.parse import urlencode

import apsw
import pytest

from conversion_relay import Relay, RequestFacts, Settings
from conversion_relay.course_site.mail import FileMail
from conversion_relay.course_site.registrations import SqliteRegistrations
from conversion_relay.course_site.site import CourseSite
from conversion_relay.course_site.web import SiteAnswer, SiteRequest
from conversion_relay.payments.stripe import sign

NOW, SECRET = 1_795_435_200, "whsec_test"
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


@pytest.fixture
def site(tmp_path):
    settings = Settings.from_env(
        {
            "META_PIXEL_ID": "1232612085335834",
            "META_ACCESS_TOKEN": "EAAcanary",
            "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db",
            "RELAY_ALLOWED_ORIGINS": "https://courses.example",
        }
    )
    with Relay(settings, clock=lambda: NOW) as relay:
        registrations = SqliteRegistrations(tmp_path / "registrations.db")
        yield CourseSite(relay, registrations, FileMail(tmp_path / "mail"), stripe_secrets=[SECRET], clock=lambda: NOW)


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
    lease = site.relay.outbox.claim("1232612085335834", 1000, 60, NOW)
    if lease is None:
        return {}
    site.relay.outbox.settle(lease, [], None, NOW)
    return {event.event_id: json.loads(event.body) for event in lease.events}


def count(site) -> int:
    return sum(book.accepted for book in site.relay.outbox.counts().values())


def webhook(
    site, registration_id, header: str | None = None, kind="checkout.session.completed", **session
) -> SiteAnswer:
    paid = {
        "id": "cs_1",
        "payment_status": "paid",
        "amount_total": 29999,
        "currency": "usd",
        "client_reference_id": registration_id,
        "customer_details": {"email": "payer@example.org"},
    }
    body = json.dumps({"id": "evt_1", "type": kind, "created": NOW - 9, "data": {"object": paid | session}}).encode()
    headers = {} if header == "" else {"stripe_signature": header or sign(body, SECRET, NOW)}
    return post(site.payment_webhook, body, RequestFacts(client_ip_address="54.187.174.169"), **headers)


def register(site, **form) -> str:
    return post(site.register, FORM | form).body["registration_id"]


def test_registering_stores_the_visit_and_tracks_complete_registration(site):
    answer = post(site.register, FORM | {"level": "beginner"})
    registration_id = answer.body["registration_id"]
    assert answer.status == 200 and answer.body["event_id"] == f"registration_{registration_id}"
    kept = site.registrations.find(registration_id)
    assert (kept.client_ip_address, kept.client_user_agent, kept.fbp, kept.fbc, kept.url) == (
        VISITOR.client_ip_address, VISITOR.client_user_agent, VISITOR.fbp, VISITOR.fbc, VISITOR.url
    )  # fmt: skip
    assert kept.fields == {"level": "beginner"} and kept.paid_at is None
    event = stored(site)[f"registration_{registration_id}"]
    assert (event["event_name"], event["event_source_url"]) == ("CompleteRegistration", VISITOR.url)
    assert event["user_data"]["em"] == [DIGEST] and event["user_data"]["fbc"] == VISITOR.fbc
    assert event["custom_data"]["content_name"] == "Watercolour Landscapes"


def test_the_purchase_of_a_webhook_carries_the_visit_of_the_registration(site):
    registration_id = register(site)
    answer = webhook(site, registration_id)
    assert (answer.status, answer.body) == (200, {"message": "paid", "event_id": f"purchase_{registration_id}"})
    event = stored(site)[f"purchase_{registration_id}"]
    assert event["event_name"] == "Purchase" and event["event_time"] == NOW - 9
    assert event["event_source_url"] == VISITOR.url
    assert event["user_data"]["client_ip_address"] == "8.8.4.4"
    assert event["user_data"]["client_user_agent"] == "Mozilla/5.0 (X11)"
    assert (event["user_data"]["fbp"], event["user_data"]["fbc"]) == (VISITOR.fbp, VISITOR.fbc)
    assert event["user_data"]["em"] == [DIGEST]
    assert (event["custom_data"]["value"], event["custom_data"]["currency"]) == (299.99, "USD")
    assert site.registrations.find(registration_id).paid_at == NOW - 9


@pytest.mark.parametrize(
    ("currency", "minor", "value"), [("jpy", 12000, 12000), ("kwd", 1234, 1.234), ("eur", 1, 0.01)]
)
def test_the_amount_is_in_the_currencys_minor_unit(site, currency, minor, value):
    registration_id = register(site)
    assert webhook(site, registration_id, currency=currency, amount_total=minor).status == 200
    custom = stored(site)[f"purchase_{registration_id}"]["custom_data"]
    assert (custom["value"], custom["currency"]) == (value, currency.upper())


def test_fifty_deliveries_of_one_webhook_at_once_are_one_purchase(site):
    registration_id = register(site)
    with ThreadPoolExecutor(16) as stripe:
        answers = list(stripe.map(lambda _: webhook(site, registration_id), range(50)))
    assert {answer.status for answer in answers} == {200}
    assert [answer.body["message"] for answer in answers].count("paid") == 1
    assert count(site) == 2


def test_money_that_comes_days_later_is_a_purchase_too(site):
    registration_id = register(site)
    assert webhook(site, registration_id, payment_status="unpaid").status == 400
    assert webhook(site, registration_id, kind="checkout.session.async_payment_succeeded").body["message"] == "paid"


def test_a_webhook_about_something_else_is_answered_and_forgotten(site):
    assert webhook(site, "whatever", kind="customer.created").body == {"message": "ignored"}
    assert count(site) == 0


@pytest.mark.parametrize(
    ("how", "status", "error", "field"),
    [
        ({"payment_status": "unpaid"}, 400, "not_paid", "data.object.payment_status"),
        ({"header": ""}, 400, "signature_missing", "stripe-signature"),
        ({"header": f"t={NOW},v1={'0' * 64}"}, 400, "signature_wrong", "stripe-signature"),
        ({"header": "garbage"}, 400, "signature_malformed", "stripe-signature"),
        ({"client_reference_id": None}, 400, "missing_field", "data.object.client_reference_id"),
        ({"client_reference_id": "nobody"}, 404, "unknown_registration", "data.object.client_reference_id"),
        ({"amount_total": "29999"}, 400, "wrong_type", "data.object.amount_total"),
        ({"currency": "xyz"}, 400, "not_a_currency", "data.object.currency"),
        ({"payment_status": 5}, 400, "wrong_type", "data.object.payment_status"),
    ],
)
def test_a_webhook_that_is_not_right_names_the_field_and_stores_nothing(site, how, status, error, field):
    registration_id = register(site)
    answer = webhook(site, registration_id, **how)
    assert (answer.status, answer.body["error"], answer.body["field"]) == (status, error, field)
    assert count(site) == 1 and site.registrations.find(registration_id).paid_at is None


def test_registering_again_replaces_while_unpaid_and_is_refused_when_paid(site):
    first = register(site, phone="111 111 1112")
    second = register(site, email=EMAIL.upper())
    assert first != second
    assert site.registrations.find(first).phone == FORM["phone"], "the newest form counts"
    assert webhook(site, first).body["message"] == "paid", "the checkout of the first form was still open"
    answer = post(site.register, FORM)
    assert (answer.status, answer.body["error"], answer.body["field"]) == (400, "email_already_registered", "email")
    assert post(site.register, FORM | {"course_id": "sourdough"}).status == 200


@pytest.mark.parametrize("field", ["name", "email", "course_id"])
@pytest.mark.parametrize("value", [None, "", "   ", 5, ["x"], {"a": 1}])
def test_registering_without_a_field_names_it(site, field, value):
    form = {name: given for name, given in (FORM | {field: value}).items() if value is not None or name != field}
    answer = post(site.register, form)
    assert (answer.status, answer.body["field"]) == (400, field)
    assert count(site) == 0


def test_contact_sends_the_mail_and_tracks_under_the_digest(site, tmp_path):
    answer = post(site.contact, {"name": "Canaria Personsson", "email": EMAIL, "message": "Brushes?", "mobile": "123"})
    assert answer.body == {"message": "sent", "event_id": f"contact_{DIGEST}_{NOW}"}
    (file,) = (tmp_path / "mail").iterdir()
    mail = message_from_bytes(file.read_bytes())
    assert mail["Reply-To"] == EMAIL and "Brushes?" in mail.get_payload()
    event = stored(site)[f"contact_{DIGEST}_{NOW}"]
    assert event["event_name"] == "Contact" and event["user_data"]["em"] == [DIGEST]


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"email": EMAIL, "message": "x"}, "name"),
        ({"name": "A", "message": "x"}, "email"),
        ({"name": "A", "email": "not an address", "message": "x"}, "email"),
        ({"name": "A", "email": "a@b.example\r\nBcc: c@d.example", "message": "x"}, "email"),
        ({"name": "A", "email": EMAIL}, "message"),
        ({"name": "A", "email": EMAIL, "message": " "}, "message"),
        ({"name": "A", "email": EMAIL, "message": "x", "colour": "red"}, "colour"),
        ({"name": "A", "email": EMAIL, "message": ["x"]}, "message"),
        ({"name": "A", "email": EMAIL, "message": "x" * 5001}, "message"),
    ],
)
def test_contact_names_what_is_missing_and_sends_no_mail(site, tmp_path, form, field):
    answer = post(site.contact, form)
    assert (answer.status, answer.body["field"]) == (400, field)
    assert "canary" not in json.dumps(answer.body)
    assert count(site) == 0 and not (tmp_path / "mail").exists()


@pytest.mark.parametrize("endpoint", ["register", "contact", "view_content"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null", b'"x"', b"[" * 50_000, b"{" * 50_000])
def test_an_unreadable_body_is_a_400(site, endpoint, body):
    answer = post(getattr(site, endpoint), body)
    assert (answer.status, answer.body["field"]) == (400, "body")
    assert count(site) == 0


def test_a_body_too_large_is_a_413(site):
    assert post(site.register, b" " * 70_000).status == 413


def test_view_content_of_a_beacon_is_tracked_under_the_pages_id(site):
    event_id = "01900000-0000-7000-8000-000000000001"
    body = {
        "user_data": {"email": EMAIL},
        "content_data": {"content_name": "Watercolour", "content_category": "painting"},
        "event_id": event_id,
    }
    answer = post(site.view_content, body, content_type="text/plain;charset=UTF-8")
    assert (answer.status, answer.body["event_id"]) == (200, event_id)
    event = stored(site)[event_id]
    assert event["event_source_url"] == VISITOR.url, "the url falls back to the Referer"
    assert event["user_data"]["client_user_agent"] == "Mozilla/5.0 (X11)"
    assert event["custom_data"] == {"content_name": "Watercolour", "content_category": "painting"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "content_data"),
        ({"content_data": {}}, "content_data.content_name"),
        ({"content_data": {"content_name": 5}}, "content_data.content_name"),
        ({"content_data": {"content_name": " "}}, "content_data.content_name"),
        ({"content_data": {"content_name": "x", "price": 1}}, "content_data.price"),
        ({"content_data": {"content_name": "x"}, "user_data": {"phone": "1"}}, "user_data.phone"),
        ({"content_data": {"content_name": "x"}, "event_id": 5}, "event_id"),
        ({"content_data": {"content_name": "x"}, "event_source_url": []}, "event_source_url"),
    ],
)
def test_view_content_names_the_field(site, body, field):
    answer = post(site.view_content, body)
    assert (answer.status, answer.body["field"]) == (400, field)
    assert count(site) == 0


def test_a_visitor_without_cookies_gets_the_browser_id_that_the_event_carries(site):
    answer = post(site.register, FORM, RequestFacts(client_user_agent="Mozilla/5.0"))
    (cookie,) = answer.cookies
    (event,) = stored(site).values()
    assert cookie.startswith(f"_fbp={event['user_data']['fbp']}; ") and "HttpOnly" not in cookie
    assert post(site.register, FORM, RequestFacts(gpc=True)).cookies == ()


def test_a_classic_form_works_too(site):
    answer = post(site.register, urlencode(FORM).encode(), content_type="application/x-www-form-urlencoded")
    assert answer.status == 200


def test_another_sites_page_may_not_post_here(site):
    assert post(site.register, FORM, origin="https://evil.example").status == 403
    assert post(site.register, FORM, origin="https://courses.example").headers["Access-Control-Allow-Origin"]
    preflight = site.register(SiteRequest(method="OPTIONS", headers={"origin": "https://courses.example"}))
    assert preflight.status == 204 and "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert site.register(SiteRequest(method="GET")).status == 405


def test_when_nothing_can_be_recorded_the_visitor_is_asked_to_try_again_and_a_webhook_comes_again(site, tmp_path):
    registration_id = register(site)
    other = apsw.Connection(f"{tmp_path}/outbox.db")
    other.execute("BEGIN IMMEDIATE")
    try:
        answer = webhook(site, registration_id)
        assert answer.status == 503 and "Retry-After" in answer.headers
        assert site.registrations.find(registration_id).paid_at is None
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert webhook(site, registration_id).body["message"] == "paid"


def test_nobody_is_in_the_outbox_or_in_an_id(site, tmp_path):
    webhook(site, register(site))
    post(site.contact, {"name": "Canaria Personsson", "email": EMAIL, "message": "hello"})
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("outbox.db*") if path.is_file()).lower()
    assert DIGEST.encode() in kept
    assert [c for c in (b"canary", b"canaria", b"personsson", b"7946", b"payer@") if c in kept] == []
