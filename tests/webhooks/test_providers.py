"""Every provider's notices, signed and sent to the door: which event comes of each, of which value, in any order."""

import copy
import json

import pytest

from conversion_relay.cli import webhook_samples
from conversion_relay.cli.webhook_samples import names_of
from conversion_relay.payments import PROVIDERS
from tests.payments.signing import IN_HEADERS, headers_of
from tests.webhooks.shop import EVERY_PROVIDER, NOW, open_shop

PURCHASE = {
    "stripe": "cart-77", "paddle": "cart-77", "lemonsqueezy": "cart-77", "razorpay": "cart-77", "shopify": "9001",
    "woocommerce": "52", "square": "cart-77", "mollie": "cart-77", "paypal": "cart-77", "standard": "cart-77",
    "digistore24": "cart-77",
}  # fmt: skip
RENEWAL = {
    "stripe": ("in_2", 9.0), "paddle": ("txn_2", 49.9), "lemonsqueezy": ("invoice-1001", 49.9),
    "razorpay": ("pay_1", 499.0), "mollie": ("tr_T2", 49.9), "paypal": ("SALET2", 9.0), "standard": ("ord_2", 49.9),
    "digistore24": ("4000100", 49.9),
}  # fmt: skip
PAISE = "payload__payment__entity__amount"
REFUND = {
    "stripe": "re_1", "paddle": "adj_1", "lemonsqueezy": "1001_1000", "razorpay": "rfnd_1", "shopify": "7",
    "woocommerce": "60", "square": "refT1", "mollie": "re_T1", "paypal": "REF1", "standard": "ref_1",
    "digistore24": "3999990",
}  # fmt: skip


@pytest.fixture
def shop(tmp_path):
    with open_shop(tmp_path, RELAY_REFUNDS="event", **EVERY_PROVIDER) as opened:
        yield opened


def sample(provider: str, name: str = "paid"):
    return webhook_samples.sample(provider, name, NOW - 60)


def changed(provider: str, **places) -> dict:
    """The paid sample with other members, by path (`a__b`)."""
    document = copy.deepcopy(sample(provider))
    for path, value in places.items():
        *above, last = path.split("__")
        found = document
        for name in above:
            found = found[int(name)] if isinstance(found, list) else found[name]
        found[last] = value
    return document


def test_every_provider_has_its_samples():
    assert PROVIDERS.keys() == PURCHASE.keys()
    assert all({"paid", "pending", "refund", "other"} <= set(names_of(provider)) for provider in PROVIDERS)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_was_paid_is_one_purchase_under_the_orders_key(shop, provider):
    assert shop.told(provider, sample(provider)).body == {
        "message": "accepted",
        "event_id": f"purchase_{PURCHASE[provider]}",
    }
    assert shop.told(provider, sample(provider)).body["message"] == "duplicate"
    (event,) = shop.events().values()
    custom = event["custom_data"]
    expected = (499.0, "INR") if provider == "razorpay" else (49.9, "EUR")
    assert (event["event_name"], custom["value"], custom["currency"]) == ("Purchase", *expected)
    assert (custom["order_id"], event["event_time"]) == (PURCHASE[provider], NOW - 60)
    assert event["user_data"] and "ada" not in json.dumps(event).lower()
    if provider != "paypal":
        assert len(event["user_data"]["em"][0]) == 64


DECLINED: dict[str, dict] = {
    "stripe": {"data__object__metadata": {"consent": "denied"}},
    "paddle": {"data__custom_data": {"consent": "denied"}},
    "lemonsqueezy": {"meta__custom_data": {"consent": "denied"}},
    "razorpay": {"payload__payment__entity__notes": {"consent": "denied"}},
    "shopify": {"note_attributes": [{"name": "consent", "value": "denied"}]},
    "woocommerce": {"meta_data": [{"key": "consent", "value": "denied"}]},
    "mollie": {"_embedded__entity__metadata": {"consent": "denied"}},
    "standard": {"data__metadata": {"consent": "denied"}},
    "digistore24": {"custom": "order_id=9&consent=denied"},
}
"""Where the shop gives the buyer's choice along; PayPal and Square have no such place."""


@pytest.mark.parametrize("provider", DECLINED)
def test_who_declined_is_not_counted_whichever_provider_tells_of_the_payment(shop, provider):
    assert shop.told(provider, changed(provider, **DECLINED[provider])).body == {"message": "withheld"}
    assert shop.events() == {}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_not_paid_and_what_is_not_ours_is_a_200_and_no_event(shop, provider):
    pending, other = shop.told(provider, sample(provider, "pending")), shop.told(provider, sample(provider, "other"))
    assert (pending.status, pending.body["message"]) == (200, "pending")
    assert (other.status, other.body["message"]) == (200, "ignored")
    assert shop.events() == {}


