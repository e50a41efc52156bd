"""A payment's Purchase has copies; one of a provider's test mode reaches nobody as a real one."""

import pytest

from tests.copies import AGENCY, BRAND, MARKET
from tests.payments import stripe_notices as notices
from tests.webhooks.shop import open_shop

TABLES = f"""
[[dataset]]
META_PIXEL_ID = "{BRAND}"
META_ACCESS_TOKEN = "EAA1"
META_TEST_EVENT_CODE = "TEST1"
RELAY_COPIES_TO = ["{AGENCY}", "{MARKET}"]

[[dataset]]
META_PIXEL_ID = "{AGENCY}"
META_ACCESS_TOKEN = "EAA2"

[[dataset]]
META_PIXEL_ID = "{MARKET}"
META_ACCESS_TOKEN = "EAA3"
META_TEST_EVENT_CODE = "TEST3"
"""


@pytest.fixture
def shop_of(tmp_path):
    def shop_of(**settings: str):
        place = tmp_path / "relay.toml"
        place.write_text(TABLES)
        return open_shop(tmp_path, RELAY_CONFIG=str(place), **settings)

    return shop_of


def kept(shop) -> list[str]:
    return sorted(story.dataset for story in shop.relay.outbox.find("purchase_cart-77"))


def test_a_purchase_is_kept_for_each_dataset_and_again_for_none(shop_of):
    with shop_of() as shop:
        for told in ("accepted", "duplicate"):
            answer = shop.stripe("checkout.session.completed", notices.session())
            assert answer.body == {"message": told, "event_id": "purchase_cart-77"}
        assert kept(shop) == [BRAND, AGENCY, MARKET]


@pytest.mark.parametrize(
    ("tests", "datasets"), [("ignore", []), ("test_code", [BRAND, MARKET]), ("send", [BRAND, AGENCY, MARKET])]
)
def test_a_test_payment_reaches_only_those_where_it_is_a_test_event(shop_of, tests, datasets):
    with shop_of(RELAY_TEST_PAYMENTS=tests) as shop:
        shop.stripe("checkout.session.completed", notices.session(), livemode=False)
        assert kept(shop) == datasets
