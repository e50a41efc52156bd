"""What providers really send beside their plain samples: their own simulators, placeholders, money that came late."""

import datetime
import hashlib
import json

import pytest

from conversion_relay.intake.visit import Visit
from tests.payments import stripe_notices as notices
from tests.webhooks.shop import EVERY_PROVIDER, NOW, open_shop
from tests.webhooks.stories import sample

COMPLETED = "checkout.session.completed"


def iso(at: int) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat()


@pytest.fixture
def shop(tmp_path):
    with open_shop(tmp_path, RELAY_REFUNDS="event", **EVERY_PROVIDER) as opened:
        yield opened


def person(event: dict) -> dict:
    return {name: value[0] for name, value in event["user_data"].items() if name in ("fn", "ln", "em")}


@pytest.mark.parametrize("name", ["event_id", "notification_id"])
@pytest.mark.parametrize("kind", ["paid", "renewal", "refund"])
def test_what_paddle_s_simulator_makes_up_is_no_money(shop, name, kind):
    """It is signed with the secret of the destination, which may be the live one."""
    shop.told("paddle", sample("paddle"))
    made_up = sample("paddle", kind) | {name: "ntfsimevt_01j82zcm3ffc0pyvvb9tjsbvec"}
    assert shop.told("paddle", made_up).body["reason"] == "test_payment"
    assert len(shop.events()) == 1


@pytest.mark.parametrize("total", [10.0, 10, 10.43])
@pytest.mark.parametrize("place", ["data__total", "data__total_amount", "data__amount"])
def test_whole_units_are_never_read_as_cents(shop, total, place):
    """A sender of the same standard (Whop) writes `total: 10.0` for ten dollars."""
    notice = sample("standard", **{"data__total_amount": None} | {place: total})
    answer = shop.told("standard", notice)
    if isinstance(total, int) and place != "data__total":
        assert answer.body["message"] == "accepted"
    else:
        assert answer.body["reason"] == "unit_unknown" and shop.events() == {}


def test_money_that_waited_for_days_at_paypal_is_of_the_day_it_came(shop):
    cheque = sample(
        "paypal", resource__create_time=iso(NOW - 9 * 86_400), resource__update_time=iso(NOW - 60), create_time=iso(NOW)
    )
    shop.told("paypal", cheque)
    assert [event["event_time"] for event in shop.events().values()] == [NOW - 60]


@pytest.mark.parametrize("kind", ["REFUNDED", "REVERSED"])
@pytest.mark.parametrize("total", ["-0.49", "0.49"])
def test_a_sale_s_money_that_went_back_may_have_a_minus(shop, kind, total):
    """What PayPal calls a sale is the payment of a subscription."""
    shop.told("paypal", sample("paypal", "renewal"))
    back = {"id": "REF9", "sale_id": "SALET2", "state": "completed", "create_time": iso(NOW - 5)}
    if kind == "REVERSED":
        back = {"id": "SALET2", "state": "completed", "create_time": iso(NOW - 5)}
    resource = back | {"amount": {"total": total, "currency": "EUR"}}
    answer = shop.told("paypal", sample("paypal", "refund", event_type=f"PAYMENT.SALE.{kind}", resource=resource))
    event = shop.events()[answer.body["event_id"]]
    assert (event["custom_data"]["value"], event["original_event_data"]["event_id"]) == (0.49, "renewal_SALET2")


def test_the_address_that_razorpay_fills_in_is_nobody_s(shop):
    shop.told("razorpay", sample("razorpay", payload__payment__entity__email="void@razorpay.com"))
    assert [person(event) for event in shop.events().values()] == [{}]


@pytest.mark.parametrize("details", [{"individual_name": "Ada Test"}, {"individual_name": None}])
def test_a_business_is_not_hashed_as_a_person(shop, details):
    """https://docs.stripe.com/payments/checkout/name-collection"""
    business = {"email": "a@example.com", "name": "Acme Tools", "business_name": "Acme Tools"}
    shop.stripe(COMPLETED, notices.session(customer_details=business | details))
    (event,) = shop.events().values()
    first = hashlib.sha256(b"ada").hexdigest() if details["individual_name"] else None
    assert person(event).get("fn") == first and "em" in person(event)


