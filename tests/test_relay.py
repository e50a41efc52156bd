"""The facade: what a program that only has `Relay` notices."""

import hashlib
import time

import pytest

from conversion_relay import (
    Event,
    InvalidEvent,
    OutboxUnavailable,
    Rejection,
    Relay,
    RequestFacts,
    Settings,
    SettingsError,
    Tracked,
    UserData,
)
from conversion_relay.delivery.transport import Response
from conversion_relay.event import SealedEvent
from conversion_relay.meta.graph import Accepted, Refused, Unreachable
from conversion_relay.outbox import open_outbox

NOW = 1_795_435_200.0
PERSON = UserData(email="john_smith@gmail.com")
LEAD = Event(event_name="Lead", event_id="lead-1", user_data=PERSON)
RECEIVED = Response(200, {}, b'{"events_received": 1}')
REFUSED = Response(400, {}, b'{"error": {"code": 100, "error_subcode": 2804019, "error_user_title": "Bad"}}')


@pytest.fixture
def environ(tmp_path):
    return {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "token", "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"}


@pytest.fixture
def relay(environ):
    with Relay.from_env(environ) as relay:
        yield relay


def events_of(relay: Relay) -> list[str]:
    return [story.event_id for story in relay.outbox.recent(100)]


class Meta:
    """Answers every request alike, and remembers them."""

    def __init__(self, answer: Response | Unreachable = RECEIVED) -> None:
        self.answer, self.requests, self.is_closed = answer, [], False

    def send(self, request, deadline):
        self.requests.append(request)
        return self.answer

    def close(self):
        self.is_closed = True


# -- track ------------------------------------------------------------------------------------------------------------


def test_what_was_tracked_is_in_the_file_when_track_returns(relay, environ):
    assert relay.track(LEAD) == Tracked("lead-1", "accepted")
    other = open_outbox(environ["RELAY_OUTBOX"])
    assert [story.state for story in other.find("lead-1")] == ["pending"]
    other.close()


def test_what_was_left_out_is_told_by_path(relay):
    tracked = relay.track(Event(event_name="Lead", user_data=PERSON, custom_data={"first_name": "Joe", "plan": "gold"}))
    assert tracked.dropped == ("custom_data.first_name: a person's name by its name; only user_data is hashed",)


def test_a_visit_is_kept_under_a_key_without_a_person(relay):
    relay.remember("order_joe@example.com", RequestFacts(client_user_agent="Mozilla/5.0"))
    digest = hashlib.sha256(b"joe@example.com").hexdigest()
    assert relay.facts_of(f"order_{digest}") == relay.facts_of("order_joe@example.com") is not None


def test_the_same_id_again_is_a_duplicate(relay):
    relay.track(LEAD)
    assert relay.track(LEAD) == Tracked("lead-1", "duplicate")
    assert events_of(relay) == ["lead-1"]


def test_an_event_without_an_id_gets_one_and_the_caller_hears_it(relay):
    tracked = relay.track(Event(event_name="Lead", user_data=PERSON))
    assert tracked.event_id is not None and events_of(relay) == [tracked.event_id]


def test_no_repr_of_an_event_shows_who_it_is_about():
    event = Event(event_name="Lead", event_id="joe@example.com", user_data=PERSON, custom_data={"note": "call Joe"})
    assert "joe" not in repr(event).lower() and "custom_data" in repr(event)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (Event(event_name="Purchase", user_data=PERSON), "custom_data.value"),
        (Event(event_name="Lead", user_data=UserData()), "user_data"),
        (Event(event_name="Lead", user_data=PERSON, event_time=-1), "event_time"),
    ],
    ids=["no value", "nobody", "before 1970"],
)
def test_an_event_that_cannot_be_sent_names_its_field_and_leaves_nothing(relay, event, field):
    with pytest.raises(InvalidEvent) as caught:
        relay.track(event)
    assert caught.value.field == field
    assert events_of(relay) == []


