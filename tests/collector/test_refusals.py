"""What a page's visitor refused counts for the orders that a backend reports, whatever else the backend knows."""

import json

import pytest

from conversion_relay import Relay, Settings
from conversion_relay.collector.app import create_app
from tests import asgi

KEY = "Bearer key-one"
WHOLE = {"client_ip_address": "8.8.8.8", "client_user_agent": "Mozilla/5.0", "fbp": "fb.1.1.1", "fbc": "fb.1.1.AbC"}
ORDER = {"event_name": "Purchase", "event_id": "purchase_1001", "custom_data": {"value": 9, "currency": "EUR"}}


@pytest.fixture
def relay(tmp_path):
    told = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_API_KEYS": "key-one"}
    with Relay(Settings.from_env(told | {"RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"})) as relay:
        yield relay


@pytest.mark.parametrize("visitor", [{"email": "canary@example.org"}, WHOLE], ids=["known later", "known"])
@pytest.mark.parametrize("is_alone", [True, False])
def test_it_is_withheld_until_they_agree(relay, visitor, is_alone):
    app, order = create_app(relay), ORDER | {"user_data": visitor}

    def report(event: dict) -> str | None:
        body = json.dumps(event if is_alone else {"data": [event]}).encode()
        return asgi.ask(app, "/events", body, authorization=KEY).headers.get("x-relay-reason")

    assert asgi.ask(app, "/visitors", b'{"key": "1001", "consent": "denied"}', authorization=KEY).status == 202
    assert report(order) == "consent_denied"
    assert report(order | {"consent": "granted"}) is None
    assert [story.event_id for story in relay.outbox.find("purchase_1001")] == ["purchase_1001"]
