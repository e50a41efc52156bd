"""Payments that share a name and are not one, and notices of one payment that do not look alike: money is neither lost
nor counted twice."""

import base64
import hashlib
import hmac
import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from conversion_relay import RequestFacts
from conversion_relay.cli.webhook_signing import signed_headers
from tests.payments import stripe_notices as notices
from tests.webhooks.shop import EVERY_PROVIDER, NOW, open_shop
from tests.webhooks.stories import sample

VISIT = RequestFacts(fbp="fb.1.1596403881668.1116446470")
COMPLETED = "checkout.session.completed"
PAYPAL, SQUARE = "resource__{}", "data__object__payment__{}"
PARTS = {
    "stripe": ("data__object__payment_intent", "data__object__amount_total", 1_000),
    "paypal": (PAYPAL.format("id"), PAYPAL.format("amount__value"), "10.00"),
    "square": (SQUARE.format("id"), SQUARE.format("total_money__amount"), 1_000),
    "razorpay": ("payload__payment__entity__id", "payload__payment__entity__amount", 1_000),
    "woocommerce": ("order_key", "total", "10.00"),
    "standard": ("data__id", "data__total_amount", 1_000),
}
"""Where a payment's id and its amount are. Another payment with the same order: the rest of a split capture, the card
after the gift card, a customer's id as the reference, another shop's order 52."""


@pytest.fixture
def shop(tmp_path):
    with open_shop(tmp_path, RELAY_REFUNDS="event", **EVERY_PROVIDER) as opened:
        yield opened


@pytest.mark.parametrize("provider", PARTS)
def test_a_second_payment_with_the_name_of_an_order_is_counted_too_and_once(shop, provider):
    name, amount, ten = PARTS[provider]
    first, second = sample(provider), sample(provider, **{name: "part-2", amount: ten})
    told = [shop.told(provider, notice).body for notice in (first, second, first, second, second)]
    assert [one["message"] for one in told] == ["accepted", "accepted", "duplicate", "duplicate", "duplicate"]
    plain, further = told[0]["event_id"], told[1]["event_id"]
    assert further == f"{plain}_part-2", "the page's copy has the plain name, which the first payment keeps"
    events = shop.events()
    assert events.keys() == {plain, further} and events[further]["custom_data"]["value"] == 10.0


def test_many_notices_of_two_payments_at_once_are_two_purchases(shop):
    parts = [sample("square"), sample("square", data__object__payment__id="part-2")] * 20
    with ThreadPoolExecutor(16) as threads:
        told = list(threads.map(lambda part: shop.told("square", part).body["event_id"], parts))
    again = [shop.told("square", part).body["event_id"] for part in parts]
    assert told == again and len(set(told)) == 2 == len(shop.events())


def test_the_visit_of_the_order_and_the_refund_are_those_of_the_further_payment(shop):
    shop.stripe(COMPLETED, notices.session(client_reference_id="user-7"))
    shop.relay.remember("user-7", VISIT, "granted")
    shop.stripe(COMPLETED, notices.session(id="cs_2", payment_intent="pi_2", client_reference_id="user-7"))
    shop.stripe("refund.created", notices.refund(id="re_2", payment_intent="pi_2", charge=None, metadata={}))
    events = shop.events()
    assert events["purchase_user-7_pi_2"]["user_data"]["fbp"] == VISIT.fbp
    assert events["refund_re_2"]["original_event_data"]["event_id"] == "purchase_user-7_pi_2"


@pytest.mark.parametrize("order", [order for order in itertools.permutations(range(3)) if order[2] != 0])
def test_kinds_of_notices_about_one_stripe_payment_are_one_purchase_whichever_comes_first(tmp_path, order):
    """But where the session comes last: before it, nothing says that the intent and the invoice are one."""
    kinds = "checkout,payment_intent,invoice"
    named = {"metadata": {"order_id": "cart-77"}}
    told = [
        (COMPLETED, notices.session(invoice="in_1")),
        ("payment_intent.succeeded", notices.intent(**named)),
        ("invoice.paid", {"id": "in_1", "billing_reason": "manual", "amount_paid": 4990, "currency": "eur", **named}),
    ]
    with open_shop(tmp_path, STRIPE_PAYMENTS=kinds) as shop:
        assert [shop.stripe(*told[which]).status for which in order] == [200, 200, 200]
        assert shop.events().keys() == {"purchase_cart-77"}


