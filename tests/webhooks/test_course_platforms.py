"""docs/course-platforms.md: each table of it, against a notice of that platform in the shape that is published."""

import base64
import hmac
import json
import tomllib
from urllib.parse import urlencode, urlsplit

import pytest
from click.testing import CliRunner

from conversion_relay import Settings, SettingsError
from conversion_relay.cli import verbs, webhook
from conversion_relay.http_client import Response
from tests.one_module import replace_in
from tests.test_documents import blocks
from tests.webhooks.shop import NOW, open_shop_of

(TABLES,) = blocks("docs/course-platforms.md", "toml")
NAMES = [table["name"] for table in tomllib.loads(TABLES)["source"]]
SECRETS = {f"{name.upper()}_WEBHOOK_SECRET": f"{name}-canary" for name in NAMES}
PHRASE = {"DIGISTORE24_WEBHOOK_SECRET": "phrase"}
ADA = {"email": "ada.test@example.com"}
NOTICES = {
    "kiwify": {
        "order_id": "b6ba3959-30b5",
        "order_status": "paid",
        "webhook_event_type": "order_approved",
        "approved_date": "2026-11-23 09:00",
        "Customer": {"email": ADA["email"], "full_name": "Ada Test"},
        "Commissions": {"charge_amount": 4990},
    },
    "hotmart": {
        "event": "PURCHASE_APPROVED",
        "version": "2.0.0",
        "data": {
            "buyer": {"name": "Ada Test", **ADA},
            "purchase": {
                "transaction": "HP1",
                "approved_date": (NOW - 60) * 1000,
                "price": {"value": 49.9, "currency_value": "BRL"},
                "recurrence_number": 1,
            },
            "subscription": {"subscriber": {"code": "I9OT62C3"}},
        },
    },
    "copecart": {
        "event_type": "payment.made",
        "order_id": "7clYUvQI",
        "transaction_id": "t1",
        "transaction_amount": 49.9,
        "transaction_currency": "EUR",
        "transaction_processed_at": "2026-11-23T11:58:00.000Z",
        "test_payment": False,
        "buyer_email": ADA["email"],
        "buyer_firstname": "Ada",
        "buyer_lastname": "Test",
        "buyer_country_code": "DE",
    },
    "thrivecart": {
        "event": "order.success",
        "mode": "live",
        "order_id": "1234",
        "currency": "EUR",
        "order[total]": "4990",
        "customer[email]": ADA["email"],
    },
    "thinkific": {
        "id": "20180126172320940835610",
        "resource": "order",
        "action": "created",
        "created_at": "2026-11-23T11:59:00.808Z",
        "payload": {
            "id": 19796,
            "order_number": 1010,
            "amount_cents": 4990,
            "amount_dollars": 49.9,
            "created_at": "2026-11-23T11:58:00.400Z",
            "user": {"first_name": "Ada", "last_name": "Test", "id": 123456, **ADA},
        },
    },
    "learnworlds": {
        "version": 2,
        "type": "productBought",
        "data": {
            "payment": {"id": "61963baafbbd1d36c777b493", "price": 49.9, "paid_at": NOW - 60 + 0.56606},
            "user": {"id": "618e6db9cfb2226fe229d927", **ADA},
        },
    },
    "kajabi": {
        "id": "hash_id",
        "event": "payment_succeeded",
        "payload": [
            {
                "id": "77",
                "type": "transactions",
                "attributes": {"amount_in_cents": 4990, "currency": "USD", "created_at": "2026-11-23T11:58:00.285Z"},
            },
            {"id": "5", "type": "customers", "attributes": {"name": "Ada Test", **ADA}},
        ],
    },
}
ORDERS = {
    "kiwify": ("b6ba3959-30b5", "BRL"), "hotmart": ("HP1", "BRL"), "copecart": ("7clYUvQI", "EUR"),
    "thrivecart": ("1234", "EUR"), "thinkific": ("19796", "USD"), "learnworlds": ("61963baafbbd1d36c777b493", "EUR"),
    "kajabi": ("77", "USD"),
}  # fmt: skip

AGES = {"hotmart": 60, "copecart": 120, "thinkific": 120, "learnworlds": 60, "kajabi": 120}
"""The others' notices have no time, or one without its zone."""


@pytest.fixture
def shop(tmp_path):
    with open_shop_of(tmp_path, TABLES, **SECRETS, **PHRASE) as opened:
        yield opened


