"""What a provider is answered, and which event comes of its notice: one for each payment, whatever comes how often."""

import itertools
import json
import logging
from concurrent.futures import ThreadPoolExecutor

import apsw
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversion_relay import RequestFacts
from tests.payments import stripe_notices as notices
from tests.payments.signing import stripe_header
from tests.webhooks.shop import NOW, SECRET, open_shop

VISIT = RequestFacts(
    client_ip_address="8.8.4.4",
    client_user_agent="Mozilla/5.0 (X11)",
    fbp="fb.1.1596403881668.1116446470",
    fbc=f"fb.1.{NOW * 1000 - 9_000}.AbCdEf",
    url="https://shop.example/thanks",
)
COMPLETED = "checkout.session.completed"


@pytest.fixture
def shop(tmp_path):
    with open_shop(tmp_path) as opened:
        yield opened


def test_a_payment_is_one_purchase_with_the_visit_that_was_remembered_for_its_order(shop):
    shop.relay.remember("cart-77", VISIT, "granted")
    answer = shop.stripe(COMPLETED, notices.session())
    assert (answer.status, answer.body) == (200, {"message": "accepted", "event_id": "purchase_cart-77"})
    event = shop.events()["purchase_cart-77"]
    assert (event["event_name"], event["action_source"], event["event_time"]) == ("Purchase", "website", NOW - 9)
    assert event["event_source_url"] == VISIT.url
    assert {event["user_data"][name] for name in ("fbp", "fbc", "client_ip_address")} == {
        VISIT.fbp, VISIT.fbc, VISIT.client_ip_address
    }  # fmt: skip
    assert event["custom_data"] == {"value": 49.9, "currency": "EUR", "order_id": "cart-77"}
    assert {"em", "ph", "fn", "ln", "ct", "zp", "country"} <= event["user_data"].keys()
    assert "example.com" not in json.dumps(event)


@pytest.mark.parametrize("key", ["pi_1", "Ada.Test@example.com", "u-1"])
def test_the_visit_is_also_found_under_the_payment_the_address_or_the_shops_own_customer(shop, key):
    shop.relay.remember(key, VISIT)
    shop.stripe(COMPLETED, notices.session(metadata={"external_id": "u-1"}))
    assert shop.events()["purchase_cart-77"]["user_data"]["fbp"] == VISIT.fbp


def test_without_a_visit_nobody_claims_that_it_was_a_page(shop):
    shop.stripe(COMPLETED, notices.session())
    event = shop.events()["purchase_cart-77"]
    assert event["action_source"] == "other" and "event_source_url" not in event


def test_a_visit_is_known_for_ninety_days_to_who_agreed_and_for_seven_else(shop):
    shop.relay.remember("old", VISIT, "granted")
    shop.relay.remember("older", VISIT)
    shop.now += 30 * 86_400
    for key in ("old", "older"):
        session = notices.session(id=f"cs_{key}", payment_intent=f"pi_{key}", client_reference_id=key)
        shop.stripe(COMPLETED, session, created=int(shop.now) - 9)
    events = shop.events()
    assert events["purchase_old"]["user_data"].get("fbp") == VISIT.fbp
    assert "fbp" not in events["purchase_older"]["user_data"]


def test_who_declined_is_not_counted_and_the_provider_is_content(shop):
    answer = shop.stripe(COMPLETED, notices.session(metadata={"consent": "denied"}))
    assert (answer.status, answer.body) == (200, {"message": "withheld"})
    assert shop.events() == {}


def test_who_declined_on_the_page_is_not_counted_though_the_provider_knows_nothing_of_it(shop):
    shop.relay.remember("cart-77", VISIT, "granted")
    assert shop.relay.remember("cart-77", VISIT, "denied") is False
    assert shop.stripe(COMPLETED, notices.session()).body == {"message": "withheld"}
    assert shop.events() == {}


def test_a_refusal_under_any_of_the_keys_of_a_payment_counts(shop):
    shop.relay.remember("cart-77", VISIT, "granted")
    shop.relay.remember("u-1", VISIT, "denied")
    assert shop.stripe(COMPLETED, notices.session(metadata={"external_id": "u-1"})).body == {"message": "withheld"}


def test_the_browsers_opt_out_goes_with_the_visit_to_the_payment(shop):
    """GPC is heard where the page was; the provider's notice has no such header."""
    shop.relay.remember("cart-77", msgspec.structs.replace(VISIT, gpc=True), "granted")
    shop.stripe(COMPLETED, notices.session())
    assert shop.events()["purchase_cart-77"]["data_processing_options"] == ["LDU"]


def test_a_hundred_copies_at_once_are_one_event(shop):
    with ThreadPoolExecutor(20) as stripe:
        answers = list(stripe.map(lambda _: shop.stripe(COMPLETED, notices.session()), range(100)))
    assert {answer.status for answer in answers} == {200}
    assert [answer.body["message"] for answer in answers].count("accepted") == 1
    assert list(shop.events()) == ["purchase_cart-77"]


