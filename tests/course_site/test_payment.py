"""POST /payment-webhook: one Purchase for one payment, however often and however wrongly Stripe's notice comes."""

from concurrent.futures import ThreadPoolExecutor

import apsw
import msgspec
import pytest

from conversion_relay import Settings
from conversion_relay.course_site.shop import Shop
from conversion_relay.course_site.site import CourseSite
from tests.course_site.shop import DIGEST, FORM, NOW, SECRET, VISITOR, count, post, register, stored, webhook


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


def test_money_that_comes_days_later_is_a_purchase_then(site):
    registration_id = register(site)
    waits = webhook(site, registration_id, payment_status="unpaid")
    assert (waits.status, waits.body) == (200, {"message": "pending", "reason": "unpaid"})
    assert site.shop.registrations.find(registration_id).paid_at is None and count(site) == 1
    assert webhook(site, registration_id, kind="checkout.session.async_payment_succeeded").body["message"] == "paid"


def test_a_place_that_cost_nothing_is_fulfilled_and_by_default_no_purchase(site):
    registration_id = register(site)
    answer = webhook(site, registration_id, payment_status="no_payment_required", amount_total=0)
    assert (answer.status, answer.body["message"], answer.body["reason"]) == (200, "paid", "free")
    assert site.shop.registrations.find(registration_id).paid_at == NOW - 9 and count(site) == 1


def test_a_place_that_cost_nothing_is_a_purchase_of_zero_where_the_shop_wants_it(site, environment):
    environment["RELAY_FREE_ORDERS"] = "send"
    site.shop.relay.settings = Settings.from_env(environment)
    registration_id = register(site)
    webhook(site, registration_id, payment_status="no_payment_required", amount_total=0)
    assert stored(site)[f"purchase_{registration_id}"]["custom_data"]["value"] == 0


@pytest.mark.parametrize(
    ("how", "reason"),
    [({"currency": "hrx"}, "unknown_currency"), ({"amount_total": "29999"}, "not_an_amount")],
)
def test_money_that_cannot_be_read_is_paid_all_the_same_and_no_purchase(site, how, reason):
    registration_id = register(site)
    answer = webhook(site, registration_id, **how)
    assert (answer.status, answer.body["message"], answer.body["reason"]) == (200, "paid", reason)
    assert site.shop.registrations.find(registration_id).paid_at == NOW - 9 and count(site) == 1


@pytest.mark.parametrize(
    ("how", "message", "reason"),
    [
        ({"kind": "customer.created"}, "ignored", "other_type"),
        ({"mode": "setup"}, "ignored", "setup"),
        ({"client_reference_id": None}, "ignored", "not_ours"),
        ({"client_reference_id": "another-shop-17"}, "ignored", "not_ours"),
        ({"payment_status": "unpaid"}, "pending", "unpaid"),
        ({"payment_status": 5}, "ignored", "odd_shape"),
        ({"livemode": False}, "ignored", "test_payment"),
    ],
)
def test_a_genuine_notice_that_no_repeat_can_mend_is_a_200_with_the_reason(site, how, message, reason):
    registration_id = register(site)
    answer = webhook(site, registration_id, **how)
    assert (answer.status, answer.body["message"], answer.body["reason"]) == (200, message, reason)
    assert count(site) == 1 and site.shop.registrations.find(registration_id).paid_at is None


def test_a_registration_that_is_being_written_now_is_asked_for_again_for_an_hour(site):
    unknown = "0123456789abcdef01234567"
    answer = webhook(site, unknown)
    assert (answer.status, answer.body["error"], answer.headers["Retry-After"]) == (409, "unknown_order", "60")
    assert webhook(site, unknown, created=NOW - 3_601).body["reason"] == "not_ours"


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("", "signature_missing"),
        (f"t={NOW},v1={'0' * 64}", "signature_wrong"),
        ("garbage", "signature_malformed"),
    ],
)
def test_a_forged_notice_is_a_400_and_stores_nothing(site, header, error):
    registration_id = register(site)
    answer = webhook(site, registration_id, header=header)
    assert (answer.status, answer.body["error"], answer.body["field"]) == (400, error, "stripe-signature")
    assert count(site) == 1 and site.shop.registrations.find(registration_id).paid_at is None


