"""Senders that repeat the secret and cannot sign: a checkout for courses, a tool for automation."""

import json
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from conversion_relay import Settings, SettingsError
from conversion_relay.cli.webhook_signing import of_source
from tests.webhooks.shop import NOW, open_shop_of

DOCUMENT = (Path(__file__).parents[2] / "docs/payments.md").read_text("utf-8")
GUMROAD = re.search(r"```toml\n(\[\[source\]\]\nname = \"gumroad\"\n.*?)```", DOCUMENT, re.DOTALL)[1]
# Hotmart's webhook, and a header as Zapier and Make write it.
FILE = (
    GUMROAD
    + """
[[source]]
name = "hotmart"
scheme = "secret"
header = "X-Hotmart-Hottok"
type = "event"
paid = ["PURCHASE_APPROVED"]
fields = { key = "data.purchase.transaction", value = "data.purchase.price.value", \
currency = "data.purchase.price.currency_value", time = "data.purchase.approved_date", email = "data.buyer.email" }

[[source]]
name = "zap"
scheme = "secret"
header = "authorization"
prefix = "Bearer "
paid = ["sale"]
fields = { key = "id", value = "value", currency = "currency" }
"""
)
SECRETS = {
    "GUMROAD_WEBHOOK_SECRET": "seller-canary==",
    "HOTMART_WEBHOOK_SECRET": "hottok-canary, test:hottok-of-tests",
    "ZAP_WEBHOOK_SECRET": "zäp-canary",
}


@pytest.fixture
def shop(tmp_path):
    with open_shop_of(tmp_path, FILE, **SECRETS) as opened:
        yield opened


def ping(shop, **more: str):
    """As https://gumroad.com/ping tells of it: of three of its marks it has those that are true."""
    told = {
        "seller_id": "seller-canary==",
        "email": "ada.test@example.com",
        "full_name": "Ada Test",
        "price": "4990",
        "currency": "usd",
        "sale_id": "FO8TXN-dvxYabdavG97Y-Q==",
        "sale_timestamp": "2026-11-23T11:58:00Z",
        "url_params[client_reference_id]": "R-1",
        "url_params[_fbp]": "fb.1.1790000000000.123",
        "refunded": "false",
    }
    return shop.webhooks.answer("gumroad", urlencode({k: v for k, v in (told | more).items() if v}).encode(), {})


def test_a_checkout_that_sends_forms_brings_back_the_reference_that_the_page_gave_it(shop):
    assert ping(shop).body == {"message": "accepted", "event_id": "purchase_R-1"}
    assert ping(shop).body["message"] == "duplicate"
    event = shop.events()["purchase_R-1"]
    assert (event["custom_data"]["value"], event["custom_data"]["currency"]) == (49.9, "USD")
    assert event["user_data"]["fbp"] == "fb.1.1790000000000.123" and len(event["user_data"]["em"][0]) == 64
    assert "canary" not in json.dumps(event)


def test_without_a_reference_the_payment_counts_by_its_own_id(shop):
    bare = {"url_params[client_reference_id]": ""}
    assert ping(shop, **bare).body["event_id"].startswith("purchase_FO8TXN")


def test_what_goes_back_is_a_refund_and_a_test_is_not_counted(shop):
    ping(shop)
    assert ping(shop, refunded="true").body["message"] == "accepted"
    assert [e["original_event_data"]["order_id"] for e in shop.events().values() if "original_event_data" in e] == [
        "R-1"
    ]
    assert ping(shop, test="true", sale_id="T").body["reason"] == "test_payment"


def test_a_membership_s_later_charges_are_renewals_and_each_refund_is_its_own(shop):
    """The address's parameters stay those of the first sale."""
    later = {"subscription_id": "M-1", "is_recurring_charge": "true", "sale_id": "S-2"}
    assert ping(shop, subscription_id="M-1").body["event_id"] == "purchase_R-1"
    assert ping(shop, **later).body["event_id"] == "renewal_S-2"
    assert ping(shop, **later).body["message"] == "duplicate"
    for sale in ({}, later):
        assert ping(shop, **sale, refunded="true").body["message"] == "accepted"
    back = [e["original_event_data"]["event_id"] for e in shop.events().values() if "original_event_data" in e]
    assert sorted(back) == ["purchase_R-1", "renewal_S-2"]


def test_a_card_that_is_only_authorized_for_a_preorder_is_no_money(shop):
    assert ping(shop, is_preorder_authorization="true").body == {"message": "ignored", "reason": "other_type"}
    assert ping(shop, sale_id="S-3").body["event_id"] == "purchase_R-1"


@pytest.mark.parametrize("seller", ["", "another", "seller-canary", "é"])
def test_who_does_not_know_the_secret_is_refused(shop, seller):
    answer = ping(shop, seller_id=seller)
    assert (answer.status, answer.body["field"]) == (400, "seller_id") and "canary" not in str(answer.body)
    assert shop.events() == {}


def test_a_secret_in_a_header_may_be_one_of_several_and_of_the_test_mode(shop):
    price = {"value": 1497.5, "currency_value": "BRL"}
    told = {"transaction": "HP1", "approved_date": NOW * 1000, "price": price}
    raw = json.dumps({"event": "PURCHASE_APPROVED", "data": {"purchase": told, "buyer": {"email": "a@example.com"}}})

    def sent(token: str) -> dict:
        return shop.webhooks.answer("hotmart", raw.encode(), {"x-hotmart-hottok": token}).body

    assert sent("hottok-canary")["event_id"] == "purchase_HP1"
    assert sent("hottok-of-tests")["reason"] == "test_payment"
    assert sent("test:hottok-of-tests")["reason"] == "signature_wrong" == sent("hottok-canary, test:x")["reason"]
    assert shop.webhooks.answer("hotmart", raw.encode(), {}).body["reason"] == "signature_missing"
    assert shop.events()["purchase_HP1"]["custom_data"]["value"] == 1497.5


def test_the_sender_that_a_person_tries_it_with_repeats_it_too(shop):
    raw = b'{"type": "sale", "id": "Z1", "value": "9.50", "currency": "EUR"}'
    source = shop.relay.settings.payments.sources["zap"]
    headers = of_source(source, raw, "zäp-canary", NOW)
    assert shop.webhooks.answer("zap", raw, headers).body["event_id"] == "purchase_Z1"
    assert of_source(shop.relay.settings.payments.sources["gumroad"], raw, "x", NOW) == {}


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ('secret_place = "a"', "secret_place"),
        ('scheme = "secret"\nsecret_place = "$.a"', "secret_place"),
        ('scheme = "token"', "scheme"),
        ('body = "xml"', "body"),
    ],
)
def test_a_table_that_cannot_be_meant_so_is_told_by_its_key(tmp_path, table, named):
    (tmp_path / "relay.toml").write_text(
        f'[[source]]\nname = "till"\n{table}\npaid = ["x"]\nfields = {{ key = "k" }}\n'
    )
    with pytest.raises(SettingsError, match=named):
        Settings.from_env({"RELAY_CONFIG": str(tmp_path / "relay.toml"), "TILL_WEBHOOK_SECRET": "s"}, required=())
