"""An amount that nobody can read costs a page's event its amount, and no event; programs are refused it, and told."""

import json
import time

import pytest

from conversion_relay import Relay, Settings
from conversion_relay.collector.app import create_app
from conversion_relay.telemetry import Counters
from tests import asgi

PAGE = {"origin": "https://shop.example", "user_agent": "Mozilla/5.0 (X11)"}
KEY = {"authorization": "Bearer key"}
UNREADABLE = [
    "12,50",
    "1.234,50",
    "€ 12.50",
    "$1,299.00",
    "1,299",
    "{{value}}",
    "NaN",
    " 12.5 ",
    [12.5],
    {"amount": 1},
    -1,
    True,
]
"""As templates and people write them, and template engines leave them."""


@pytest.fixture
def ask(tmp_path):
    counters = Counters()
    environment = {
        "META_PIXEL_ID": "1",
        "META_ACCESS_TOKEN": "EAA",
        "RELAY_API_KEYS": "key",
        "RELAY_ALLOWED_ORIGINS": PAGE["origin"],
        "RELAY_PUBLIC_EVENTS": "Lead,Purchase",
        "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db",
    }
    with Relay(Settings.from_env(environment)) as relay:
        app = create_app(relay, counters=counters)

        def send(name: str, custom_data: object, **headers: str) -> tuple[int, dict, str | None]:
            event = {"event_name": name, "user_data": {"email": "a@b.example"}, "custom_data": custom_data}
            answer = asgi.ask(app, "/events", json.dumps(event).encode(), **(headers or PAGE))
            return answer.status, json.loads(answer.body), answer.headers.get("x-relay-reason")

        def kept() -> list[dict]:
            lease = relay.outbox.claim("1", 10, 60.0, time.time())
            return [json.loads(event.body).get("custom_data", {}) for event in lease.events] if lease else []

        send.kept, send.counters = kept, counters
        yield send


@pytest.mark.parametrize("value", UNREADABLE, ids=str)
def test_the_event_stays_without_it_and_the_page_is_told(ask, value):
    status, answer, reason = ask("Lead", {"value": value, "currency": "EUR", "content_name": "Kintsugi"})
    assert (status, reason) == (202, "not_an_amount")
    assert answer["accepted"][0]["dropped"][0].startswith("custom_data.value: an amount is a number")
    assert ask.kept() == [{"currency": "EUR", "content_name": "Kintsugi"}]
    assert {key: n for key, n in ask.counters.read().items() if key[0] == "relay_amounts_left_out_total"} == {
        ("relay_amounts_left_out_total", (("reason", "not_an_amount"),)): 1
    }


@pytest.mark.parametrize("currency", ["€", "Euro", "undefined", "{{currency}}"])
def test_an_amount_of_an_unknown_currency_goes_with_it(ask, currency):
    """Meta would take it for the ad account's."""
    custom = {"value": 12.5, "net_revenue": 3, "currency": currency, "content_name": "Kintsugi"}
    status, answer, reason = ask("Lead", custom)
    assert (status, reason) == (202, "not_a_currency")
    left_out = sorted(told.partition(":")[0] for told in answer["accepted"][0]["dropped"])
    assert left_out == ["custom_data.currency", "custom_data.net_revenue", "custom_data.value"]
    assert ask.kept() == [{"content_name": "Kintsugi"}]


@pytest.mark.parametrize("custom", [{"value": 12.5, "currency": "eur"}, {"value": "12.50", "currency": "EUR"}])
def test_what_can_be_read_stays(ask, custom):
    status, answer, reason = ask("Lead", custom)
    assert (status, reason, "dropped" in answer["accepted"][0]) == (202, None, False)
    assert ask.kept() == [{"value": 12.5, "currency": "EUR"}]


@pytest.mark.parametrize("custom", [{"value": "12,50", "currency": "EUR"}, {"value": 12.5, "currency": "€"}])
def test_a_purchase_and_a_program_are_refused_with_the_remedy(ask, custom):
    """Meta takes no Purchase without its amount, and who wrote a program reads its answers."""
    for status, answer, reason in (ask("Purchase", custom), ask("Lead", custom, **KEY)):
        (refused,) = answer["refused"]
        assert status == 422 and reason == refused["reason"] and refused["message"]
    assert ask.kept() == []