def test_a_secret_that_was_changed_is_read_again_but_not_for_every_forged_notice(site):
    reads = []

    def read() -> dict[str, list[str]]:
        reads.append(1)
        return {"stripe": [SECRET]}

    now = [float(NOW)]
    shop = Shop(
        site.shop.relay,
        site.shop.registrations,
        site.shop.mail,
        stripe_secrets=["whsec_old"],
        read_secrets=read,
        clock=lambda: now[0],
    )
    changed = CourseSite(shop)
    assert webhook(changed, register(changed)).body["message"] == "paid"
    for _ in range(5):
        assert webhook(changed, "x", header=f"t={NOW},v1={'0' * 64}").status == 400
    now[0] += 61
    assert webhook(changed, "x", header=f"t={NOW},v1={'0' * 64}").status == 400
    assert len(reads) == 2


def test_a_secret_that_was_read_is_not_forgotten_when_it_cannot_be_read_once_more(site):
    """Anybody can have it looked up, by a forged notice, at the moment in which nobody answers there."""
    kept, now = [{"stripe": [SECRET]}, {}], [float(NOW)]
    shop = Shop(
        site.shop.relay,
        site.shop.registrations,
        site.shop.mail,
        stripe_secrets=["whsec_old"],
        read_secrets=lambda: kept.pop(0),
        clock=lambda: now[0],
    )
    changed = CourseSite(shop)
    assert webhook(changed, register(changed)).body["message"] == "paid"
    now[0] += 61
    assert webhook(changed, "x", header=f"t={NOW},v1={'0' * 64}").status == 400
    assert kept == []
    assert webhook(changed, register(changed, course_id="sourdough")).body["message"] == "paid"


def test_when_nothing_can_be_recorded_the_visitor_is_asked_to_try_again_and_a_webhook_comes_again(site, tmp_path):
    registration_id = register(site)
    other = apsw.Connection(f"{tmp_path}/outbox.db")
    other.set_busy_timeout(20_000)  # a commit just made may still be checkpointing
    other.execute("BEGIN IMMEDIATE")
    try:
        answer = webhook(site, registration_id)
        assert answer.status == 503 and "Retry-After" in answer.headers
        assert site.shop.registrations.find(registration_id).paid_at is None
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert webhook(site, registration_id).body["message"] == "paid"


def test_the_signal_of_the_browser_that_registered_limits_the_purchase_too(site):
    facts = msgspec.structs.replace(VISITOR, gpc=True)
    registration_id = post(site.register, FORM, facts).body["registration_id"]
    assert webhook(site, registration_id).body["message"] == "paid"
    told = {name: event["data_processing_options"] for name, event in stored(site).items()}
    assert told == {f"registration_{registration_id}": ["LDU"], f"purchase_{registration_id}": ["LDU"]}


def test_who_declined_at_the_registration_is_counted_neither_there_nor_at_the_payment(site):
    """Stripe's notice says nothing of a choice; the order does."""
    registration_id = register(site, visitor={"consent": "denied"})
    answer = webhook(site, registration_id)
    assert (answer.status, answer.body) == (200, {"message": "paid"})
    assert site.shop.registrations.find(registration_id).paid_at == NOW - 9 and count(site) == 0


def test_a_test_payment_of_an_order_is_counted_where_the_shop_wants_it(site, environment):
    environment["RELAY_TEST_PAYMENTS"] = "send"
    site.shop.relay.settings = Settings.from_env(environment)
    registration_id = register(site)
    assert webhook(site, registration_id, livemode=False).body["message"] == "paid"
    assert f"purchase_{registration_id}" in stored(site)
