"""A sender that the TOML file describes: a shop of its own kind, a CRM, a sender of Standard Webhooks."""

import base64
import contextlib
import hashlib
import hmac
import json

import pytest

from conversion_relay import Settings, SettingsError
from conversion_relay.payments.sources import Source
from tests.payments.signing import STANDARD_SECRET, headers_of
from tests.webhooks.shop import DATASET, NOW, open_shop_of

FILE = """
[[source]]
name = "till"
header = "X-Till-Signature"
algorithm = "sha512"
encoding = "base64"
prefix = "sig="
time_header = "X-Till-Time"
type = "event.kind"
paid = ["sale.closed"]
refunded = ["sale.returned"]
unit = "minor"
[source.fields]
key = "sale.number"
value = "sale.cents"
currency = "sale.currency"
time = "sale.closed_at"
refund = "sale.return_number"
email = "buyer.mail"

[[source]]
name = "crm"
type = "stage"
time_header = ""
fields = { key = "lead.id", lead_id = "lead.meta_id", email = "lead.email", time = "at" }
stages = { "qualified" = "Qualified Lead", "won" = "Converted" }

[[source]]
name = "polarlike"
scheme = "standard"
paid = ["order.paid"]
fields = { key = "data.id", value = "data.total", currency = "data.currency" }
"""
SECRETS = {
    "TILL_WEBHOOK_SECRET": "till-canary",
    "CRM_WEBHOOK_SECRET": "crm-canary",
    "POLARLIKE_WEBHOOK_SECRET": STANDARD_SECRET,
}


@pytest.fixture
def shop(tmp_path):
    with open_shop_of(tmp_path, FILE, **SECRETS) as opened:
        yield opened


def till(shop, document: dict, secret: str = "till-canary", at: int = NOW):
    raw = json.dumps(document).encode()
    digest = hmac.new(secret.encode(), b"%d." % at + raw, hashlib.sha512).digest()
    headers = {"x-till-time": str(at), "x-till-signature": f"sig={base64.b64encode(digest).decode()}"}
    return shop.webhooks.answer("till", raw, headers)


def sale(kind: str = "sale.closed", **more) -> dict:
    told = {"number": "S-1", "cents": 12000, "currency": "jpy", "closed_at": NOW - 9, "return_number": "R-1"}
    return {"event": {"kind": kind}, "sale": told | more, "buyer": {"mail": "ada.test@example.com"}}


def test_a_till_of_its_own_kind_is_a_provider_like_the_others(shop):
    assert till(shop, sale()).body == {"message": "accepted", "event_id": "purchase_S-1"}
    assert till(shop, sale()).body["message"] == "duplicate"
    assert till(shop, sale("sale.opened")).body["reason"] == "other_type"
    assert till(shop, sale(number=None)).body["reason"] == "odd_shape"
    event = shop.events()["purchase_S-1"]
    assert (event["custom_data"]["value"], event["custom_data"]["currency"]) == (12000, "JPY")
    assert (event["event_time"], len(event["user_data"]["em"][0])) == (NOW - 9, 64)


def test_what_goes_back_over_the_till_is_a_refund(shop):
    till(shop, sale())
    assert till(shop, sale("sale.returned", cents=500)).body["event_id"] == "refund_R-1"
    assert shop.events()["refund_R-1"]["original_event_data"]["order_id"] == "S-1"


@pytest.mark.parametrize(("secret", "at"), [("another", NOW), ("till-canary", NOW - 301), ("", NOW)])
def test_what_the_till_did_not_sign_or_long_ago_is_refused(shop, secret, at):
    assert till(shop, sale(), secret, at).status == 400
    assert shop.webhooks.answer("till", b"{}", {}).status == 400
    assert shop.webhooks.answer("till", b"{}", {"x-till-signature": "sig=x", "x-till-time": "é"}).status == 400
    assert shop.events() == {}


def test_each_stage_of_a_lead_is_an_event_of_the_crm(shop):
    raw = json.dumps(
        {
            "stage": "qualified",
            "at": NOW - 60,
            "lead": {"id": "d-1", "meta_id": 1234567890123456, "email": "a@example.com"},
        }
    ).encode()
    headers = {"x-signature": hmac.new(b"crm-canary", raw, "sha256").hexdigest()}
    for message in ("accepted", "duplicate"):
        assert shop.webhooks.answer("crm", raw, headers).body["message"] == message
    event = shop.events()["stage_d-1_Qualified-Lead"]
    assert (event["event_name"], event["action_source"]) == ("Qualified Lead", "system_generated")
    assert event["custom_data"] == {"event_source": "crm", "lead_event_source": "crm"}
    assert str(event["user_data"]["lead_id"]) == "1234567890123456"


PLAIN = """
[[source]]
name = "crm"
paid = ["won"]
refunded = ["back"]
decimal = ","
currency = "EUR"
fields = { key = "order id", payment = "by", refund = "of", value = "items.0.price" }
"""


