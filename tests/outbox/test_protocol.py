"""The parts of an outbox: who has which, what is said of a part that is missing, and the facade over a bare queue."""

import pytest

from conversion_relay.errors import OutboxUnavailable, UnsupportedByOutbox
from conversion_relay.event import Event, Receipt, UserData
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.outbox import (
    STATES,
    Counts,
    DeadLetters,
    Housekeeping,
    Leases,
    Limited,
    Meter,
    Operator,
    Queue,
    Visits,
    open_outbox,
    unsupported,
)
from conversion_relay.relay import NO_FACTS, Relay
from conversion_relay.settings import Settings
from tests.outbox.backends import MemoryBackend

PARTS = {
    Queue: ["put", "put_soon", "on_put", "probe", "close"],
    Leases: ["claim", "claim_suspects", "extend", "release", "revoked", "settle", "suspects", "waiting"],
    DeadLetters: ["counts", "dead", "replay"],
    Operator: ["counts", "dead", "replay", "find", "recent", "held", "erase", "withdraw"],
    Visits: ["remember_visitor", "visitor", "has_visitors"],
    Meter: ["note_pixel", "deduplication", "recent_sides"],
    Housekeeping: ["tidy", "prune"],
}
LACKING = [(part, verb) for part, verbs in PARTS.items() for verb in verbs]
SETTINGS = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x"})


def store(*verbs: str) -> object:
    """An object with these verbs and no others."""
    return type("Store", (), dict.fromkeys(verbs, lambda *_: None))()


class BareQueue:
    """The least that is an outbox."""

    def __init__(self) -> None:
        self.events: list = []

    def put(self, events, now):
        self.events += events
        return [Receipt(event.event_id) for event in events]

    put_soon = on_put = probe = close = lambda self, *_: None


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_a_store_has_a_part_when_it_has_its_verbs(part):
    assert isinstance(store(*PARTS[part]), part)


@pytest.mark.parametrize(("part", "verb"), LACKING, ids=lambda given: getattr(given, "__name__", given))
def test_a_store_that_lacks_one_verb_of_a_part_does_not_have_it(part, verb):
    assert not isinstance(store(*(known for known in PARTS[part] if known != verb)), part)


def test_the_embedded_store_and_the_one_in_memory_have_every_part(tmp_path):
    embedded, memory = open_outbox(f"sqlite:///{tmp_path}/outbox.db"), MemoryBackend().open(tmp_path)
    for outbox in (embedded, memory):
        assert [part for part in PARTS if isinstance(outbox, part)] == list(PARTS)
        assert not isinstance(outbox, Limited)
        outbox.close()


def test_a_missing_verb_is_told_in_the_stores_own_words_where_it_has_some():
    limited = BareQueue()
    limited.kind, limited.instead = "a pigeon:// outbox", {"find": "ask the pigeon"}
    assert str(unsupported(limited, "find")) == "not with a pigeon:// outbox: ask the pigeon"
    for outbox, verb in ((limited, "erase"), (BareQueue(), "find")):
        assert verb in str(unsupported(outbox, verb)) and "sqlite:///" in str(unsupported(outbox, verb))


def test_who_waits_for_an_outbox_to_come_back_also_hears_of_a_missing_verb():
    assert issubclass(UnsupportedByOutbox, OutboxUnavailable)


@pytest.mark.parametrize("state", STATES)
def test_an_event_that_is_in_no_state_or_in_two_is_an_imbalance(state):
    assert Counts(accepted=3, **{state: 3}).imbalance == 0
    assert Counts(accepted=3, **{state: 2}).imbalance == 1
    assert Counts(accepted=3, **{state: 4}).imbalance == -1


class TestRelayOverABareQueue:
    @pytest.fixture
    def relay(self):
        return Relay(SETTINGS, outbox=BareQueue(), clock=lambda: 1_700_000_000.0)

    def test_it_tracks(self, relay):
        event = Event(
            event_name="Lead", event_id="a", user_data=UserData(external_id="42"), action_source="system_generated"
        )
        assert relay.track(event).state == "accepted"

    def test_nobody_is_known_to_it(self, relay):
        event = Event(event_name="Purchase", event_id="purchase_1", custom_data={"order_id": "1"})
        assert relay.has_visitors() is False and relay.facts_of("1") is None
        assert relay.facts_for(event) == NO_FACTS

    def test_a_visitor_cannot_be_remembered_but_may_decline(self, relay):
        facts = RequestFacts(client_ip_address="8.8.4.4")
        with pytest.raises(UnsupportedByOutbox, match="remember_visitor"):
            relay.remember("order-1", facts)
        assert relay.remember("order-1", facts, "denied") is False

    def test_a_report_of_the_pixel_is_done_at_once(self, relay):
        assert relay.note_pixel(SETTINGS.datasets[0], [("Lead", "a")]).result(0) is None

    def test_nothing_can_be_withdrawn(self, relay):
        with pytest.raises(UnsupportedByOutbox, match="withdraw"):
            relay.withdraw(SETTINGS.datasets[0], ["a"])
