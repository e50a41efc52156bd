"""Anybody can send POST /visitors as a page does. What they write there changes no order but by a visit of its own."""

import json

import pytest

from conversion_relay.collector.app import create_app
from tests import asgi
from tests.payments import stripe_notices as notices
from tests.webhooks.shop import open_shop

PAGE = {"origin": "https://shop.example", "user_agent": "Mozilla/5.0 (a stranger's)"}
KEY = {"authorization": "Bearer key"}
STRANGERS, VISITORS = "fb.1.1700000000000.666", "fb.1.1700000000000.42"


@pytest.fixture
def shop(tmp_path):
    settings = {"RELAY_ALLOWED_ORIGINS": PAGE["origin"], "RELAY_API_KEYS": "key", "RELAY_REFUNDS": "event"}
    with open_shop(tmp_path, **settings) as shop:
        yield shop


def visit(shop, key: str, who: dict, **more: str) -> None:
    body = json.dumps({"key": key, **more}).encode()
    assert asgi.ask(create_app(shop.relay), "/visitors", body, **who).status == 202


def pay(shop, n: int) -> str:
    paid = notices.session(client_reference_id="1001", id=f"cs_{n}", payment_intent=f"pi_{n}")
    return shop.stripe("checkout.session.completed", paid).body["message"]


@pytest.mark.parametrize("consent", ["granted", "denied"])
@pytest.mark.parametrize("key", ["live:order:1001", "live:called:cs_1", "refused:1001", "refused:pi_1", "pi_1"])
def test_a_key_of_the_relays_own_is_an_order_that_nobody_has(shop, key, consent):
    """Under these names is kept which payment of an order came first, and who refused."""
    visit(shop, f"stripe:payment:{key}", PAGE, fbp=STRANGERS, consent=consent)
    assert [pay(shop, n) for n in (1, 2)] == ["accepted", "accepted"]
    found = shop.events()
    assert found.keys() == {"purchase_1001", "purchase_1001_pi_2"}
    assert not [event for event in found.values() if event["user_data"].get("fbp")]


def test_an_order_that_is_called_like_one_has_its_visit_all_the_same(shop):
    name = "a:payment:7"
    visit(shop, name, PAGE, fbp=VISITORS)
    assert shop.relay.facts_of(name).fbp == VISITORS


@pytest.mark.parametrize("is_first", [True, False])
def test_what_the_shops_server_says_stands_before_a_page_whichever_came_first(shop, is_first):
    """Order numbers can be guessed, also before there is such an order."""
    told = [(KEY, VISITORS, {}), (PAGE, STRANGERS, {"fbc": "fb.1.1700000000000.TheirAd"})]
    for who, fbp, more in told if is_first else reversed(told):
        visit(shop, "1001", who, fbp=fbp, client_user_agent="Mozilla/5.0", **more)
    pay(shop, 1)
    person = shop.events()["purchase_1001"]["user_data"]
    assert (person["fbp"], person.get("fbc")) == (VISITORS, None)


def test_a_sale_that_came_by_no_ad_gets_no_strangers_click(shop):
    visit(shop, "1001", PAGE, fbp=VISITORS)
    for who in ({"fbp": STRANGERS}, {}):
        visit(shop, "1001", PAGE, fbc="fb.1.1700000000000.TheirAd", event_source_url="https://shop.example/?a=1", **who)
    pay(shop, 1)
    event = shop.events()["purchase_1001"]
    assert (event["user_data"]["fbp"], event["user_data"].get("fbc")) == (VISITORS, None)
    assert "event_source_url" not in event