@pytest.mark.parametrize(("is_linked_first", "days"), [(False, 0), (True, 0), (False, 30)])
def test_a_refund_of_a_subscription_finds_the_invoice_that_no_longer_names_its_intent(shop, is_linked_first, days):
    """Since 2025-03-31 only `invoice_payment.paid` says which intent paid an invoice."""
    link = {"id": "inpay_1", "invoice": "in_1", "payment": {"type": "payment_intent", "payment_intent": "pi_9"}}
    steps = [
        lambda: shop.stripe(COMPLETED, notices.subscription_session()),
        lambda: shop.stripe("invoice_payment.paid", link | {"object": "invoice_payment", "status": "paid"}),
    ]
    for step in reversed(steps) if is_linked_first else steps:
        assert step().status == 200
    shop.now += days * 86_400
    shop.relay.outbox.prune(shop.now)
    back = {"id": "re_1", "object": "refund", "amount": 900, "currency": "eur", "status": "succeeded"}
    shop.stripe("refund.created", back | {"payment_intent": "pi_9", "charge": "ch_9", "created": int(shop.now) - 5})
    assert shop.events()["refund_re_1"]["original_event_data"]["event_id"] == "purchase_cart-77"
    assert days or len(shop.events()) == 2


@pytest.mark.parametrize("invoice", ["in_1", None])
def test_before_2025_the_first_invoice_says_which_intent_paid_for_a_subscription(shop, invoice):
    """Nothing else does: the session has no intent then, and `invoice_payment.paid` did not exist. Before 2022 the
    session has no invoice, either."""
    paid = {"id": "in_1", "billing_reason": "subscription_create", "amount_paid": 900, "currency": "eur"}
    paid |= {"subscription": "sub_1", "payment_intent": "pi_9", "charge": "ch_9"}
    assert shop.stripe("invoice.paid", paid).body["reason"] == "other_kind"
    shop.stripe(COMPLETED, notices.subscription_session() | {"invoice": invoice})
    back = {"id": "re_1", "amount": 900, "currency": "eur", "status": "succeeded", "created": NOW - 5}
    assert shop.stripe("refund.created", back | {"payment_intent": "pi_9", "charge": "ch_9"}).status == 200
    assert shop.events()["refund_re_1"]["original_event_data"]["event_id"] == "purchase_cart-77"


@pytest.mark.parametrize(
    ("said", "message"),
    [(no, "withheld") for no in ("denied", "Denied", "DENIED", "no", "False", False, "0", "declined")]
    + [(yes, "accepted") for yes in ("granted", "Granted", "yes", True, "", None)],
)
@pytest.mark.parametrize("provider", ["stripe", "shopify", "paypal", "mollie"])
def test_a_no_is_heard_in_any_word_for_it_and_in_a_document_too(shop, provider, said, message):
    """PayPal has no metadata, and Mollie's may be a text: a shop writes a document into it."""
    told = {"consent": said, "order_id": "cart-9"}
    where = {
        "stripe": {"data__object__metadata": told},
        "shopify": {"note_attributes": [{"name": name, "value": value} for name, value in told.items()]},
        "paypal": {"resource__custom_id": json.dumps(told)},
        "mollie": {"_embedded__entity__metadata": json.dumps(told)},
    }
    assert shop.told(provider, sample(provider, **where[provider])).body["message"] == message


def test_a_refusal_in_a_form_is_heard(shop):
    assert shop.told("paypal", sample("paypal", resource__custom_id="order_id=9&consent=denied")).body == {
        "message": "withheld"
    }


