"""A notice that only names what changed: the provider is asked with the shop's key, and nobody else is."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from conversion_relay.cli.webhook_samples import sample
from conversion_relay.http_client import NoAnswer, Response
from conversion_relay.webhooks.asking import MOST_AT_ONCE
from tests.payments import stripe_notices as notices
from tests.webhooks.shop import NOW, open_shop


def thin(folder, answer, **more):
    """What is answered to a thin event when Stripe's API says `answer`, and whom we asked."""
    asked = []

    def fetch(url: str, headers: dict[str, str], deadline: float):
        asked.append((url, headers.get("authorization")))
        return answer

    with open_shop(folder, fetch, **more) as shop:
        document = notices.thin() | {"created": NOW - 20}
        said = shop.signed(json.dumps(document).encode())
        return said, asked, shop.events()


def test_a_thin_event_is_fetched_with_the_shops_key_and_counted(tmp_path):
    found = Response(200, {}, json.dumps(notices.session()).encode())
    said, asked, events = thin(tmp_path, found, STRIPE_API_KEY="rk_live_canary")
    assert asked == [("https://api.stripe.com/v1/checkout/sessions/cs_1", "Bearer rk_live_canary")]
    assert (said.status, list(events)) == (200, ["purchase_cart-77"])


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (NoAnswer("deadline", sent=True), 503, "provider_silent"),
        (Response(500, {}, b""), 503, "provider_silent"),
        (Response(401, {}, b""), 503, "provider_silent"),
        (Response(404, {}, b""), 200, "gone"),
    ],
)
def test_a_provider_that_does_not_say_is_asked_again_when_its_notice_comes_again(tmp_path, answer, status, reason):
    said, _, events = thin(tmp_path, answer, STRIPE_API_KEY="rk_live_canary")
    assert (said.status, said.body["reason"], events) == (status, reason, {})


def test_a_thin_event_without_a_key_is_a_200_that_says_so(tmp_path):
    said, asked, _ = thin(tmp_path, NoAnswer("deadline", sent=False))
    assert (said.status, said.body["reason"], asked) == (200, "needs_api_key", [])


@pytest.mark.parametrize("body", [b"id=tr_T1", b"id=tr_T1\n"])
def test_an_unsigned_mollie_notice_is_worth_what_mollie_says(tmp_path, body):
    asked = []

    def fetch(url: str, headers: dict[str, str], deadline: float):
        asked.append((url, headers["authorization"]))
        payment = sample("mollie", "paid", NOW - 60)["_embedded"]["entity"]
        return Response(200, {}, json.dumps(payment).encode()) if "live_" in asked[-1][1] else Response(404, {}, b"")

    with open_shop(tmp_path, fetch, MOLLIE_API_KEY="test_canary,live_canary") as shop:
        for message in ("accepted", "duplicate"):
            assert shop.webhooks.answer("mollie", body, {}).body["message"] == message
        assert shop.webhooks.answer("mollie", b"id=ord_1", {}).body["reason"] == "other_type"
        assert shop.webhooks.answer("mollie", b"id=tr_1&url=https://evil.example", {}).status == 400
        assert list(shop.events()) == ["purchase_cart-77"]
    assert {url for url, _ in asked} == {"https://api.mollie.com/v2/payments/tr_T1"}


def test_calls_that_hang_are_few_and_the_others_come_again(tmp_path):
    inside, go_on = threading.Semaphore(0), threading.Event()

    def fetch(url: str, headers: dict[str, str], deadline: float):
        inside.release()
        go_on.wait(30)
        return Response(404, {}, b"")

    with open_shop(tmp_path, fetch, MOLLIE_API_KEY="live_canary") as shop, ThreadPoolExecutor(8) as mollie:
        hanging = [mollie.submit(shop.webhooks.answer, "mollie", b"id=tr_T1", {}) for _ in range(MOST_AT_ONCE)]
        for _ in range(MOST_AT_ONCE):
            assert inside.acquire(timeout=30)
        assert shop.webhooks.answer("mollie", b"id=tr_T1", {}).status == 503
        go_on.set()
        assert {call.result().body["reason"] for call in hanging} == {"gone"}