def test_no_repr_of_what_is_kept_shows_whose_browser_it_is(relay):
    """A program's error reports show the variables of each frame, ours too, and leave the machine."""
    facts = RequestFacts(client_ip_address="203.0.113.77", client_user_agent="Canary/5.0", fbp="fb.1.1596403881668.77")
    event = relay.seal(Event(event_name="Lead", event_id="lead-1", user_data=UserData(fbp="fb.1.1596403881668.77")))
    assert isinstance(event, SealedEvent) and b"fb.1" in event.body
    relay.outbox.put([event], time.time())
    lease = relay.outbox.claim("1", 1, 60, time.time())
    relay.remember("1001", facts)
    visit = relay.outbox.visitor("1001", time.time())
    assert (visit.client_ip_address, visit.fbp) == ("203.0.113.77", "fb.1.1596403881668.77")
    for shown in map(repr, (event, lease, visit)):
        assert not any(part in shown for part in ("203.0.113", "Canary", "fb.1", "user_data"))
    assert "lead-1" in repr(event) and "lead-1" in repr(lease)


def test_an_error_never_shows_the_person(relay):
    with pytest.raises(InvalidEvent) as caught:
        relay.track(Event(event_name="Purchase", user_data=PERSON, custom_data={"value": "john_smith@gmail.com"}))
    assert "john_smith" not in str(caught.value) + repr(caught.value)


def test_a_visitor_who_declined_is_withheld_and_it_is_no_error(relay):
    denied = Event(event_name="Lead", user_data=PERSON, consent="denied")
    tracked = relay.track(denied)
    assert (tracked.event_id, tracked.status, tracked.is_durable) == (None, "withheld", False)
    assert tracked.why == "consent: the visitor declined; the event was not kept"
    assert events_of(relay) == []


def test_a_browser_may_not_say_that_money_moved(relay):
    purchase = Event(event_name="Purchase", user_data=PERSON, custom_data={"value": 1, "currency": "USD"})
    with pytest.raises(InvalidEvent) as caught:
        relay.track(purchase, sender="browser")
    assert caught.value.reason == "needs_api_key"
    assert relay.track(purchase).state == "accepted"


def test_after_close_track_says_that_nothing_was_kept(environ):
    relay = Relay.from_env(environ)
    relay.track(LEAD)
    relay.close()
    with pytest.raises(OutboxUnavailable):
        relay.track(Event(event_name="Lead", event_id="lead-2", user_data=PERSON))


# -- seal and accept --------------------------------------------------------------------------------------------------


def test_seal_keeps_nothing_and_opens_no_file(environ, tmp_path):
    sealed = Relay.from_env(environ).seal(LEAD)
    assert isinstance(sealed, SealedEvent) and b"john_smith" not in sealed.body
    assert list(tmp_path.iterdir()) == []


def test_seal_answers_with_a_rejection_instead_of_raising(relay):
    rejection = relay.seal(Event(event_name="Purchase", user_data=PERSON))
    assert isinstance(rejection, Rejection) and rejection.field == "custom_data.value"


def test_accept_tells_what_was_left_out(relay):
    person = UserData(email="john_smith@gmail.com", phone="not a phone")
    acceptance = relay.accept(Event(event_name="Lead", user_data=person))
    (dropped,) = acceptance.dropped
    assert dropped.startswith("ph") and "not a phone" not in dropped


def test_seal_is_for_the_dataset_that_was_named(environ, tmp_path):
    config = tmp_path / "relay.toml"
    config.write_text(
        '[[dataset]]\nMETA_PIXEL_ID = "1"\nMETA_ACCESS_TOKEN = "a"\n'
        '[[dataset]]\nMETA_PIXEL_ID = "2"\nMETA_ACCESS_TOKEN = "b"\n'
    )
    relay = Relay.from_env({"RELAY_CONFIG": str(config), "RELAY_OUTBOX": environ["RELAY_OUTBOX"]})
    second = relay.settings.datasets[1]
    assert [relay.seal(LEAD).dataset, relay.seal(LEAD, dataset=second).dataset] == ["1", "2"]


# -- visits -----------------------------------------------------------------------------------------------------------

VISIT = RequestFacts(client_ip_address="198.51.100.7", client_user_agent="Mozilla/5.0", fbp="fb.1.1596403881668.1")


def test_a_visit_comes_back_under_its_key(relay):
    assert relay.remember("order-1", VISIT)
    known = relay.facts_of("order-1")
    assert known is not None and known.fbp == VISIT.fbp
    assert relay.facts_of("order-2") is None