def crm(shop, **more):
    told = {"type": "won", "order id": "D-1", "items": [{"price": "49,90"}]} | more
    raw = json.dumps(told).encode()
    return shop.webhooks.answer("crm", raw, {"x-signature": hmac.new(b"crm-canary", raw, "sha256").hexdigest()})


@pytest.fixture
def plain(tmp_path):
    with open_shop_of(tmp_path, PLAIN, CRM_WEBHOOK_SECRET="crm-canary") as opened:
        yield opened


@pytest.mark.parametrize(
    ("written", "value"),
    [("49,90", 49.9), ("1.234,5", 1234.5), ("1 234 567", 1234567), ("1.234", 1234), (49.9, 49.9), (5, 5)]
    + [(odd, None) for odd in ("49.90", "1,234.50", "12.34,5", "49,90 EUR", "1_000", "", ",5", "٣,٤", None)],
)
def test_amounts_as_people_write_them_are_read_by_the_mark_that_the_table_names(plain, written, value):
    answer = crm(plain, items=[{"price": written}])
    assert answer.body.get("reason") == (None if value else "not_an_amount")
    found = [(event["custom_data"]["value"], event["custom_data"]["currency"]) for event in plain.events().values()]
    assert found == ([(value, "EUR")] if value else [])


def test_no_person_comes_in_by_the_name_of_a_payment_or_a_refund(plain):
    for payer in ("Ada Test", "Grace Canary", "grace@example.com", "x" * 300, "a\nb", {"name": "Grace Canary"}):
        assert crm(plain, by=payer).status == 200
    assert crm(plain, type="back", by="Grace Canary", of="Grace Canary").body["message"] == "accepted"
    events = plain.events()
    assert len(events) == 6, "an object names no payment, and is the first one again under its order's name"
    for name, event in events.items():
        told = name + json.dumps(event)
        assert not any(part in told for part in ("Ada", "Grace", "Canary", "grace@")) and len(name) < 200


def test_an_order_s_name_that_is_too_long_costs_no_payment(plain):
    assert [crm(plain, **{"order id": "x" * 300}).body["message"] for _ in range(2)] == ["accepted", "duplicate"]


def test_a_sender_of_standard_webhooks_may_have_any_shape(shop):
    raw = json.dumps({"type": "order.paid", "data": {"id": "o-1", "total": "49.90", "currency": "eur"}}).encode()
    answer = shop.webhooks.answer("polarlike", raw, headers_of("standard", raw, NOW))
    assert answer.body == {"message": "accepted", "event_id": "purchase_o-1"}


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ('name = "stripe"\npaid = ["x"]', "name"),
        ('name = "Till"\npaid = ["x"]', "name"),
        ('name = "till"\npaid = ["x"]', "fields.key"),
        ('name = "till"\nfields = { key = "id" }', "paid"),
        ('name = "till"\npaid = "canary"\nfields = { key = "id" }', "paid"),
        ('name = "till"\nalgorithm = "md5"\npaid = ["x"]\nfields = { key = "id" }', "algorithm"),
        ('name = "till"\nunit = 5\npaid = ["x"]\nfields = { key = "id" }', "unit"),
        ('name = "till"\ncolour = "canary"\npaid = ["x"]\nfields = { key = "id" }', "colour"),
        ('name = "till"\npaid = ["x"]\nfields = { key = "id", colour = "canary" }', "colour"),
        # Another language's places would find nothing, for ever and without a word.
        ('name = "till"\npaid = ["x"]\nfields = { key = "$.id" }', "fields.key"),
        ('name = "till"\npaid = ["x"]\nfields = { key = "id", value = "items[0].canary" }', "fields.value"),
        ('name = "till"\npaid = ["x"]\nfields = { key = "/id" }', "fields.key"),
        ('name = "till"\ntype = "a..b"\npaid = ["x"]\nfields = { key = "id" }', "type"),
        ('name = "till"\nheader = "X Canary: 1"\npaid = ["x"]\nfields = { key = "id" }', "header"),
        ('name = "till"\ncurrency = "canary"\npaid = ["x"]\nfields = { key = "id" }', "currency"),
        ('name = "till"\npaid = ["x"]\nfields = { key = "id" }', "TILL_WEBHOOK_SECRET"),
    ],
)
def test_a_table_that_is_not_right_ends_the_start_and_names_the_key(tmp_path, table, names):
    (tmp_path / "relay.toml").write_text(f"[[source]]\n{table}\n")
    env = {"META_PIXEL_ID": DATASET, "META_ACCESS_TOKEN": "EAA", "RELAY_CONFIG": str(tmp_path / "relay.toml")}
    with pytest.raises(SettingsError, match=names) as error:
        Settings.from_env(env)
    assert "canary" not in str(error.value)


