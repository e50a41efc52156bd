"""A payment has the name under which it was first told, whatever a later notice knows: Meta counts by the name."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.payments import stripe_notices as notices
from tests.webhooks.shop import EVERY_PROVIDER, open_shop
from tests.webhooks.stories import sample

PAID = sample("razorpay")
RECEIPT = PAID | {
    "event": "order.paid",
    "payload": PAID["payload"] | {"order": {"entity": {"id": "order_T1", "receipt": "R-1", "notes": []}}},
}
SUBSCRIBED = {"data__subscription_id": "sub_T1"}


@pytest.mark.parametrize(
    ("provider", "place", "first", "then"),
    [
        # A plugin numbers the order after it was paid; an app writes its note later.
        (
            "woocommerce",
            "meta._order_number,id",
            sample("woocommerce"),
            sample("woocommerce", meta_data=[{"id": 9, "key": "_order_number", "value": "1052"}]),
        ),
        (
            "shopify",
            "notes.cart",
            sample("shopify", note_attributes=[]),
            sample("shopify", note_attributes=[{"name": "cart", "value": "c-1"}]),
        ),
        # Two kinds of notices about one payment, of which one holds the reference.
        ("razorpay", "order.entity.receipt", PAID, RECEIPT),
        ("paddle", "custom_data.cart", sample("paddle", data__custom_data=None), sample("paddle")),
    ],
)
@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_reference_that_only_one_notice_holds_makes_no_second_purchase(
    tmp_path, provider, place, first, then, is_reversed
):
    told = [then, first] if is_reversed else [first, then]
    with open_shop(tmp_path, **EVERY_PROVIDER, **{f"{provider.upper()}_ORDER_KEY": place}) as shop:
        answers = [shop.told(provider, notice).body for notice in (*told, *told)]
        assert [one["message"] for one in answers] == ["accepted"] + ["duplicate"] * 3
        assert len(shop.events()) == 1


def test_many_at_once_agree_on_the_name(tmp_path):
    with open_shop(tmp_path, **EVERY_PROVIDER, RAZORPAY_ORDER_KEY="order.entity.receipt") as shop:
        with ThreadPoolExecutor(8) as threads:
            told = list(threads.map(lambda one: shop.told("razorpay", one).body["event_id"], [PAID, RECEIPT] * 12))
        assert len(set(told)) == 1 == len(shop.events())


@pytest.mark.parametrize("kinds", ["session, intent", "intent, session"])
def test_stripe_s_two_kinds_of_one_payment_are_one_purchase_even_where_both_are_named(tmp_path, kinds):
    with open_shop(tmp_path, STRIPE_PAYMENTS="checkout,payment_intent") as shop:
        for kind in kinds.split(", "):
            if kind == "session":
                shop.stripe("checkout.session.completed", notices.session())
            else:
                shop.stripe("payment_intent.succeeded", notices.intent(metadata={}))
        assert len(shop.events()) == 1


def test_two_references_of_a_shop_are_two_orders_though_the_provider_s_id_is_one(tmp_path):
    """As tests of integrations send them; a payment has one reference, where it has one."""
    with open_shop(tmp_path) as shop:
        for cart in ("cart-1", "cart-2"):
            shop.stripe("checkout.session.completed", notices.session(client_reference_id=cart))
        assert shop.events().keys() == {"purchase_cart-1", "purchase_cart-2"}


@pytest.mark.parametrize("told", [({}, SUBSCRIBED), (SUBSCRIBED, {})])
def test_a_subscription_that_only_one_notice_names_makes_no_second_event(tmp_path, told):
    """`transaction.paid` may come before the subscription is there, and `transaction.completed` names it."""
    with open_shop(tmp_path, **EVERY_PROVIDER, RELAY_SUBSCRIPTIONS="Subscribe") as shop:
        answers = [shop.told("paddle", sample("paddle", **more)).body["message"] for more in told]
    assert answers == ["accepted", "duplicate"]