@pytest.mark.parametrize(
    ("kind", "thing", "more", "message", "reason"),
    [
        (COMPLETED, notices.session(payment_status="unpaid"), {}, "pending", "unpaid"),
        (COMPLETED, notices.session(currency="hrx"), {}, "ignored", "unknown_currency"),
        (COMPLETED, notices.session(amount_total=0), {}, "ignored", "free"),
        (COMPLETED, notices.session(), {"livemode": False}, "ignored", "test_payment"),
        (COMPLETED, notices.session(), {"created": NOW - 9 * 86_400}, "ignored", "event_time_too_old"),
        ("payment_intent.succeeded", notices.intent(), {}, "ignored", "other_kind"),
        ("customer.created", {"name": 5}, {}, "ignored", "other_type"),
        ("refund.created", notices.refund(), {}, "ignored", "refunds_ignored"),
    ],
)
def test_what_a_repeat_cannot_mend_is_a_200_with_its_reason_counted_and_logged(
    shop, caplog, kind, thing, more, message, reason
):
    caplog.set_level(logging.INFO, "conversion_relay")
    answer = shop.stripe(kind, thing, **more)
    assert (answer.status, answer.body["message"], answer.body["reason"]) == (200, message, reason)
    assert shop.reasons() == {reason: 1} and shop.events() == {}
    told = [(getattr(record, "provider", None), getattr(record, "reason", None)) for record in caplog.records]
    assert ("stripe", reason) in told, "a shop with two providers must know whose notice it was"


def test_three_products_on_one_account_are_all_answered_with_a_200(shop):
    for number, key in enumerate(["cart-77", None, "shop-b/9", "x" * 5_000, "ünï", " ", 5, ["a"], {"b": 1}]):
        answer = shop.stripe(COMPLETED, notices.session(client_reference_id=key, payment_intent=f"pi_{number}"))
        assert answer.status == 200, key
    assert len(shop.events()) == 9


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "signature_missing"),
        ({"stripe-signature": "t=1,v1=é"}, "signature_wrong"),
        ({"stripe-signature": stripe_header(b"{}", "whsec_other", NOW)}, "signature_wrong"),
        ({"stripe-signature": stripe_header(b"{}", SECRET, NOW - 301)}, "signature_too_old"),
    ],
)
def test_what_is_not_the_providers_is_a_400_and_no_word_of_a_secret(shop, caplog, headers, reason):
    answer = shop.webhooks.answer("stripe", b"{}", headers)
    assert (answer.status, answer.body["reason"]) == (400, reason)
    assert SECRET not in caplog.text + repr(answer) + repr(shop.relay.settings)


def test_a_genuine_notice_that_is_no_json_is_unreadable(shop):
    answer = shop.signed(b"{")
    assert (answer.status, answer.body["reason"]) == (400, "unreadable")


def test_a_megabyte_of_anything_is_too_long(shop):
    assert shop.signed(b" " * 1_048_577).status == 413


@pytest.mark.parametrize(
    ("provider", "reason"), [("nobody", "unknown_provider"), ("", "unknown_provider"), ("../x", "unknown_provider")]
)
def test_another_name_is_a_404_that_says_which_there_are(shop, provider, reason):
    answer = shop.webhooks.answer(provider, b"{}", {})
    assert (answer.status, answer.body["reason"]) == (404, reason) and "stripe" in answer.body["message"]


def test_a_provider_without_a_secret_is_a_404_that_names_the_setting(tmp_path):
    with open_shop(tmp_path, STRIPE_WEBHOOK_SECRET="") as shop:
        answer = shop.webhooks.answer("stripe", b"{}", {})
    assert (answer.status, answer.body["reason"]) == (404, "not_configured")
    assert "STRIPE_WEBHOOK_SECRET" in answer.body["message"]


def test_while_nothing_can_be_stored_the_notice_is_asked_for_again(shop, tmp_path):
    shop.stripe(COMPLETED, notices.session(client_reference_id="first", payment_intent="pi_first"))
    other = apsw.Connection(f"{tmp_path}/outbox.db")
    other.set_busy_timeout(20_000)  # a commit just made may still be checkpointing
    other.execute("BEGIN IMMEDIATE")
    try:
        answer = shop.stripe(COMPLETED, notices.session())
        assert (answer.status, answer.body["reason"]) == (503, "not_durable") and "Retry-After" in answer.headers
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert shop.stripe(COMPLETED, notices.session()).body["message"] == "accepted"


def test_both_secrets_are_taken_while_one_is_rotated(tmp_path):
    with open_shop(tmp_path, STRIPE_WEBHOOK_SECRET=f"whsec_new_secret, {SECRET}") as shop:
        for secret in (SECRET, "whsec_new_secret"):
            assert shop.stripe(COMPLETED, notices.session(), secret=secret).status == 200
        assert shop.stripe(COMPLETED, notices.session(), secret="whsec_older").status == 400
        assert list(shop.events()) == ["purchase_cart-77"]


