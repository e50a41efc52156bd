"""Six orders at every provider: plain, no decimals, three of them, a discount, taxes and shipping, several items.

What Meta gets is what the buyer paid; what stands beside it in the notice is neither added nor taken away.
"""

import json

import pytest

from conversion_relay.payments import PROVIDERS
from tests.webhooks.shop import EVERY_PROVIDER, open_shop
from tests.webhooks.test_providers import PAISE, changed

PLAIN: dict[str, object] = {}
ORDERS: dict[str, list[tuple[dict[str, object], float, str, list[str]]]] = {
    "stripe": [
        (PLAIN, 49.9, "EUR", []),
        ({"data__object__currency": "jpy", "data__object__amount_total": 12000}, 12000, "JPY", []),
        ({"data__object__currency": "kwd", "data__object__amount_total": 1230}, 1.23, "KWD", []),
        (
            {"data__object__amount_total": 3990, "data__object__total_details": {"amount_discount": 1000}},
            39.9,
            "EUR",
            [],
        ),
        (
            {
                "data__object__amount_total": 6480,
                "data__object__total_details": {"amount_tax": 1035, "amount_shipping": 490},
            },
            64.8,
            "EUR",
            [],
        ),
        (
            {
                "data__object__line_items": {
                    "data": [
                        {"price": {"product": "p1"}, "quantity": 2, "amount_total": 4000},
                        {"price": {"product": "p2"}, "quantity": 1, "amount_total": 990},
                    ]
                }
            },
            49.9,
            "EUR",
            ["p1", "p2"],
        ),
    ],
    "paddle": [
        (PLAIN, 49.9, "EUR", ["pro_1"]),
        ({"data__currency_code": "JPY", "data__details__totals__grand_total": "12000"}, 12000, "JPY", ["pro_1"]),
        ({"data__currency_code": "KWD", "data__details__totals__grand_total": "1230"}, 1.23, "KWD", ["pro_1"]),
        (
            {"data__details__totals": {"subtotal": "4193", "discount": "1000", "tax": "607", "grand_total": "3800"}},
            38,
            "EUR",
            ["pro_1"],
        ),
        ({"data__details__totals": {"subtotal": "5445", "tax": "1035", "grand_total": "6480"}}, 64.8, "EUR", ["pro_1"]),
        (
            {
                "data__items": [
                    {"quantity": 2, "price": {"product_id": "p1", "unit_price": {"amount": "2000"}}},
                    {"quantity": 1, "price": {"product_id": "p2", "unit_price": {"amount": "990"}}},
                ]
            },
            49.9,
            "EUR",
            ["p1", "p2"],
        ),
    ],
    "lemonsqueezy": [
        (PLAIN, 49.9, "EUR", ["7"]),
        (
            {
                "data__attributes__currency": "JPY",
                "data__attributes__currency_rate": "0.0067",
                "data__attributes__total": 12000,
                "data__attributes__total_usd": 8040,
            },
            12000,
            "JPY",
            ["7"],
        ),
        (
            {
                "data__attributes__currency": "KWD",
                "data__attributes__currency_rate": "3.25",
                "data__attributes__total": 1230,
                "data__attributes__total_usd": 400,
            },
            1.23,
            "KWD",
            ["7"],
        ),
        ({"data__attributes__total": 3990, "data__attributes__discount_total": 1000}, 39.9, "EUR", ["7"]),
        (
            {"data__attributes__total": 6480, "data__attributes__tax": 1035, "data__attributes__subtotal": 5445},
            64.8,
            "EUR",
            ["7"],
        ),
        (
            {"data__attributes__first_order_item": {"product_id": 8, "product_name": "Frame", "quantity": 3}},
            49.9,
            "EUR",
            ["8"],
        ),
    ],
    "razorpay": [
        (PLAIN, 499.0, "INR", []),
        ({"payload__payment__entity__currency": "JPY", PAISE: 500}, 500, "JPY", []),
        ({"payload__payment__entity__currency": "KWD", PAISE: 1230}, 1.23, "KWD", []),
        (
            {PAISE: 39900, "payload__payment__entity__notes": {"order_id": "cart-77", "discount": "100"}},
            399.0,
            "INR",
            [],
        ),
        ({PAISE: 64800, "payload__payment__entity__fee": 1296, "payload__payment__entity__tax": 198}, 648.0, "INR", []),
        ({"payload__payment__entity__description": "2 x Print, 1 x Frame"}, 499.0, "INR", []),
    ],
    "shopify": [
        (PLAIN, 49.9, "EUR", ["1", "2"]),
        ({"currency": "JPY", "total_price": "12000"}, 12000, "JPY", ["1", "2"]),
        ({"currency": "KWD", "total_price": "1.234"}, 1.234, "KWD", ["1", "2"]),
        ({"total_price": "39.90", "total_discounts": "10.00"}, 39.9, "EUR", ["1", "2"]),
        (
            {
                "total_price": "64.80",
                "total_tax": "10.35",
                "total_shipping_price_set": {"shop_money": {"amount": "4.90"}},
            },
            64.8,
            "EUR",
            ["1", "2"],
        ),
        (
            {"line_items": [{"product_id": n, "quantity": n, "price": "5.00"} for n in (3, 4, 5)]},
            49.9,
            "EUR",
            ["3", "4", "5"],
        ),
    ],
    "woocommerce": [
        (PLAIN, 49.9, "EUR", ["1"]),
        ({"currency": "JPY", "total": "12000"}, 12000, "JPY", ["1"]),
        ({"currency": "KWD", "total": "1.234"}, 1.234, "KWD", ["1"]),
        ({"total": "39.90", "discount_total": "10.00"}, 39.9, "EUR", ["1"]),
        ({"total": "64.80", "total_tax": "10.35", "shipping_total": "4.90"}, 64.8, "EUR", ["1"]),
        (
            {"line_items": [{"product_id": n, "quantity": n, "price": 5} for n in (3, 4, 5)]},
            49.9,
            "EUR",
            ["3", "4", "5"],
        ),
    ],
    "square": [
        (PLAIN, 49.9, "EUR", []),
        ({"data__object__payment__total_money": {"amount": 500, "currency": "JPY"}}, 500, "JPY", []),
        ({"data__object__payment__total_money": {"amount": 1230, "currency": "KWD"}}, 1.23, "KWD", []),
        (
            {
                "data__object__payment__total_money": {"amount": 3990, "currency": "EUR"},
                "data__object__payment__amount_money": {"amount": 3490, "currency": "EUR"},
            },
            39.9,
            "EUR",
            [],
        ),
        (
            {
                "data__object__payment__total_money": {"amount": 6480, "currency": "EUR"},
                "data__object__payment__app_fee_money": {"amount": 100, "currency": "EUR"},
            },
            64.8,
            "EUR",
            [],
        ),
        ({"data__object__payment__note": "2 x Print, 1 x Frame"}, 49.9, "EUR", []),
    ],
    "mollie": [
        (PLAIN, 49.9, "EUR", []),
        ({"_embedded__entity__amount": {"value": "12000", "currency": "JPY"}}, 12000, "JPY", []),
        ({"_embedded__entity__amount": {"value": "1.230", "currency": "KWD"}}, 1.23, "KWD", []),
        (
            {
                "_embedded__entity__amount": {"value": "39.90", "currency": "EUR"},
                "_embedded__entity__lines": [
                    {
                        "sku": "p1",
                        "quantity": 1,
                        "unitPrice": {"value": "49.90"},
                        "description": "Print",
                        "discountAmount": {"value": "10.00"},
                    }
                ],
            },
            39.9,
            "EUR",
            ["p1"],
        ),
        (
            {
                "_embedded__entity__amount": {"value": "64.80", "currency": "EUR"},
                "_embedded__entity__settlementAmount": {"value": "63.00", "currency": "EUR"},
            },
            64.8,
            "EUR",
            [],
        ),
        (
            {
                "_embedded__entity__lines": [
                    {"sku": "p1", "quantity": 2, "unitPrice": {"value": "20.00"}},
                    {"sku": "p2", "quantity": 1, "unitPrice": {"value": "9.90"}},
                ]
            },
            49.9,
            "EUR",
            ["p1", "p2"],
        ),
    ],
    "paypal": [
        (PLAIN, 49.9, "EUR", []),
        ({"resource__amount": {"value": "12000", "currency_code": "JPY"}}, 12000, "JPY", []),
        ({"resource__amount": {"value": "100", "currency_code": "HUF"}}, 100, "HUF", []),  # none has three
        ({"resource__amount": {"value": "39.90", "currency_code": "EUR"}}, 39.9, "EUR", []),
        (
            {
                "resource__amount": {"value": "64.80", "currency_code": "EUR"},
                "resource__seller_receivable_breakdown": {
                    "gross_amount": {"value": "64.80"},
                    "paypal_fee": {"value": "2.10"},
                    "net_amount": {"value": "62.70"},
                },
            },
            64.8,
            "EUR",
            [],
        ),
        ({"resource__final_capture": True}, 49.9, "EUR", []),
    ],
    "digistore24": [
        (PLAIN, 49.9, "EUR", ["512345"]),
        ({"transaction_amount": "12000", "transaction_currency": "JPY", "currency": "JPY"}, 12000, "JPY", ["512345"]),
        ({"transaction_amount": "1.230", "transaction_currency": "KWD", "currency": "KWD"}, 1.23, "KWD", ["512345"]),
        # The vendor has all amounts converted, and the buyer paid dollars.
        ({"transaction_amount": "54.89", "transaction_currency": "USD"}, 49.9, "EUR", ["512345"]),
        ({"transaction_amount": "64.80", "transaction_vat_amount": "10.35"}, 64.8, "EUR", ["512345"]),
        ({"transaction_amount": "", "quantity": "2"}, 49.9, "EUR", ["512345"]),
    ],
    "standard": [
        (PLAIN, 49.9, "EUR", []),
        ({"data__currency": "jpy", "data__total_amount": 500}, 500, "JPY", []),
        ({"data__currency": "kwd", "data__total_amount": 1230}, 1.23, "KWD", []),
        ({"data__total_amount": 3990, "data__discount_amount": 1000}, 39.9, "EUR", []),
        ({"data__total_amount": 6480, "data__tax_amount": 1035, "data__subtotal_amount": 5445}, 64.8, "EUR", []),
        ({"data__product": {"id": "p1", "name": "Print"}}, 49.9, "EUR", []),
    ],
}
CASES = [(provider, n) for provider, orders in ORDERS.items() for n in range(len(orders))]