def test_mollie_s_metadata_may_be_a_text_that_holds_json_or_the_order_s_name_itself(tmp_path):
    document = sample("mollie", _embedded__entity__metadata='{"order_id": "cart-9"}')
    with open_shop(tmp_path, **EVERY_PROVIDER) as shop:
        assert shop.told("mollie", document).body["event_id"] == "purchase_cart-9"
    (tmp_path / "2").mkdir()
    with open_shop(tmp_path / "2", **EVERY_PROVIDER, MOLLIE_ORDER_KEY="metadata") as shop:
        assert shop.told("mollie", document).body["event_id"] == "purchase_cart-9"


def test_a_refund_names_the_event_that_was_sent(tmp_path):
    """A renewal and a subscription's first payment are no `Purchase` called `purchase_<order key>`."""
    with open_shop(tmp_path, RELAY_REFUNDS="event", RELAY_SUBSCRIPTIONS="Subscribe") as shop:
        shop.stripe(COMPLETED, notices.subscription_session())
        renewal = {"id": "in_2", "billing_reason": "subscription_cycle", "amount_paid": 900, "currency": "eur"}
        shop.stripe("invoice.paid", renewal | {"subscription": "sub_1", "payment_intent": "pi_2"})
        for name, intent in (("re_1", "in_1"), ("re_2", "pi_2")):
            back = {"id": name, "amount": 900, "currency": "eur", "status": "succeeded", "created": NOW - 5}
            shop.stripe("refund.created", back | {"payment_intent": intent})
        events = shop.events()
    about = [events[name]["original_event_data"] for name in ("refund_re_1", "refund_re_2")]
    assert [(one["event_name"], one["event_id"]) for one in about] == [
        ("Subscribe", "purchase_cart-77"),
        ("Purchase", "renewal_in_2"),
    ]
    assert {one["event_id"] for one in about} <= events.keys()


def test_mollie_s_object_alone_is_read_as_the_one_in_an_event(shop):
    """https://docs.mollie.com/reference/payments-api-webhooks"""
    paid, back = sample("mollie"), sample("mollie", "refund")
    for notice, name in ((paid, "payment"), (back, "refund"), (paid, "payment")):
        alone = notice["_embedded"]["entity"] | {"resource": name}
        assert shop.told("mollie", alone).status == 200
    assert shop.events().keys() == {"purchase_cart-77", "refund_re_T1"}


@pytest.mark.parametrize("kind", ["paid", "refund"])
def test_mollie_s_object_may_stand_under_its_own_name(shop, kind):
    shop.told("mollie", sample("mollie"))
    notice = sample("mollie", kind)
    notice["_embedded"] = {"payment" if kind == "paid" else "refund": notice["_embedded"]["entity"]}
    assert shop.told("mollie", notice).status == 200
    assert len(shop.events()) == (1 if kind == "paid" else 2)


@pytest.mark.parametrize("source", ["pos", "iphone", "android", "subscription_contract"])
def test_a_till_s_device_is_not_the_buyer_s(shop, source):
    """Everybody who buys in the shop would have its address and its browser."""
    device = {"client_details": {"user_agent": "Shopify POS/9.1", "browser_ip": "203.0.113.9"}}
    shop.told("shopify", sample("shopify", source_name=source, browser_ip="203.0.113.9", **device))
    (event,) = shop.events().values()
    assert event["action_source"] != "website"
    assert not {"client_ip_address", "client_user_agent"} & event["user_data"].keys()


@pytest.mark.parametrize("place", ["parent", "subscription_details"])
def test_what_the_shop_wrote_on_a_subscription_names_its_first_invoice(tmp_path, place):
    """Stripe copies it onto the invoice. The page's copy has that name, and a refusal stands there, too."""
    written = {"metadata": {"order_id": "1001"}, "subscription": "sub_1"}
    invoice = {"id": "in_1", "billing_reason": "subscription_create", "amount_paid": 900, "currency": "eur"}
    told = written if place == "subscription_details" else {"subscription_details": written}
    with open_shop(tmp_path, STRIPE_PAYMENTS="invoice") as shop:
        assert shop.stripe("invoice.paid", invoice | {place: told}).body["event_id"] == "purchase_1001"
        written["metadata"]["consent"] = "denied"
        refused = invoice | {"id": "in_2", place: told, "billing_reason": "subscription_cycle"}
        assert shop.stripe("invoice.paid", refused).body["message"] == "withheld"