def told(shop, name: str, notice: dict, secret: str = ""):
    secret = secret or f"{name}-canary"
    raw, headers, query = json.dumps(notice).encode(), {}, ""
    match name:
        case "kiwify":
            query = f"a=b&signature={hmac.new(secret.encode(), raw, 'sha1').hexdigest()}"
        case "hotmart":
            headers = {"X-HOTMART-HOTTOK": secret}
        case "copecart":
            digest = hmac.new(secret.encode(), raw, "sha256").digest()
            headers = {"X-Copecart-Signature": base64.b64encode(digest).decode()}
        case "thrivecart":
            raw = urlencode(notice | {"thrivecart_secret": secret}).encode()
        case "thinkific":
            headers = {"X-Thinkific-Hmac-Sha256": hmac.new(secret.encode(), raw, "sha256").hexdigest()}
        case "learnworlds":
            headers = {"Learnworlds-Webhook-Signature": f"v1={secret}"}
        case "kajabi":
            query = urlencode({"key": secret})
    return shop.webhooks.answer(name, raw, headers, query=query)


def with_members(notice: dict, **places) -> dict:
    changed = json.loads(json.dumps(notice))
    for path, value in places.items():
        *above, last = path.split("__")
        found = changed
        for step in above:
            found = found[step]
        found[last] = value
    return changed


def test_each_table_has_a_notice():
    assert NAMES == list(NOTICES) == list(ORDERS)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_paid_there_is_one_purchase(shop, name):
    order, currency = ORDERS[name]
    assert told(shop, name, NOTICES[name]).body == {"message": "accepted", "event_id": f"purchase_{order}"}
    assert told(shop, name, NOTICES[name]).body["message"] == "duplicate"
    (event,) = shop.events().values()
    assert (event["custom_data"]["value"], event["custom_data"]["currency"]) == (49.9, currency)
    assert len(event["user_data"]["em"][0]) == 64 and "ada" not in json.dumps(event).lower()
    assert event["event_time"] == NOW - AGES.get(name, 0)


@pytest.mark.parametrize("name", NAMES)
def test_who_does_not_know_the_secret_is_refused(shop, name):
    for secret in ("another", "é", " "):
        answer = told(shop, name, NOTICES[name], secret)
        assert answer.status == 400 and "canary" not in str(answer.body)
    assert shop.webhooks.answer(name, b"{}", {}, query="signature=&key=&%ff=&&" + "x=1&" * 5_000).status == 400
    assert shop.events() == {}


def test_a_subscription_s_further_payments_are_renewals(shop):
    first, hotmart, copecart = NOTICES["kiwify"], NOTICES["hotmart"], NOTICES["copecart"]
    told(shop, "kiwify", first | {"subscription_id": "s1"})
    for kind in ("order_approved", "subscription_renewed"):  # both tell of the renewal's order
        told(shop, "kiwify", first | {"subscription_id": "s1", "order_id": "o2", "webhook_event_type": kind})
    told(shop, "hotmart", with_members(hotmart, data__purchase__recurrence_number=2, data__purchase__transaction="HP2"))
    told(shop, "hotmart", hotmart)
    told(shop, "copecart", copecart | {"rate_number": "2", "transaction_id": "t2"})
    told(shop, "copecart", copecart | {"rate_number": "1"})
    made = {name: event["action_source"] for name, event in shop.events().items()}
    assert {name for name, source in made.items() if source == "system_generated"} == {
        "renewal_o2",
        "renewal_HP2",
        "renewal_t2",
    }
    assert {name for name in made if name.startswith("purchase_")} == {
        "purchase_b6ba3959-30b5",
        "purchase_HP1",
        "purchase_7clYUvQI",
    }


def test_a_renewal_without_an_id_of_its_own_is_told_and_does_not_pass_for_a_duplicate(shop):
    told(shop, "copecart", NOTICES["copecart"])
    for _ in range(2):
        bare = NOTICES["copecart"] | {"rate_number": 2, "transaction_id": None}
        assert told(shop, "copecart", bare).body == {"message": "ignored", "reason": "odd_shape"}


@pytest.mark.parametrize("query", ["", "signature=", "signature[]=00", "signature[a]=00", "Signature=00"])
def test_what_is_missing_behind_the_address_is_told_by_its_name(shop, query):
    answer = shop.webhooks.answer("kiwify", b"{}", {"signature": "00"}, query=query)
    assert (answer.body["reason"], answer.body["field"]) == ("signature_missing", "signature")


@pytest.mark.parametrize("amount", [49.9, -49.9, "-49.90"])
def test_what_went_back_has_a_value_whichever_sign_it_is_written_with(shop, amount):
    told(shop, "copecart", NOTICES["copecart"])
    back = {"event_type": "payment.refunded", "transaction_id": "t9", "transaction_amount": amount}
    assert told(shop, "copecart", NOTICES["copecart"] | back).body["event_id"] == "refund_t9"
    event = shop.events()["refund_t9"]
    assert (event["custom_data"]["value"], event["original_event_data"]["order_id"]) == (49.9, "7clYUvQI")
    less = NOTICES["copecart"] | {"transaction_id": "t8", "transaction_amount": -5}
    assert told(shop, "copecart", less).body["reason"] == "not_an_amount"