def test_a_renewal_that_no_notice_marks_as_one_is_told_by_its_subscription(shop):
    def payment(name: str, **more):
        given = {"payment_id": name, "total_amount": 1999, "currency": "USD", "subscription_id": "sub_1", **more}
        return {"type": "payment.succeeded", "timestamp": "2026-11-23T11:59:00Z", "data": given}

    for metadata in ({"order_id": "d-1"}, {}):
        more = {"metadata": metadata, "subscription_id": f"sub_{len(metadata)}"}
        first, second = f"pay_1{len(metadata)}", f"pay_2{len(metadata)}"
        told = [shop.told("standard", payment(name, **more)).body["event_id"] for name in (first, second) * 2]
        assert told == [f"purchase_{metadata.get('order_id', first)}", f"renewal_{second}"] * 2
    assert [event["action_source"] for name, event in shop.events().items() if "renewal" in name] == [
        "system_generated"
    ] * 2


def test_such_a_renewal_is_left_out_where_the_operator_does_not_count_renewals(tmp_path):
    with open_shop(tmp_path, RELAY_RENEWALS="ignore", **EVERY_PROVIDER) as shop:
        shop.told("standard", sample("standard", data__subscription_id="sub_1"))
        second = sample("standard", data__subscription_id="sub_1", data__id="ord_2")
        assert shop.told("standard", second).body["reason"] == "renewals_ignored"


@pytest.mark.parametrize("origin", ["subscription_update", "subscription_charge", "subscription_recurring"])
def test_paddles_later_charges_bear_the_first_orders_data_and_are_counted(shop, origin):
    shop.told("paddle", sample("paddle", data__subscription_id="sub_1"))
    later = sample("paddle", data__subscription_id="sub_1", data__id="txn_2", data__origin=origin)
    assert shop.told("paddle", later).body["event_id"] == "renewal_txn_2"


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", ["payment.captured", "order.paid", "invoice.paid"])
def test_a_renewal_at_razorpay_is_counted_once_though_two_notices_tell_of_its_payment(shop, kind, turned):
    charge = "payload__payment__entity__description"
    renewal = sample("razorpay", "renewal", **{charge: "Recurring Payment via Subscription"})
    captured = sample("razorpay", event=kind, **{charge: "Recurring Payment via Subscription"})
    for notice in (captured, renewal) if turned else (renewal, captured):
        assert shop.told("razorpay", notice).status == 200
    assert shop.events().keys() == {"renewal_pay_1"}
    assert shop.reasons()["told_by_subscription"] == 1


def test_a_renewal_at_shopify_is_known_by_both_names_of_its_source(shop):
    for number, source in enumerate(["subscription_contract", "subscription_contract_checkout_one", "web"]):
        shop.told("shopify", sample("shopify", id=9_000 + number, source_name=source))
    assert shop.events().keys() == {"renewal_9000", "renewal_9001", "purchase_9002"}


def test_an_invoice_is_one_renewal_whichever_of_its_two_notices_the_endpoint_gets(shop):
    invoice = {"id": "in_2", "billing_reason": "subscription_cycle", "amount_paid": 900, "currency": "usd"}
    told = [shop.stripe(kind, invoice).body for kind in ("invoice.payment_succeeded", "invoice.paid")]
    assert told == [{"message": message, "event_id": "renewal_in_2"} for message in ("accepted", "duplicate")]


@pytest.mark.parametrize("status", ["shipped", "partial-shipped", "delivered", "processing"])
def test_an_order_that_was_paid_counts_in_a_status_of_the_shops_own(shop, status):
    assert shop.told("woocommerce", sample("woocommerce", status=status)).body["message"] == "accepted"


def test_a_subscription_at_woocommerce_looks_like_an_order_and_is_none(shop):
    subscription = sample("woocommerce", status="active", billing_period="month")
    assert shop.told("woocommerce", subscription).body == {"message": "ignored", "reason": "other_type"}
    unpaid = sample("woocommerce", status="awaiting-transfer", date_paid_gmt=None)
    assert shop.told("woocommerce", unpaid).body == {"message": "pending", "reason": "not_paid"}
    assert shop.events() == {}


