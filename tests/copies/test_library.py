"""One event for several datasets, as a Python program tracks it."""

import json

import msgspec
import pytest

from conversion_relay import Event, InvalidEvent, OutboxUnavailable, Relay, RequestFacts, UserData
from conversion_relay.relay import Copied
from tests.asgi import run
from tests.copies import AGENCY, BRAND, MARKET, brand, settings, table


@pytest.fixture
def relay_of(tmp_path):
    opened: list[Relay] = []

    def relay_of(*tables: str, **more: str) -> Relay:
        opened.append(Relay(settings(tmp_path, *tables, **more)))
        return opened[-1]

    yield relay_of
    for relay in opened:
        relay.close()


def lead(event_id: str | None = "lead-1", **more) -> Event:
    return Event(event_name="Lead", event_id=event_id, user_data=UserData(email="joe@example.com"), **more)


def kept(relay: Relay, event_id: str) -> list[str]:
    return sorted(story.dataset for story in relay.outbox.find(event_id))


def bodies(relay: Relay, dataset: str) -> list[dict]:
    lease = relay.outbox.claim(dataset, 100, 60, 0)
    return [json.loads(event.body) for event in lease.events] if lease else []


def test_a_copy_has_the_same_id_time_and_person_and_each_dataset_is_told_of(relay_of):
    relay = relay_of(brand(copies=f'["{AGENCY}", "{MARKET}"]'), table(AGENCY), table(MARKET))
    tracked = relay.track(lead(None))
    assert (tracked.status, tracked.is_durable) == ("accepted", True)
    assert [(one.dataset, one.event_id, one.state) for one in tracked.copies] == [
        (AGENCY, tracked.event_id, "accepted"),
        (MARKET, tracked.event_id, "accepted"),
    ]
    (own,), (copy,), (other,) = (bodies(relay, name) for name in (BRAND, AGENCY, MARKET))
    assert own == copy == other and own["event_id"] == tracked.event_id


def test_a_duplicate_is_one_at_each_dataset_by_itself(relay_of):
    alone, both = (brand(copies="[]"), table(AGENCY)), (brand(), table(AGENCY))
    relay_of(*alone).track(lead())
    tracked = relay_of(*both).track(lead())
    assert (tracked.status, [one.state for one in tracked.copies]) == ("duplicate", ["accepted"])


def test_one_dataset_withholds_what_the_other_takes_and_the_other_way_round(relay_of):
    asks = 'RELAY_CONSENT = "withhold"'
    relay = relay_of(brand(), table(AGENCY, asks))
    tracked = relay.track(lead())
    assert tracked.status == "accepted" and kept(relay, "lead-1") == [BRAND]
    (copy,) = tracked.copies
    assert (copy.state, copy.event_id) == ("withheld", None) and "RELAY_CONSENT" in copy.why
    relay = relay_of(brand(asks), table(AGENCY))
    tracked = relay.track(lead("lead-2"))
    assert (tracked.status, tracked.event_id, tracked.is_durable) == ("withheld", None, False)
    assert tracked.copies == (Copied(AGENCY, "lead-2", "accepted"),) and kept(relay, "lead-2") == [AGENCY]


def test_each_copy_is_limited_by_its_own_policy(relay_of):
    relay = relay_of(brand(), table(AGENCY, 'RELAY_CONSENT = "limited_data_use"'))
    relay.track(lead())
    (own,), (copy,) = bodies(relay, BRAND), bodies(relay, AGENCY)
    assert "data_processing_options" not in own and copy["data_processing_options"] == ["LDU"]
    del copy["data_processing_options"], copy["data_processing_options_country"], copy["data_processing_options_state"]
    assert copy == own


def test_a_visitor_who_declines_is_kept_by_nobody(relay_of):
    relay = relay_of(brand(), table(AGENCY))
    tracked = relay.track(lead(consent="denied"))
    assert (tracked.status, [one.state for one in tracked.copies]) == ("withheld", ["withheld"])
    assert kept(relay, "lead-1") == []


def test_an_event_that_no_dataset_can_take_raises_and_one_that_another_took_says_refused(relay_of):
    relay = relay_of(brand("RELAY_MAX_VALUE = 5", 'RELAY_PUBLIC_EVENTS = "Lead"'), table(AGENCY))
    paid = {"value": 50, "currency": "EUR"}
    with pytest.raises(InvalidEvent, match="event_name"):
        relay.track(Event(event_name="", user_data=UserData(email="joe@example.com")))
    tracked = relay.track(lead(custom_data=paid), sender="browser")
    assert (tracked.status, tracked.copies[0].state) == ("refused", "accepted") and "RELAY_MAX_VALUE" in tracked.why
    assert kept(relay, "lead-1") == [AGENCY]


def test_many_events_keep_each_with_its_copies_and_refuse_by_themselves(relay_of):
    relay = relay_of(brand(), table(AGENCY))
    told = relay.track_many([lead("a"), Event(event_name="Purchase", event_id="b"), lead("c")])
    assert [one.status for one in told] == ["accepted", "refused", "accepted"]
    assert [[copy.state for copy in one.copies] for one in told] == [["accepted"], ["refused"], ["accepted"]]
    assert [kept(relay, name) for name in "abc"] == [[BRAND, AGENCY], [], [BRAND, AGENCY]]