@pytest.mark.parametrize("provider", RENEWAL)
def test_a_renewal_happened_by_itself_and_has_an_id_of_its_own(shop, provider):
    number, value = RENEWAL[provider]
    assert shop.told(provider, sample(provider, "renewal")).body["event_id"] == f"renewal_{number}"
    event = shop.events()[f"renewal_{number}"]
    assert (event["action_source"], event["custom_data"]["value"]) == ("system_generated", value)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_went_back_names_the_purchase_that_it_was(shop, provider):
    shop.told(provider, sample(provider))
    answer = shop.told(provider, sample(provider, "refund"))
    assert answer.status == 200, answer.body
    event = shop.events()[f"refund_{REFUND[provider]}"]
    assert (event["event_name"], event["custom_data"]["value"]) == ("Refund", 10.0)
    assert event["original_event_data"]["event_id"] == f"purchase_{PURCHASE[provider]}"


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "paypal"])  # its sandbox has certificates
def test_the_notice_of_a_test_secret_is_no_purchase(tmp_path, provider):
    tests = {
        name: ",".join(f"test:{one}" for one in value.split(",")) if name.endswith("SECRET") else value
        for name, value in EVERY_PROVIDER.items()
    }
    with open_shop(tmp_path, RELAY_REFUNDS="event", **tests) as shop:
        for name in ("paid", "refund"):
            assert shop.told(provider, sample(provider, name)).body["reason"] == "test_payment"
        assert shop.events() == {}


@pytest.mark.parametrize(
    ("provider", "places", "value", "currency"),
    [
        ("paddle", {"data__currency_code": "JPY", "data__details__totals__grand_total": "12000"}, 12000, "JPY"),
        ("paddle", {"data__details__totals__grand_total": "4490"}, 44.9, "EUR"),
        ("lemonsqueezy", {"data__attributes__total": 1}, 0.01, "EUR"),
        ("lemonsqueezy", {"data__attributes__currency": "JPY", "data__attributes__currency_rate": "0.0067",
                          "data__attributes__total": 12000, "data__attributes__total_usd": 8040}, 12000, "JPY"),
        ("lemonsqueezy", {"data__attributes__currency": "JPY", "data__attributes__currency_rate": "0.0067",
                          "data__attributes__total": 1200000, "data__attributes__total_usd": 8040}, 12000, "JPY"),
        ("razorpay", {"payload__payment__entity__currency": "JPY", PAISE: 500}, 500, "JPY"),
        ("razorpay", {"payload__payment__entity__currency": "KWD", PAISE: 1230}, 1.23, "KWD"),
        ("razorpay", {"payload__payment__entity__currency": "ISK", PAISE: 500}, 500, "ISK"),
        ("shopify", {"currency": "JPY", "total_price": "12000"}, 12000, "JPY"),
        ("shopify", {"currency": "KWD", "total_price": "1.234"}, 1.234, "KWD"),
        ("woocommerce", {"currency": "JPY", "total": "12000"}, 12000, "JPY"),
        ("woocommerce", {"currency": "KWD", "total": "1.234"}, 1.234, "KWD"),
        ("square", {"data__object__payment__total_money": {"amount": 500, "currency": "JPY"}}, 500, "JPY"),
        ("mollie", {"_embedded__entity__amount": {"value": "12000", "currency": "JPY"}}, 12000, "JPY"),
        ("paypal", {"resource__amount": {"value": "12000", "currency_code": "JPY"}}, 12000, "JPY"),
        ("paypal", {"resource__amount": {"value": "100", "currency_code": "HUF"}}, 100, "HUF"),
        ("standard", {"data__currency": "jpy", "data__total_amount": 500}, 500, "JPY"),
        ("standard", {"data__currency": "kwd", "data__total_amount": 1230}, 1.23, "KWD"),
    ],
)  # fmt: skip
def test_an_amount_is_in_the_providers_own_unit(shop, provider, places, value, currency):
    assert shop.told(provider, changed(provider, **places)).body["message"] == "accepted"
    (event,) = shop.events().values()
    assert (event["custom_data"]["value"], event["custom_data"]["currency"]) == (value, currency)