def test_a_test_payment_is_sent_where_the_operator_says_so(tmp_path):
    code = {"RELAY_TEST_PAYMENTS": "test_code", "META_TEST_EVENT_CODE": "TEST1"}
    for n, more in enumerate([{"RELAY_TEST_PAYMENTS": "send"}, code]):
        (tmp_path / str(n)).mkdir()
        with open_shop(tmp_path / str(n), **more) as shop:
            assert shop.stripe(COMPLETED, notices.session(), livemode=False).body["message"] == "accepted"


def test_a_subscription_is_a_purchase_its_trial_a_start_and_its_renewals_happen_by_themselves(shop):
    trial = {"id": "sub_1", "status": "trialing", "currency": "eur", "metadata": {"order_id": "cart-77"}}
    shop.relay.remember("cart-77", VISIT, "granted")
    shop.stripe("customer.subscription.created", trial)
    shop.stripe(COMPLETED, notices.subscription_session())
    shop.stripe("invoice.paid", notices.invoice("subscription_create", "in_1"))
    shop.now += 31 * 86_400
    shop.stripe("invoice.paid", notices.invoice("subscription_cycle", "in_2"), created=int(shop.now) - 5)
    shop.now += 60 * 86_400
    shop.stripe("invoice.paid", notices.invoice("subscription_cycle", "in_3"), created=int(shop.now) - 5)
    events = shop.events()
    assert set(events) == {"trial_sub_1", "purchase_cart-77", "renewal_in_2", "renewal_in_3"}
    assert events["trial_sub_1"]["event_name"] == "StartTrial"
    assert events["renewal_in_2"]["action_source"] == "system_generated"
    assert events["renewal_in_2"]["user_data"]["fbc"] == VISIT.fbc, "the first click's"
    assert "fbc" not in events["renewal_in_3"]["user_data"], "Meta counts a click for 90 days"
    assert {event["event_name"] for event in events.values()} == {"StartTrial", "Purchase"}


def test_a_subscription_begins_under_the_name_that_the_shop_wants(tmp_path):
    with open_shop(tmp_path, RELAY_SUBSCRIPTIONS="Subscribe", RELAY_RENEWALS="ignore") as shop:
        shop.stripe(COMPLETED, notices.subscription_session())
        assert shop.stripe("invoice.paid", notices.invoice("subscription_cycle")).body["reason"] == "renewals_ignored"
        assert shop.events()["purchase_cart-77"]["event_name"] == "Subscribe"


def test_a_refund_is_an_event_of_its_own_that_names_the_purchase(tmp_path):
    with open_shop(tmp_path, RELAY_REFUNDS="event") as shop:
        shop.stripe(COMPLETED, notices.session())
        assert shop.stripe("refund.created", notices.refund()).body["event_id"] == "refund_re_1"
        assert shop.stripe("refund.updated", notices.refund()).body["message"] == "duplicate"
        event = shop.events()["refund_re_1"]
    assert (event["event_name"], event["custom_data"]["value"]) == ("Refund", 10.0)
    assert event["original_event_data"] == {
        "event_name": "Purchase", "event_time": NOW - 9, "order_id": "cart-77", "event_id": "purchase_cart-77"
    }  # fmt: skip


def test_a_refund_that_overtakes_its_payment_waits_for_an_hour(tmp_path):
    with open_shop(tmp_path, RELAY_REFUNDS="event") as shop:
        assert shop.stripe("refund.created", notices.refund()).status == 503
        shop.now += 3_700
        answer = shop.stripe("refund.created", notices.refund())
        assert (answer.status, answer.body["reason"]) == (200, "payment_unknown")


STORY = [
    ("checkout.session.expired", {}, {}),
    (COMPLETED, notices.session(payment_status="unpaid"), {}),
    (COMPLETED, notices.session(), {"livemode": False}),
    ("payment_intent.succeeded", notices.intent(), {}),
    ("checkout.session.async_payment_succeeded", notices.session(), {}),
    ("refund.created", notices.refund(status="pending"), {}),
    ("refund.updated", notices.refund(), {}),
    ("refund.created", notices.refund(id="re_2", amount=500), {}),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(STORY), copies=st.lists(st.integers(1, 3), min_size=len(STORY), max_size=len(STORY)))
def test_the_notices_of_one_order_end_in_the_same_events_in_any_order_and_number(tmp_path_factory, order, copies):
    told = [notice for notice, n in zip(order, copies, strict=True) for _ in range(n)]
    with open_shop(tmp_path_factory.mktemp("shop"), RELAY_REFUNDS="event") as shop:
        left = told
        for _ in range(3):  # what is answered with 503 comes again
            left = [one for one in left if shop.stripe(one[0], one[1], **one[2]).status == 503]
        assert left == []
        assert set(shop.events()) == {"purchase_cart-77", "refund_re_1", "refund_re_2"}


def test_a_notice_of_years_ago_sent_again_by_hand_is_never_a_second_purchase(shop):
    for days in itertools.accumulate([0, 1, 3, 8, 30, 400]):
        shop.now = NOW + days * 86_400
        assert shop.stripe(COMPLETED, notices.session()).status == 200
    shop.now = NOW
    assert list(shop.events()) == ["purchase_cart-77"]