OF_EACH_TYPE = [
    "'a'",
    "5",
    "1.5",
    "true",
    "2026-11-26",
    "[]",
    "['a']",
    "[['a']]",
    "[{a = 1}]",
    "{}",
    "{a = 'a'}",
    "{a = 1}",
]


@pytest.mark.parametrize("name", Source.__struct_fields__)
def test_whatever_toml_holds_for_a_key_is_taken_or_told(tmp_path, name):
    """`currency = ["EUR"]` was a traceback."""
    right = {"name": "'till'", "paid": "['x']", "fields": "{key = 'id'}"}
    env = {"META_PIXEL_ID": DATASET, "META_ACCESS_TOKEN": "EAA", "RELAY_CONFIG": str(tmp_path / "relay.toml")}
    for value in OF_EACH_TYPE:
        table = "\n".join(f"{key} = {written}" for key, written in (right | {name: value}).items())
        (tmp_path / "relay.toml").write_text(f"[[source]]\n{table}\n")
        with contextlib.suppress(SettingsError):
            Settings.from_env(env | {"TILL_WEBHOOK_SECRET": "canary"})


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"RELAY_TEST_PAYMENTS": "canary"}, "RELAY_TEST_PAYMENTS"),
        ({"RELAY_TEST_PAYMENTS": "test_code"}, "META_TEST_EVENT_CODE"),
        ({"RELAY_REFUNDS": "canary"}, "RELAY_REFUNDS"),
        ({"STRIPE_PAYMENTS": "checkout,canary"}, "STRIPE_PAYMENTS"),
        ({"STRIPE_PAYMENTS": "refund,charge"}, "STRIPE_PAYMENTS"),
        ({"STRIPE_ORDER_KEY": "canary!"}, "STRIPE_ORDER_KEY"),
        ({"STRIPE_WEBHOOK_SECRET": ","}, "STRIPE_WEBHOOK_SECRET"),
        ({"STRIPE_WEBHOOK_SECRET": "test:"}, "STRIPE_WEBHOOK_SECRET"),
        ({"SQUARE_WEBHOOK_SECRET": "canary"}, "SQUARE_WEBHOOK_URL"),
        # What stands beside the secret on the provider's page.
        ({"STRIPE_WEBHOOK_SECRET": "whsec_1,sk_live_canary"}, "STRIPE_WEBHOOK_SECRET.*whsec_"),
        ({"STRIPE_WEBHOOK_SECRET": "test:we_canary"}, "STRIPE_WEBHOOK_SECRET.*whsec_"),
        ({"PADDLE_WEBHOOK_SECRET": "ntfset_canary"}, "PADDLE_WEBHOOK_SECRET.*pdl_ntfset_"),
        ({"STANDARD_WEBHOOK_SECRET": "whpk_canary"}, "STANDARD_WEBHOOK_SECRET.*whsec_"),
        ({"PAYPAL_WEBHOOK_ID": "https://canary.example/webhooks/paypal"}, "PAYPAL_WEBHOOK_ID"),
        ({"SQUARE_WEBHOOK_SECRET": "canary", "SQUARE_WEBHOOK_URL": "shop canary"}, "SQUARE_WEBHOOK_URL"),
    ],
)
def test_a_setting_that_is_not_right_ends_the_start_and_is_not_shown(given, names):
    with pytest.raises(SettingsError, match=names) as error:
        Settings.from_env({"META_PIXEL_ID": DATASET, "META_ACCESS_TOKEN": "EAA", **given})
    assert "canary" not in str(error.value).replace("canary!", "")


def test_no_secret_of_a_provider_shows_and_all_are_known_to_the_log_filter():
    env = {
        "META_PIXEL_ID": DATASET,
        "META_ACCESS_TOKEN": "EAAx",
        "SQUARE_WEBHOOK_SECRET": "test:square-canary",
        "SQUARE_WEBHOOK_URL": "https://shop.example/x",
        "STRIPE_API_KEY": "rk-canary",
        "MOLLIE_API_KEY": "live_canary",
    }
    settings = Settings.from_env(env)
    assert "canary" not in repr(settings)
    assert {"square-canary", "rk-canary", "live_canary"} <= set(settings.secrets())


def test_a_sender_that_new_settings_lack_is_refused_though_its_notice_was_let_in(tmp_path, monkeypatch):
    with open_shop_of(tmp_path, FILE, **SECRETS) as shop:
        let_in = shop.webhooks._notices.not_taken

        def changes(provider):
            found = let_in(provider)
            (tmp_path / "relay.toml").write_text("")
            shop.relay.use(Settings.from_env({"META_PIXEL_ID": DATASET, "META_ACCESS_TOKEN": "EAAcanary"}))
            return found

        monkeypatch.setattr(shop.webhooks._notices, "not_taken", changes)
        assert shop.webhooks.answer("till", b"{}", {}).status == 400
        monkeypatch.undo()
        assert shop.webhooks.answer("till", b"{}", {}).status == 404
