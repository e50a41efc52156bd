"""POST /payment-webhook: one Purchase for one payment, however often and however wrongly Stripe's notice comes."""

from concurrent.futures import ThreadPoolExecutor

import apsw
import pytest

from tests.course_site.shop import DIGEST, NOW, VISITOR, count, register, stored, webhook


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
    assert site.shop.registrations.find(registration_id).paid_at == NOW - 9


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
    assert count(site) == 1 and site.shop.registrations.find(registration_id).paid_at is None


def test_when_nothing_can_be_recorded_the_visitor_is_asked_to_try_again_and_a_webhook_comes_again(site, tmp_path):
    registration_id = register(site)
    other = apsw.Connection(f"{tmp_path}/outbox.db")
    other.execute("BEGIN IMMEDIATE")
    try:
        answer = webhook(site, registration_id)
        assert answer.status == 503 and "Retry-After" in answer.headers
        assert site.shop.registrations.find(registration_id).paid_at is None
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert webhook(site, registration_id).body["message"] == "paid"
