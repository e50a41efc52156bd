"""What the tests of a shop do: collect events, without a file or a setting."""

import os
import subprocess
import sys
import time
from pathlib import Path

from conversion_relay import CustomData, Event, Relay, RequestFacts, UserData
from tests.asgi import run
from tests.payments import stripe_notices as notices
from tests.test_relay import LEAD, PERSON, environ, events_of, relay
from tests.webhooks.shop import open_shop

__all__ = ["environ", "relay"]
LONG_AGO = 1_500_000_000.0
JANE = UserData(email="jane@shop.example")


def test_a_relay_for_tests_needs_nothing_and_shows_what_meta_would_get(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Relay.testing() as relay:
        worth = CustomData(value=9, currency="EUR")
        bought = Event(event_name="Purchase", event_id="p-1", user_data=JANE, custom_data=worth)
        assert relay.track(bought).status == "accepted"
        assert relay.track(bought).status == "duplicate"
        relay.track(LEAD)
        (event,) = relay.named("Purchase")
        assert event["event_id"] == "p-1" and event["custom_data"] == {"value": 9, "currency": "EUR"}
        assert "jane" not in str(relay.events)
        relay.clear()
        assert relay.events == []
        relay.start_delivery()  # as a program does that is tested; nothing is delivered
    assert not list(Path(tmp_path).iterdir())


def test_a_refund_finds_the_order_that_was_paid_in_the_same_test(tmp_path):
    with open_shop(tmp_path, RELAY_REFUNDS="event") as shop, shop.relay.testing() as collected:
        assert shop.stripe("checkout.session.completed", notices.session()).body["message"] == "accepted"
        assert shop.stripe("refund.created", notices.refund()).body["message"] == "accepted"
        bought, refunded = collected.events
        assert refunded["original_event_data"]["order_id"] == bought["custom_data"]["order_id"] == "cart-77"


def test_a_program_own_relay_collects_until_the_block_ends(relay):
    with relay.testing() as collected:
        relay.track(LEAD)
        relay.remember("1001", RequestFacts(client_user_agent="Mozilla/5.0"))
        assert relay.facts_of("1001").client_user_agent == "Mozilla/5.0"
        assert [event["event_id"] for event in collected.events] == ["lead-1"]
    assert relay.track(LEAD).status == "accepted", "nothing of it went into the file"
    assert events_of(relay) == ["lead-1"] and relay.facts_of("1001") is None


def test_a_clock_that_a_test_froze_is_the_relays_too(monkeypatch):
    """freezegun puts a function of its own in the place of `time.time`; the shop's Relay is made before."""
    with Relay.testing() as relay:
        monkeypatch.setattr(time, "time", lambda: LONG_AGO)
        relay.track(Event(event_name="Lead", event_id="now", user_data=JANE))
        relay.track(Event(event_name="Lead", event_id="then", event_time=int(LONG_AGO) - 60, user_data=JANE))
        assert [event["event_time"] for event in relay.events] == [LONG_AGO, LONG_AGO - 60]


SHOPS_TESTS = """
from conversion_relay import Event, Relay, UserData

shop = None  # made when first used, as most programs do

def buy():
    global shop
    shop = shop or Relay.from_env()
    shop.track(Event(event_name="Purchase", event_id="p-1", user_data=UserData(email="jane@shop.example"),
                     custom_data={"value": 9.0, "currency": "EUR"}))

def test_a_purchase_is_told_once(relay_events):
    buy()
    buy()
    assert [event["event_id"] for event in relay_events.named("Purchase")] == ["p-1"]

def test_the_next_test_begins_with_nothing(relay_events):
    assert relay_events.events == []
    buy()
    assert len(relay_events.events) == 1
"""


def test_the_fixture_collects_what_every_relay_of_a_program_tracks(tmp_path):
    (tmp_path / "test_shop.py").write_text(SHOPS_TESTS)
    ours = ("META_", "RELAY_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    plugin = ["-p", "conversion_relay.frameworks.pytest_fixture"]  # an installed package is found by its entry point
    done = subprocess.run(
        [*command, *plugin, str(tmp_path)],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == ["test_shop.py"]


def test_what_is_collected_for_one_program_leaves_others_alone(relay):
    from conversion_relay.relay.in_test import collecting

    relay.track(LEAD)
    with collecting() as collected:
        relay.track(Event(event_name="Lead", event_id="lead-2", user_data=PERSON))
    assert [event["event_id"] for event in collected.events] == ["lead-2"]
    assert events_of(relay) == ["lead-1"]


def test_an_event_for_the_programs_own_transaction_is_collected_too():
    """With a postgresql:// outbox it joins one; in a test there is none to join."""
    with Relay.testing() as relay:
        first, second = (Event(event_name="Lead", event_id=f"lead-{n}", user_data=JANE) for n in (1, 2))
        told = relay.track(first, connection=object())
        awaited = run(relay.track_async(second, connection=object()))
        assert (told.status, awaited.status) == ("pending", "pending")
        assert [event["event_id"] for event in relay.events] == ["lead-1", "lead-2"]
