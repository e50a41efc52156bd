"""A template writes "undefined" where it knows nothing of the visitor; what the visit told is then still true."""

import pytest

from conversion_relay import RequestFacts
from tests.payments import stripe_notices as notices
from tests.webhooks.shop import open_shop

VISIT = RequestFacts(
    client_ip_address="81.2.69.160",
    client_user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0",
    fbp="fb.1.1790000000000.1116446470",
    fbc="fb.1.1790000000000.AbC",
    url="https://shop.example/checkout",
)


@pytest.mark.parametrize("word", ["undefined", "null", "None", "unknown", "[object Object]", "{{ client_ip }}"])
def test_a_word_for_nothing_does_not_hide_the_visit(tmp_path, word):
    session = notices.session()
    names = ("fbp", "fbc", "client_ip_address", "client_user_agent", "event_source_url")
    session["metadata"] = session["metadata"] | dict.fromkeys(names, word)
    with open_shop(tmp_path) as shop:
        shop.relay.remember("cart-77", VISIT, "granted")
        shop.stripe("checkout.session.completed", session)
        sent = shop.events()["purchase_cart-77"]
    visit = {name: sent["user_data"].get(name) for name in names[:4]}
    assert visit == {name: getattr(VISIT, name) for name in names[:4]}
    assert (sent["action_source"], sent["event_source_url"]) == ("website", VISIT.url)
