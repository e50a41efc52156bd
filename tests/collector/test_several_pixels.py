"""A page with several pixels names the one that an event is for; its origin must be listed with that dataset."""

import json

import pytest

from conversion_relay import Relay, Settings
from conversion_relay.collector.app import create_app
from tests import asgi

SHOP = "https://shop.example"
CONFIG = f"""
[[dataset]]
META_PIXEL_ID = "1"
META_ACCESS_TOKEN = "EAA1"
RELAY_ALLOWED_ORIGINS = "{SHOP}"

[[dataset]]
META_PIXEL_ID = "2"
META_ACCESS_TOKEN = "EAA2"
RELAY_ALLOWED_ORIGINS = "{SHOP}"

[[dataset]]
META_PIXEL_ID = "3"
META_ACCESS_TOKEN = "EAA3"
RELAY_ALLOWED_ORIGINS = "https://other.example"
"""


@pytest.fixture
def relay(tmp_path):
    config = tmp_path / "relay.toml"
    config.write_text(CONFIG)
    told = {"RELAY_CONFIG": str(config), "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}
    opened = Relay(Settings.from_env(told))
    yield opened
    opened.close()


def report(relay: Relay, event_id: str, **beside: object) -> int:
    body = {"data": [{"event_name": "Lead", "event_id": event_id, "user_data": {"email": "a@example.org"}}]} | beside
    return asgi.ask(create_app(relay), "/events", json.dumps(body).encode(), origin=SHOP).status


@pytest.mark.parametrize("pixel", ["1", "2"])
def test_an_event_goes_to_the_dataset_of_its_pixel(relay, pixel):
    assert report(relay, "a", dataset=pixel) == 202
    assert [story.dataset for story in relay.outbox.find("a")] == [pixel]


def test_without_a_pixel_it_goes_to_the_first_dataset_of_the_origin(relay):
    assert report(relay, "a") == 202 and [story.dataset for story in relay.outbox.find("a")] == ["1"]


@pytest.mark.parametrize("pixel", ["3", "99"])
def test_a_dataset_of_another_origin_is_refused(relay, pixel):
    assert report(relay, "a", dataset=pixel) == 403 and relay.outbox.find("a") == []


@pytest.mark.parametrize("odd", [None, {}, "x", "1" * 400, "१"])
def test_what_is_no_pixel_names_none(relay, odd):
    assert report(relay, "a", dataset=odd) == 202