def test_a_refusal_that_another_process_has_just_heard_holds_for_the_renewal(tmp_path):
    """Of a process that knew of nobody until now."""
    bought = notices.session(metadata={"consent": "denied"}, subscription="sub_1", mode="subscription", invoice="in_1")
    told = {"subscription_details": {"subscription": "sub_1"}}
    invoice = {"id": "in_2", "billing_reason": "subscription_cycle", "amount_paid": 900, "currency": "eur"}
    with open_shop(tmp_path) as one, open_shop(tmp_path) as other:
        assert not other.relay.has_visitors()
        assert one.stripe("checkout.session.completed", bought).body["message"] == "withheld"
        assert other.stripe("invoice.paid", invoice | {"parent": told}).body["message"] == "withheld"


def test_a_renewal_of_woocommerce_is_one_without_the_plugin_s_note(shop):
    assert shop.told("woocommerce", sample("woocommerce", created_via="subscription")).body["event_id"] == (
        "renewal_wc_order_T1"
    )


@pytest.mark.parametrize("status", ["refunded", "partial_refund"])
def test_what_is_refunded_when_it_is_told_was_paid_before(shop, status):
    notice = sample("lemonsqueezy", data__attributes__status=status)
    assert shop.told("lemonsqueezy", notice).body["message"] == "accepted"


@pytest.mark.parametrize("place", ["", "data__"])
@pytest.mark.parametrize(
    "mark", [{"livemode": False}, {"live": False}, {"test_mode": True}, {"mode": "test"}, {"environment": "sandbox"}]
)
def test_a_mark_of_the_test_mode_is_heard_wherever_a_sender_of_the_standard_puts_it(shop, place, mark):
    marked = {f"{place}{name}": value for name, value in mark.items()}
    assert shop.told("standard", sample("standard", **marked)).body["reason"] == "test_payment"
    assert shop.told("standard", sample("standard", data__livemode=True, mode="live")).body["message"] == "accepted"


@pytest.mark.parametrize("name", ["Order number", "wp-order", "Bestellnummer_ü"])
def test_a_note_may_be_called_as_the_shop_calls_it(tmp_path, name):
    notes = [{"name": name, "value": "R-77"}]
    with open_shop(tmp_path, **EVERY_PROVIDER, SHOPIFY_ORDER_KEY=f"notes.{name}, id") as shop:
        assert shop.told("shopify", sample("shopify", note_attributes=notes)).body["event_id"] == "purchase_R-77"


def test_a_refusal_on_the_page_holds_whatever_the_checkout_wrote_down(shop):
    shop.relay.outbox.remember_visitor("cart-77", Visit(consent="denied", for_long=True), shop.now)
    answer = shop.stripe(COMPLETED, notices.session(metadata={"consent": "granted"}))
    assert answer.body["message"] == "withheld" and shop.events() == {}


@pytest.mark.parametrize(
    ("customer", "order", "is_joined"),
    [(300, 5021, False), ("customer-300", 5021, True), (300, "R-5021", True), (7_000_000_000_300, 5021, True)],
)
def test_the_visit_of_order_300_is_not_that_of_customer_300(tmp_path, customer, order, is_joined):
    """Their click, or their refusal, would be somebody else's."""
    named = [{"id": 1, "key": "external_id", "value": customer}, {"id": 2, "key": "order", "value": order}]
    with open_shop(tmp_path, **EVERY_PROVIDER, WOOCOMMERCE_ORDER_KEY="meta.order") as shop:
        shop.relay.outbox.remember_visitor(str(customer), Visit(fbp="fb.1.1596403881668.999"), shop.now)
        shop.told("woocommerce", sample("woocommerce", customer_id=300, meta_data=named))
        (event,) = shop.events().values()
    assert (event["user_data"].get("fbp") == "fb.1.1596403881668.999") is is_joined