def test_a_visit_is_not_remembered_against_the_visitors_word(relay):
    assert relay.remember("order-1", VISIT, "denied") is False
    assert relay.facts_of("order-1") == RequestFacts(consent="denied"), "the choice, and nothing else"


@pytest.mark.parametrize(
    "event",
    [
        Event(event_name="Purchase", user_data=PERSON, custom_data={"order_id": "1001"}),
        Event(event_name="Purchase", user_data=PERSON, event_id="purchase_1001"),
    ],
    ids=["by its order_id", "by its event id"],
)
def test_the_visit_behind_a_backends_event_is_found(relay, event):
    relay.remember("1001", VISIT)
    assert relay.facts_for(event).client_ip_address == VISIT.client_ip_address
    assert relay.facts_for(Event(event_name="Lead", user_data=PERSON)) == RequestFacts()


def test_what_a_visitor_takes_back_is_not_sent(relay):
    relay.track(LEAD)
    assert relay.withdraw(relay.settings.datasets[0], ["lead-1", "lead-2"]) == 1
    assert [story.state for story in relay.outbox.find("lead-1")] == ["erased"]


# -- send, past the outbox --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "outcome", "accepted"),
    [(RECEIVED, Accepted, True), (REFUSED, Refused, False), (Unreachable("dns", sent=False), Unreachable, False)],
    ids=["taken", "refused", "away"],
)
def test_send_says_what_meta_said_and_stores_nothing(environ, tmp_path, caplog, answer, outcome, accepted):
    meta = Meta(answer)
    relay = Relay(Settings.from_env(environ), transport=meta)
    (sent,) = relay.send([relay.seal(LEAD)])
    assert isinstance(sent.outcome, outcome) and sent.accepted is accepted and sent.event_ids == ("lead-1",)
    assert list(tmp_path.iterdir()) == []
    relay.close()
    assert meta.is_closed


def test_send_goes_out_with_the_test_code_and_the_token_in_a_header_only(environ):
    meta = Meta()
    relay = Relay(Settings.from_env(environ), transport=meta)
    relay.send([relay.seal(LEAD)], test_event_code="TEST1")
    (request,) = meta.requests
    assert b'"test_event_code":"TEST1"' in request.body
    assert "token" not in request.url and request.headers["Authorization"] == "Bearer token"


def test_two_thousand_events_are_sent_in_batches_that_meta_takes(environ):
    meta = Meta()
    relay = Relay(Settings.from_env(environ), transport=meta)
    relay.send([relay.seal(LEAD)] * 2_001)
    assert [request.body.count(b'"event_id"') for request in meta.requests] == [1_000, 1_000, 1]


# -- settings ---------------------------------------------------------------------------------------------------------


def test_what_is_missing_is_named_before_anything_is_opened(tmp_path):
    with pytest.raises(SettingsError, match="META_PIXEL_ID, META_ACCESS_TOKEN"):
        Relay.from_env({"RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db"})
    assert list(tmp_path.iterdir()) == []


def test_an_outbox_that_cannot_be_opened_is_said_when_it_is_needed(tmp_path):
    nowhere = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "a", "RELAY_OUTBOX": f"sqlite:///{tmp_path}/no/folder.db"}
    relay = Relay.from_env(nowhere)
    with pytest.raises(SettingsError, match="RELAY_OUTBOX"):
        relay.track(LEAD)
    relay.close()


@pytest.mark.parametrize("name", ["/", "new/", "{tmp_path}/", "{tmp_path}/new/", "{tmp_path}/.", "new/..", ".", ".."])
def test_an_outbox_that_is_a_folder_is_told_and_none_is_made(tmp_path, monkeypatch, name):
    """`/` was a traceback, and the volume that was not mounted a file of its name."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{name.format(tmp_path=tmp_path)}"
    relay = Relay.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "a", "RELAY_OUTBOX": url})
    with pytest.raises(SettingsError, match="RELAY_OUTBOX: that is a folder"):
        relay.track(LEAD)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [":memory:", "file::memory:?cache=shared", "file:outbox.db?mode=memory"])
def test_an_outbox_in_memory_is_refused_and_makes_no_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    relay = Relay.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "a", "RELAY_OUTBOX": f"sqlite:///{name}"})
    with pytest.raises(SettingsError, match="RELAY_OUTBOX: an outbox is a file"):
        relay.track(LEAD)
    assert list(tmp_path.iterdir()) == []
