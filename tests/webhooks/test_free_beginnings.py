"""What a subscription began with is heard by all that comes of it: the visit of a session that cost nothing, which
alone names it, and a refusal."""

import pytest

from conversion_relay.intake.visit import Visit
from tests.payments import stripe_notices as notices
from tests.webhooks.shop import NOW, open_shop

FBP = "fb.1.1596403881668.1116446470"
FREE = {"payment_status": "no_payment_required", "amount_total": 0}
TRIAL = {"id": "sub_1", "object": "subscription", "status": "trialing", "currency": "eur", "metadata": {}}
RENEWAL = {
    "id": "in_2",
    "object": "invoice",
    "billing_reason": "subscription_cycle",
    "amount_paid": 900,
    "currency": "eur",
    "customer_email": "a@example.com",
    "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1", "metadata": {}}},
}


@pytest.fixture
def shop(tmp_path):
    with open_shop(tmp_path) as opened:
        yield opened


def begin(shop, *, trial_first: bool) -> None:
    steps = [
        lambda: shop.stripe("checkout.session.completed", notices.subscription_session(**FREE)),
        lambda: shop.stripe("customer.subscription.created", TRIAL),
    ]
    for step in reversed(steps) if trial_first else steps:
        assert step().status == 200


@pytest.mark.parametrize("trial_first", [False, True])
def test_a_refusal_on_the_page_is_heard_when_the_trial_turns_into_money(shop, trial_first):
    shop.relay.outbox.remember_visitor("cart-77", Visit(consent="denied", for_long=True), shop.now)
    begin(shop, trial_first=trial_first)
    assert shop.stripe("invoice.paid", RENEWAL).body["message"] == "withheld"
    # Before the session nothing ties the subscription to the page; a reference in its own metadata would.
    assert list(shop.events()) == (["trial_sub_1"] if trial_first else [])


def test_a_trial_that_names_its_order_hears_the_refusal_whatever_comes_first(shop):
    shop.relay.outbox.remember_visitor("cart-77", Visit(consent="denied", for_long=True), shop.now)
    named = TRIAL | {"metadata": {"order_id": "cart-77"}}
    assert shop.stripe("customer.subscription.created", named).body["message"] == "withheld"
    assert shop.events() == {}


@pytest.mark.parametrize("trial_first", [False, True])
def test_the_visit_of_a_free_beginning_is_that_of_the_first_money(shop, trial_first):
    visit = Visit(consent="granted", for_long=True, fbp=FBP)
    shop.relay.outbox.remember_visitor("cart-77", visit, shop.now)
    begin(shop, trial_first=trial_first)
    shop.stripe("invoice.paid", RENEWAL)
    assert shop.events()["renewal_in_2"]["user_data"]["fbp"] == FBP


@pytest.mark.parametrize("where", ["page", "notice"])
@pytest.mark.parametrize("refunds", ["event", "ignore"])
def test_a_refusal_at_the_beginning_is_heard_by_the_renewals_and_the_refund(tmp_path, where, refunds):
    """The session's metadata stands on neither of them, and what is kept for refunds must not hide the beginning."""
    metadata = {"consent": "denied"} if where == "notice" else {}
    back = {"id": "re_1", "amount": 900, "currency": "eur", "status": "succeeded", "created": NOW - 5}
    with open_shop(tmp_path, RELAY_REFUNDS=refunds) as shop:
        if where == "page":
            shop.relay.outbox.remember_visitor("cart-77", Visit(consent="denied", for_long=True), shop.now)
        shop.stripe("checkout.session.completed", notices.subscription_session(metadata=metadata))
        for _ in range(2):
            assert shop.stripe("invoice.paid", RENEWAL).body["message"] == "withheld"
        link = {"id": "inpay_1", "invoice": "in_1", "payment": {"type": "payment_intent", "payment_intent": "pi_9"}}
        shop.stripe("invoice_payment.paid", link)
        for payment in ("in_1", "pi_9"):
            shop.stripe("refund.created", back | {"id": f"re_{payment}", "payment_intent": payment})
        assert shop.events() == {}


def test_a_yes_in_a_later_notice_is_heard_after_a_no(shop):
    shop.stripe("checkout.session.completed", notices.subscription_session(metadata={"consent": "denied"}))
    details = RENEWAL["parent"]["subscription_details"] | {"metadata": {"consent": "granted"}}
    agreed = RENEWAL | {"parent": {"subscription_details": details}}
    assert shop.stripe("invoice.paid", agreed).body["message"] == "accepted"
