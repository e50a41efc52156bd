"""A notice that only names what changed: the provider is asked with the shop's key, and nobody else is."""

import json

import pytest

from conversion_relay.http_client import NoAnswer, Response
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
