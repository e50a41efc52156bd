"""How fast a dataset may be sent to."""

import pytest

from conversion_relay.graph import Accepted, Said, Throttled, Unreachable
from conversion_relay.pace import FIRST_CALLS, MOST_EVENTS, PROBE_EVENTS, Paces

OK = Accepted(Said())
AWAY = Unreachable("refused", sent=False)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def calls_at_once(paces: Paces, name: str = "1") -> int:
    n = 0
    while paces.admit([name]):
        n += 1
    for _ in range(n):
        paces.done(name)
    return n


def answered(paces: Paces, clock: Clock, outcome, seconds: float = 0.1, name: str = "1") -> None:
    started = clock.now
    clock.now += seconds
    paces.note(name, outcome, started)


def test_it_begins_with_few_calls_and_doubles_while_meta_answers_well(clock):
    paces = Paces(clock, most_calls=16)
    seen = [calls_at_once(paces)]
    for _ in range(3):
        for _ in range(seen[-1]):
            answered(paces, clock, OK)
        seen.append(calls_at_once(paces))
    assert seen == [FIRST_CALLS, 4, 8, 16]


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
    assert paces.alert("1", "all_refused") is True
    assert paces.recovered("1") == "all_refused" and paces.recovered("1") is None
    assert paces.alert("1", "unauthorized") is True