def test_a_test_and_what_is_about_something_else_is_no_purchase(shop):
    assert told(shop, "thrivecart", NOTICES["thrivecart"] | {"mode": "test"}).body["reason"] == "test_payment"
    assert told(shop, "copecart", NOTICES["copecart"] | {"test_payment": True}).body["reason"] == "test_payment"
    for action in ({"resource": "user"}, {"action": None}, {"resource": None, "action": "order.created"}):
        assert told(shop, "thinkific", NOTICES["thinkific"] | action).body["reason"] == "other_type"
    assert told(shop, "thinkific", {"payload": {}}).body["reason"] == "no_type"
    assert shop.events() == {}


def test_hundredths_are_hundredths_of_yen_too(shop):
    told(shop, "thrivecart", NOTICES["thrivecart"] | {"currency": "JPY", "order[total]": "149900"})
    (event,) = shop.events().values()
    assert event["custom_data"]["value"] == 1499


def test_a_sender_that_reads_no_json_hears_its_word(shop):
    answer = told(shop, "copecart", NOTICES["copecart"])
    assert (answer.content, answer.content_type) == (b"OK", "text/plain; charset=utf-8")
    assert told(shop, "copecart", NOTICES["copecart"], "another").content_type == "application/json"
    assert json.loads(told(shop, "kiwify", NOTICES["kiwify"]).content)["message"] == "accepted"


def test_an_address_that_is_tried_before_it_is_used_says_that_it_is_there(shop):
    assert [shop.webhooks.tried(name).status for name in ("thrivecart", "copecart", "stripe", "paypal", "nobody")] == [
        *(200, 200, 200, 404, 404)
    ]
    assert shop.webhooks.tried("copecart").content == b"OK" and shop.events() == {} == shop.reasons()


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ('query = "a"\nheader = "x-a"', "query"),
        ('scheme = "secret"\nquery = "a"\nsecret_place = "b"', "secret_place"),
        ('scheme = "standard"\nquery = "a"', "query"),
        ("type = []", "type"),
        ('type = ["a", "$.b"]', "type"),
        ('renewed = ["y"]', "fields.payment"),
        ('unit = "cents"', "unit"),
    ],
)
def test_a_table_that_cannot_be_meant_so_is_told_by_its_key(tmp_path, table, named):
    (tmp_path / "relay.toml").write_text(
        f'[[source]]\nname = "till"\n{table}\npaid = ["x"]\nfields = {{ key = "k" }}\n'
    )
    with pytest.raises(SettingsError, match=named):
        Settings.from_env({"RELAY_CONFIG": str(tmp_path / "relay.toml"), "TILL_WEBHOOK_SECRET": "s"}, required=())


@pytest.mark.parametrize(
    ("live", "is_counted"), [(True, True), (False, False), ("false", False), ("true", True), (None, True), ("", False)]
)
def test_a_mark_of_the_live_mode_is_read_the_other_way_round(tmp_path, live, is_counted):
    table = '[[source]]\nname = "till"\npaid = ["x"]\nfields = { key = "k", value = "v", currency = "c", live = "l" }\n'
    with open_shop_of(tmp_path, table, TILL_WEBHOOK_SECRET="s") as shop:
        raw = json.dumps({"type": "x", "k": "K-1", "v": 5, "c": "EUR", "l": live}).encode()
        answer = shop.webhooks.answer("till", raw, {"x-signature": hmac.new(b"s", raw, "sha256").hexdigest()})
        assert (answer.body["message"] == "accepted") is is_counted


def test_a_person_tries_a_sender_whose_signature_is_in_the_form_or_in_the_address(shop, tmp_path, monkeypatch):
    """`webhook send` against the door itself, in place of a server."""

    def post(self, url, headers, raw, seconds):
        address = urlsplit(url)
        said = shop.webhooks.answer(address.path.rpartition("/")[2], raw, headers, query=address.query)
        return Response(said.status, {}, said.content)

    monkeypatch.setattr("conversion_relay.http_client.HttpClient.post", post)
    replace_in(webhook, "time", monkeypatch, time=lambda: float(NOW))
    (tmp_path / "notice.json").write_text(json.dumps(NOTICES["kiwify"]))
    told_of = [("digistore24", []), ("kiwify", ["--file", str(tmp_path / "notice.json")])]
    for name, more in told_of:
        env = SECRETS | PHRASE | {"RELAY_CONFIG": str(tmp_path / "relay.toml")}
        url = f"http://127.0.0.1:1/webhooks/{name}?a=b"
        said = CliRunner().invoke(verbs, ["webhook", "send", name, url, "--json", *more], env=env)
        assert json.loads(said.stdout)["status"] == 200, said.output
    assert set(shop.events()) == {"purchase_cart-77", "purchase_b6ba3959-30b5"}
