"""How fast a dataset may be sent to."""

import threading

import pytest

from conversion_relay.delivery.pace import (
    AHEAD_SECONDS,
    FIRST_CALLS,
    MOST_EVENTS,
    PROBE_EVENTS,
    Paces,
)
from conversion_relay.delivery.slot import Slot
from conversion_relay.meta.graph import Accepted, Refused, Said, Throttled, Unreachable
from tests.processes import until

OK = Accepted(Said())
AWAY = Unreachable("connection_refused", sent=False)


class Clock:
    """Remembers which threads read it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.readers: list[threading.Thread] = []

    def __call__(self) -> float:
        self.readers.append(threading.current_thread())
        return self.now


@pytest.fixture
def clock():
    return Clock()


def calls_at_once(paces: Paces, name: str = "1") -> int:
    """How many calls begin of as many turns as are admitted; the others wait until they are told to stop."""
    turns = 0
    while paces.admit([name]):
        turns += 1
    waiting = [threading.Thread(target=paces.begin, args=(name, 1), daemon=True) for _ in range(turns)]
    for turn in waiting:
        turn.start()
    # Who began ended with it; who waits is alive.
    ahead = max(0, turns - paces.now()[name].most_in_flight)
    until(lambda: sum(turn.is_alive() for turn in waiting) == ahead)
    calls = paces.now()[name].in_flight
    for _ in range(calls + ahead):
        until(lambda: paces.now()[name].in_flight)
        paces.end(name)
    for _ in range(turns):
        paces.done(name)
    return calls


def answered(paces: Paces, clock: Clock, outcome, seconds: float = 0.1, name: str = "1") -> None:
    started = clock.now
    clock.now += seconds
    paces.note(name, outcome, started)


def test_it_begins_with_few_calls_and_doubles_while_meta_answers_well(clock):
    paces = Paces(clock, most_calls=16)
    seen = [calls_at_once(paces)]
    for _ in range(2):
        for _ in range(seen[-1]):
            answered(paces, clock, OK)
        seen.append(calls_at_once(paces))
    assert seen == [FIRST_CALLS, 8, 16]


def test_it_never_goes_beyond_the_setting(clock):
    paces = Paces(clock, most_calls=3)
    for _ in range(50):
        answered(paces, clock, OK)
    assert calls_at_once(paces) == 3


@pytest.mark.parametrize("trouble", [Throttled(Said(code=4), after=0.0), AWAY])
def test_trouble_halves_it_once_however_many_calls_were_in_flight_and_then_it_grows_by_one_a_round(clock, trouble):
    paces = Paces(clock, most_calls=16)
    for _ in range(30):
        answered(paces, clock, OK)
    started = clock.now
    clock.now += 1
    for _ in range(16):
        paces.note("1", trouble, started)
    assert calls_at_once(paces) == 1, "after a failure one asks for all"
    answered(paces, clock, OK)
    assert calls_at_once(paces) == 8
    for _ in range(8):
        answered(paces, clock, OK)
    assert calls_at_once(paces) == 9


def test_slow_answers_slow_it_down(clock):
    paces = Paces(clock, most_calls=16)
    for _ in range(30):
        answered(paces, clock, OK)
    answered(paces, clock, OK, seconds=3.0)
    assert calls_at_once(paces) == 8


def test_after_three_failures_the_requests_are_small(clock):
    paces = Paces(clock, most_calls=8)
    sizes = []
    for _ in range(5):
        name, events = paces.admit(["1"])
        sizes.append(events)
        answered(paces, clock, AWAY)
        paces.done(name)
    assert sizes == [MOST_EVENTS] * 3 + [PROBE_EVENTS] * 2


def test_datasets_take_turns_and_a_parked_one_loses_its_own_alone(clock):
    paces = Paces(clock, most_calls=8)
    paces.park("2", 60.0, "unauthorized")
    order = []
    for _ in range(4):
        name, _ = paces.admit(["1", "2", "3"])
        order.append(name)
        paces.done(name)
        clock.now += 1
    assert order == ["1", "3", "1", "3"]
    assert paces.opens_in("2") == 56.0
    clock.now += 56
    assert "2" in {paces.admit(["1", "2", "3"])[0] for _ in range(3)}


def test_an_alert_is_news_once_until_events_are_taken(clock):
    paces = Paces(clock, most_calls=8)
    assert [paces.alert("1", "unauthorized") for _ in range(3)] == [True, False, False]
    assert [paces.alert("1", why) for why in ("all_refused", "unauthorized")] == [True, False]
    assert [paces.recovered("1") for _ in range(2)] == [True, False]
    clock.now += 601
    assert paces.alert("1", "unauthorized") is True


@pytest.fixture
def busy(clock):
    """Four calls in flight, and a fifth turn that has claimed its events and waits for one of them to end."""
    paces = Paces(clock, most_calls=4)
    for _ in range(3):
        answered(paces, clock, OK)
    began: list[bool] = []
    for _ in range(4):
        assert paces.admit(["1"]) and paces.begin("1", MOST_EVENTS)
    assert all(paces.admit(["1"]) for _ in range(4)) and paces.admit(["1"]) is None
    fifth = threading.Thread(target=lambda: began.append(paces.begin("1", MOST_EVENTS)), daemon=True)
    fifth.start()
    # From its second look at the clock until it waits it holds the lock, so whatever is called next finds it waiting.
    until(lambda: clock.readers.count(fifth) >= 2)
    return paces, fifth, began


def test_a_turn_claims_ahead_and_its_call_begins_when_another_is_over(busy):
    paces, fifth, began = busy
    fifth.join(0.05)
    assert not began and paces.now()["1"].in_flight == 4
    paces.end("1")
    fifth.join(60)
    assert began == [True] and paces.now()["1"].in_flight == 4


@pytest.mark.parametrize("trouble", [AWAY, Accepted(Said(), pause=60.0), Throttled(Said(code=4), after=0.0)])
def test_what_was_claimed_ahead_of_trouble_goes_back(busy, clock, trouble):
    paces, fifth, began = busy
    answered(paces, clock, trouble)
    paces.end("1")
    fifth.join(60)
    assert began == [False]


def test_what_was_claimed_ahead_does_not_wait_for_long(busy, clock):
    paces, fifth, began = busy
    clock.now += AHEAD_SECONDS
    paces.end("1")
    fifth.join(60)
    assert began == [False]


def test_a_call_whose_answer_cannot_be_recorded_is_in_flight_again(busy):
    paces, fifth, began = busy
    slot = Slot(paces, "1", threading.Event())
    slot.take()  # it has it
    assert paces.now()["1"].in_flight == 4
    slot.free()
    fifth.join(60)
    slot.take()
    assert began == [True] and paces.now()["1"].in_flight == 5
    slot.free()
    slot.free()
    assert paces.now()["1"].in_flight == 4


@pytest.mark.parametrize("most_calls", [1, 2, 3])
def test_a_setting_below_the_first_calls_holds_from_the_start(clock, most_calls):
    assert calls_at_once(Paces(clock, most_calls=most_calls)) == most_calls


def test_what_was_claimed_ahead_goes_back_at_a_stop(busy):
    paces, fifth, began = busy
    paces.stop()
    fifth.join(60)
    assert began == [False]


def test_a_full_batch_never_asks_whether_meta_is_back(clock):
    paces = Paces(clock, most_calls=4)
    for _ in range(3):
        answered(paces, clock, AWAY)
    assert paces.begin("1", MOST_EVENTS) is False
    assert paces.begin("1", PROBE_EVENTS) is True


@pytest.mark.parametrize("outcome", [OK, Refused(Said())])
def test_what_was_under_way_when_meta_asked_for_a_pause_does_not_end_it(clock, outcome):
    paces = Paces(clock, 16)
    began_at = clock.now
    clock.now += 1
    paces.note("1", Throttled(Said(), 300.0), clock.now - 0.5)
    paces.park("1", 300.0, "throttled")
    clock.now += 1
    paces.note("1", outcome, began_at)
    assert paces.now()["1"].parked_seconds == 299 and paces.admit(["1"]) is None
    clock.now += 300
    paces.note("1", outcome, clock.now - 0.1)
    assert paces.now()["1"].parked_seconds == 0


def test_what_was_under_way_when_a_connection_broke_ends_the_pause(clock):
    """Nobody asked for it."""
    paces = Paces(clock, 16)
    began_at = clock.now
    paces.note("1", AWAY, clock.now)
    paces.park("1", 10.0, "unreachable")
    clock.now += 1
    paces.note("1", OK, began_at)
    assert paces.now()["1"].parked_seconds == 0


@pytest.mark.parametrize("since", ["unauthorized", "throttled"])
def test_a_new_token_does_not_end_a_pause_that_meta_asked_for(clock, since):
    """Its limits are the dataset's; also when a dead token was the latest trouble."""
    paces = Paces(clock, 16)
    paces.park("1", 300.0, "throttled")
    paces.park("1", 60.0, since)
    clock.now += 100
    paces.unpark("1")
    assert (paces.now()["1"].parked_seconds, paces.now()["1"].why) == (200, "throttled")
    assert paces.admit(["1"]) is None
    clock.now += 200
    assert paces.admit(["1"]) is not None


def test_what_was_under_way_does_not_end_a_pause_whose_dataset_then_lost_its_token(clock):
    paces = Paces(clock, 16)
    began_at = clock.now
    clock.now += 1
    paces.park("1", 300.0, "throttled")
    paces.park("1", 60.0, "unauthorized")
    paces.note("1", OK, began_at)
    assert paces.now()["1"].parked_seconds == 300