@pytest.fixture(scope="module")
def each(tmp_path_factory):
    """What came of each order, in one shop for each: the ids are the same."""
    found = {}
    for provider, n in CASES:
        with open_shop(tmp_path_factory.mktemp(f"{provider}{n}"), **EVERY_PROVIDER) as shop:
            said = shop.told(provider, changed(provider, **ORDERS[provider][n][0]))
            found[provider, n] = said, list(shop.events().values())
    return found


@pytest.mark.parametrize(("provider", "n"), CASES)
def test_what_the_buyer_paid_is_what_meta_gets(each, provider, n):
    _, value, currency, ids = ORDERS[provider][n]
    said, events = each[provider, n]
    assert said.body["message"] == "accepted", said.body
    (event,) = events
    custom = event["custom_data"]
    assert (custom["value"], custom["currency"]) == (value, currency)
    assert custom.get("content_ids", []) == ids
    assert custom.get("num_items", 0) == sum(one["quantity"] for one in custom.get("contents", []))
    assert custom["order_id"] and "ada" not in json.dumps(event).lower()


def test_every_provider_has_six_with_currencies_of_no_and_of_three_decimals():
    assert ORDERS.keys() == PROVIDERS.keys()
    for provider, orders in ORDERS.items():
        assert len(orders) >= 6
        of_three = set() if provider == "paypal" else {"KWD"}  # PayPal takes no currency of three
        assert {currency for _, _, currency, _ in orders} >= {"JPY"} | of_three, provider