@pytest.mark.parametrize(
    ("provider", "places", "reason"),
    [
        (
            "lemonsqueezy",
            {"data__attributes__currency": "JPY", "data__attributes__currency_rate": "0.3"},
            "unit_unknown",
        ),
        ("paddle", {"data__currency_code": "XXZ"}, "unknown_currency"),
        ("paddle", {"data__details__totals__grand_total": "0"}, "free"),
        ("shopify", {"total_price": "NaN"}, "not_an_amount"),
        ("shopify", {"test": True}, "test_payment"),
        ("shopify", {"financial_status": "voided"}, "failed"),
        ("woocommerce", {"total": "-1"}, "not_an_amount"),
        ("woocommerce", {"status": "cancelled"}, "failed"),
        ("woocommerce", {"date_paid_gmt": None}, "not_paid"),
        ("square", {"data__object__payment__total_money": None}, "unknown_currency"),
        ("square", {"data__object__payment__status": "FAILED"}, "failed"),
        ("mollie", {"_embedded__entity__mode": "test"}, "test_payment"),
        ("mollie", {"_embedded__entity__status": "expired"}, "failed"),
        ("paypal", {"resource__amount": "49.90"}, "unknown_currency"),
        ("razorpay", {"payload__payment__entity__amount": True}, "not_an_amount"),
        ("standard", {"data__id": None}, "odd_shape"),
    ],
)
def test_what_cannot_be_counted_is_a_200_that_says_why(shop, provider, places, reason):
    answer = shop.told(provider, changed(provider, **places))
    assert (answer.status, answer.body["reason"]) == (200, reason)
    assert shop.events() == {}


def test_several_items_stand_in_the_purchase(shop):
    shop.told("shopify", sample("shopify"))
    custom = shop.events()["purchase_9001"]["custom_data"]
    assert custom["contents"] == [
        {"id": "1", "quantity": 2, "item_price": 20.0, "title": "Print"},
        {"id": "2", "quantity": 1, "item_price": 5.0, "title": "Frame"},
    ]
    assert (custom["num_items"], custom["content_ids"]) == (3, ["1", "2"])


@pytest.mark.parametrize("provider", ["shopify", "woocommerce"])
def test_a_shop_that_saw_the_browser_tells_of_it(shop, provider):
    shop.told(provider, sample(provider))
    (event,) = shop.events().values()
    assert event["user_data"]["fbp"] == "fb.1.1596403881668.1116446470"
    assert event["user_data"]["client_user_agent"] == "Mozilla/5.0"
    assert event["action_source"] == ("website" if provider == "shopify" else "other"), "a page must be known, too"
    assert event.get("event_source_url") in (None, "https://shop.example/"), "an order's own address is a key to it"


def test_the_four_notices_of_one_razorpay_payment_are_one_purchase(shop):
    for kind in ("payment.captured", "order.paid", "payment_link.paid", "invoice.paid"):
        assert shop.told("razorpay", changed("razorpay", event=kind)).status == 200
    assert list(shop.events()) == ["purchase_cart-77"]


def test_an_order_that_woocommerce_saves_again_for_months_is_counted_once(shop):
    refunded = sample("woocommerce", "refund")
    for _ in range(12):
        shop.told("woocommerce", refunded)
        shop.now += 9 * 86_400
    shop.now = NOW
    assert set(shop.events()) == {"purchase_52", "refund_60"}


def test_the_ping_with_which_woocommerce_tries_an_address_is_answered(shop):
    assert shop.webhooks.answer("woocommerce", b"webhook_id=12", {}).status == 200
    assert shop.webhooks.answer("woocommerce", b"webhook_id=12&x=1", {}).status == 400


@pytest.mark.parametrize(
    ("setting", "provider", "key"),
    [
        ("SHOPIFY_ORDER_KEY", "name", "#1001"),
        ("SHOPIFY_ORDER_KEY", "notes.cart", "c-9"),
        ("SHOPIFY_ORDER_KEY", "notes.none", "9001"),
    ],
)
def test_a_shop_says_where_its_order_is_named(tmp_path, setting, provider, key):
    with open_shop(tmp_path, **EVERY_PROVIDER, **{setting: provider}) as shop:
        order = changed("shopify", note_attributes=[{"name": "cart", "value": "c-9"}])
        assert shop.told("shopify", order).body["event_id"] == f"purchase_{key}"


@pytest.mark.parametrize("provider", IN_HEADERS)
def test_what_nobody_signed_is_a_400_at_the_door(shop, provider):
    raw = json.dumps(sample(provider)).encode()
    for headers in ({}, headers_of(provider, raw + b" ", NOW), dict.fromkeys(headers_of(provider, raw, NOW), "é")):
        answer = shop.webhooks.answer(provider, raw, headers)
        assert (answer.status, "event_id" in answer.body) == (400, False)
    assert shop.events() == {}