def test_a_secret_without_the_standards_prefix_may_be_the_key_as_it_stands(tmp_path):
    """https://polar.sh/docs/integrate/webhooks/delivery: Polar's libraries encode the secret before they hand it to the
    standard's, which decode it."""
    secret, raw = "polar_whs_ovyN6cPrTv56AApvzCaJno08SSmGJmgbWilb33N2JuK", json.dumps(sample("standard")).encode()
    digest = hmac.new(secret.encode(), f"msg_1.{NOW}.".encode() + raw, hashlib.sha256).digest()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(NOW)}
    headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    with open_shop(tmp_path, STANDARD_WEBHOOK_SECRET=secret) as shop:
        assert shop.webhooks.answer("standard", raw, headers).body["message"] == "accepted"
        ours = signed_headers("standard", raw, secret, NOW)
        assert shop.webhooks.answer("standard", raw, ours).body["message"] == "duplicate"
        bad = headers | {"webhook-signature": headers["webhook-signature"][:-4] + "AAA="}
        assert shop.webhooks.answer("standard", raw, bad).status == 400


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ('{"name":"Jane Doe","phone":"6505551212"}', None),
        ('{"order_id":"A-7","name":"Jane Doe"}', "A-7"),
        ("order_id=A-7&name=Jane+Doe&phone=6505551212", "A-7"),
        ("name=Jane Doe", None),
        ('{"order_id":{"name":"Jane Doe"}}', None),
        ('{"order":"Jane Doe"}', None),
        ('["Jane Doe"]', None),
        ('{"name":"Jane Doe', None),
        ("Jane Doe", None),
        ("Order 1001", "Order 1001"),
        ("wc_order_T1", "wc_order_T1"),
        ("abc==", "abc=="),
    ],
)
def test_what_is_more_than_an_orders_name_names_nobody_and_is_one_purchase(shop, written, named):
    told = [shop.told("paypal", sample("paypal", resource__custom_id=written)).body for _ in range(2)]
    assert [one["message"] for one in told] == ["accepted", "duplicate"]
    said = json.dumps([told, shop.events()])
    assert "Jane" not in said and "6505551212" not in said
    if named:
        assert told[0]["event_id"] == f"purchase_{named}"


def test_what_stripe_bills_between_a_subscriptions_periods_is_counted(shop):
    """`pending_invoice_item_interval`, which a Checkout may set: no other notice tells of this money."""
    invoice = {"id": "in_3", "billing_reason": "automatic_pending_invoice_item_invoice", "amount_paid": 900}
    told = shop.stripe("invoice.paid", {**invoice, "currency": "usd", "subscription": "sub_1"})
    assert told.body == {"message": "accepted", "event_id": "renewal_in_3"}


@pytest.mark.parametrize(
    ("about", "tax", "back"), [("order_id", 250, 12.5), ("order_id", None, 10.0), ("payment_id", 250, 10.0)]
)
def test_a_refund_at_polar_is_told_with_its_tax_as_the_order_was(shop, about, tax, back):
    order = sample("standard", data__total_amount=1_250)
    shop.told("standard", order)
    refund = sample("standard", "refund", data__amount=1_000, data__tax_amount=tax)
    refund["data"].pop("order_id", None)
    refund["data"][about] = order["data"]["id"]
    name = shop.told("standard", refund).body["event_id"]
    assert shop.events()[name]["custom_data"]["value"] == back


@pytest.mark.parametrize(("total", "price"), [("330", 330.0), (None, None)])
def test_paddles_list_price_in_another_currency_is_not_what_a_buyer_paid_for_a_piece(shop, total, price):
    """A shop's 30 USD, sold in Japan: yen, and not 3000 of them."""
    listed = {"id": "pri_1", "product_id": "pro_1", "unit_price": {"amount": "3000", "currency_code": "USD"}}
    lines = [{"price_id": "pri_1", "quantity": 10, "unit_totals": {"subtotal": "300", "tax": "30", "total": total}}]
    details = {"totals": {"grand_total": "3300"}, "line_items": lines}
    more = {"data__currency_code": "JPY", "data__details": details, "data__items": [{"price": listed, "quantity": 10}]}
    told = shop.told("paddle", sample("paddle", **more))
    sold = shop.events()[told.body["event_id"]]["custom_data"]
    assert sold["value"] == 3300.0 and sold["contents"][0].get("item_price") == price