def test_an_event_loop_gets_the_copies_too(relay_of):
    relay = relay_of(brand(), table(AGENCY))
    assert run(relay.track_async(lead())).copies == (Copied(AGENCY, "lead-1", "accepted"),)


class Refusing:
    """An outbox that cannot commit, and remembers what it was asked to keep at once."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def put(self, events, now):
        self.asked.append([event.dataset for event in events])
        raise OutboxUnavailable("the disk is full")

    def close(self) -> None: ...


def test_event_and_copies_are_one_put_so_nothing_is_half_kept(tmp_path):
    outbox = Refusing()
    relay = Relay(settings(tmp_path, brand(), table(AGENCY)), outbox=outbox)
    with pytest.raises(OutboxUnavailable):
        relay.track(lead())
    with pytest.raises(OutboxUnavailable):
        relay.track_many([lead("a"), lead("b")])
    assert outbox.asked == [[BRAND, AGENCY], [BRAND, AGENCY, BRAND, AGENCY]]


class Joining(Refusing):
    """One that joins its caller's transaction."""

    def put(self, events, now):
        raise AssertionError("not in the transaction")

    def put_within(self, connection, events, now):
        connection.extend(event.dataset for event in events)


def test_in_the_callers_transaction_they_are_together_and_pending(tmp_path):
    connection: list[str] = []
    relay = Relay(settings(tmp_path, brand(), table(AGENCY)), outbox=Joining())
    tracked = relay.track(lead(), connection=connection)
    assert connection == [BRAND, AGENCY]
    assert (tracked.status, tracked.copies) == ("pending", (Copied(AGENCY, "lead-1", "pending"),))


def test_a_program_names_datasets_and_an_unknown_one_is_its_mistake(relay_of):
    relay = relay_of(brand(), table(AGENCY), table(MARKET))
    tracked = relay.track(lead(), datasets=[MARKET, BRAND])
    assert kept(relay, "lead-1") == [BRAND, AGENCY, MARKET]
    assert [one.dataset for one in tracked.copies] == [BRAND, AGENCY]
    with pytest.raises(InvalidEvent, match="datasets"):
        relay.track(lead("other"), datasets=[MARKET, "999"])
    assert kept(relay, "other") == []


def test_a_visitor_takes_back_the_copies_too_and_erase_finds_them(relay_of):
    relay = relay_of(brand(), table(AGENCY))
    relay.track(lead("a"))
    relay.track(lead("b"))
    assert relay.withdraw(relay.settings.datasets[0], ["a"]) == 2
    assert {story.state for story in relay.outbox.find("a")} == {"erased"}
    digest = bodies(relay, AGENCY)[0]["user_data"]["em"][0]
    assert relay.outbox.erase([digest], 0) == 2 and {story.state for story in relay.outbox.find("b")} == {"erased"}


def test_new_settings_add_change_and_remove_copies(relay_of, tmp_path):
    relay = relay_of(brand(copies="[]"), table(AGENCY))
    held_by_a_request = relay.settings.datasets[0]
    assert relay.track(lead("a")).copies == ()
    relay.use(settings(tmp_path, brand('RELAY_CONSENT = "withhold"'), table(AGENCY)))
    relay.accept(lead("z"), dataset=held_by_a_request)  # let in before, under the old table
    assert (relay.track(lead("b")).status, kept(relay, "b")) == ("withheld", [AGENCY])
    relay.use(settings(tmp_path, brand(copies="[]")))
    assert relay.track(lead("c")).copies == () and kept(relay, "c") == [BRAND]


def test_the_door_changes_nothing_of_the_event_that_it_judges_twice(relay_of):
    """Each dataset's door sees what the caller wrote: the copy's answer is that of the event alone."""
    tables = (brand(), table(AGENCY, 'RELAY_DEFAULT_COUNTRY = "DE"'))
    relay = relay_of(*tables)
    page = "https://shop.example/?fbclid=abc"
    facts = RequestFacts(client_ip_address="198.51.100.7", client_user_agent="Mozilla/5.0", url=page)
    lines = [{"id": "1", "item_name": "x"}]
    odd = {"value": 12.5, "currency": "eur", "email": "joe@example.com", "contents": lines}
    event = lead("a", custom_data=odd, event_time=None)
    event.user_data.phone = "030 1234567"
    before = msgspec.json.encode(event)
    tracked = relay.track(event, facts)
    assert msgspec.json.encode(event) == before and tracked.dropped
    at_that_time = msgspec.structs.replace(event, event_time=bodies(relay, BRAND)[0]["event_time"])
    alone = relay.accept(at_that_time, facts, dataset=relay.settings.datasets[1])
    (copy,) = tracked.copies
    assert copy.dropped == alone.dropped
    assert bodies(relay, AGENCY)[0]["user_data"]["ph"] == json.loads(alone.event.body)["user_data"]["ph"]
