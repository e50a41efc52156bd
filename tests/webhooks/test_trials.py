"""What begins without money: a trial alone is one, and the visit that is remembered under the shop's own id is its."""

import pytest

from conversion_relay.intake.visit import Visit
from tests.webhooks.shop import EVERY_PROVIDER, NOW, open_shop
from tests.webhooks.stories import sample

LATER = NOW + 9 * 86_400


def stripe(status: str) -> dict:
    thing = {"id": "sub_1", "object": "subscription", "status": status, "currency": "eur", "metadata": {"cart": "c-1"}}
    return sample("stripe", "other", type="customer.subscription.created", data={"object": thing})


def paddle(status: str) -> dict:
    thing = {"id": "sub_1", "status": status, "currency_code": "EUR", "custom_data": {"cart": "c-1"}}
    return sample("paddle", "other", event_type="subscription.created", data=thing)


def lemonsqueezy(status: str) -> dict:
    told = {"on_trial": "on_trial", "trialing": "on_trial"}.get(status, status)
    document = sample("lemonsqueezy", meta__event_name="subscription_created", data__attributes__status=told)
    document["meta"]["custom_data"] = {"cart": "c-1"}
    return document


def razorpay(status: str) -> dict:
    begins = LATER if status == "trialing" else NOW - 60
    thing = {"id": "sub_1", "paid_count": 0, "start_at": begins, "notes": {"cart": "c-1"}}
    return sample("razorpay", event="subscription.authenticated", payload={"subscription": {"entity": thing}})


def standard(status: str) -> dict:
    thing = {"id": "sub_1", "status": status, "metadata": {"cart": "c-1"}}
    return sample("standard", type="subscription.created", data=thing)


BEGUN = {each.__name__: each for each in (stripe, paddle, lemonsqueezy, razorpay, standard)}
CHOSEN = {
    "STRIPE_ORDER_KEY": "metadata.cart",
    "PADDLE_ORDER_KEY": "custom_data.cart",
    "LEMONSQUEEZY_ORDER_KEY": "meta.custom_data.cart",
    "RAZORPAY_ORDER_KEY": "payment.entity.notes.cart,subscription.entity.notes.cart",
    "STANDARD_ORDER_KEY": "metadata.cart",
}


@pytest.mark.parametrize("provider", BEGUN)
def test_a_subscription_that_is_paid_from_its_first_day_is_no_trial(tmp_path, provider):
    with open_shop(tmp_path, **EVERY_PROVIDER) as shop:
        assert shop.told(provider, BEGUN[provider]("active")).body["message"] == "ignored"
        assert shop.events() == {}
        assert shop.told(provider, BEGUN[provider]("trialing")).body["message"] == "accepted"
        assert [event["event_name"] for event in shop.events().values()] == ["StartTrial"]


@pytest.mark.parametrize("provider", BEGUN)
def test_who_declined_under_the_id_that_the_shop_chose_is_not_counted_at_the_trial_either(tmp_path, provider):
    with open_shop(tmp_path, **EVERY_PROVIDER, **CHOSEN) as shop:
        shop.relay.outbox.remember_visitor("c-1", Visit(consent="denied", for_long=True), shop.now)
        assert shop.told(provider, BEGUN[provider]("trialing")).body == {"message": "withheld"}
        assert shop.events() == {}


def test_a_refund_at_razorpay_is_of_the_order_whose_id_the_shop_chose(tmp_path):
    """Of a payment that was made before the notices came here."""
    back = sample("razorpay", "refund")
    back["payload"]["payment"]["entity"]["notes"] = {"cart": "c-1"}
    with open_shop(tmp_path, RELAY_REFUNDS="event", **EVERY_PROVIDER, **CHOSEN) as shop:
        shop.relay.outbox.remember_visitor("c-1", Visit(consent="denied", for_long=True), shop.now)
        assert shop.told("razorpay", back).body == {"message": "withheld"}
