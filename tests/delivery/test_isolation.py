"""Which of a refused batch is guilty: by halves, by our own suspicion, and by what is remembered between turns."""

import json
import tracemalloc
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion_relay.delivery.isolation import Batch, Isolation
from conversion_relay.outbox.protocol import LeasedEvent
from tests.delivery.standins import NOW

DAY = 86_400
TOO_OLD = 2804003


def event(key: int, age: int = 0, size: int = 0) -> LeasedEvent:
    body = {"event_name": "Lead", "event_id": f"e{key}", "event_time": int(NOW) - age, "action_source": "website"}
    return LeasedEvent(
        key=key,
        event_name="Lead",
        event_id=f"e{key}",
        event_time=int(NOW) - age,
        expires_at=int(NOW) + DAY,
        attempts=0,
        sent_at=None,
        intact=True,
        body=json.dumps(body | {"user_data": {"em": ["0" * 64]}, "padding": "x" * size}).encode(),
    )


PASSING = event(1)


def events(n: int, first: int = 1) -> list[LeasedEvent]:
    return [event(key) for key in range(first, first + n)]


def keys(batch: Batch | list[LeasedEvent]) -> list[int]:
    return [one.key for one in (batch.events if isinstance(batch, Batch) else batch)]


class Found(NamedTuple):
    sent: set[int]
    alone: set[int]
    calls: int


def find(isolation: Isolation, batches: list[Batch], bad: set[int], most_calls: int = 10**6) -> Found:
    """What a sitting does while Meta refuses and names nobody; `batches` keeps what is left after so many calls."""
    sent: set[int] = set()
    alone: set[int] = set()
    calls = 0
    while batches and calls < most_calls:
        batch = batches.pop()
        if batch.is_guilty and len(batch.events) > 1:
            batches += isolation.halve(batch.events)
            continue
        calls += 1
        if not bad & set(keys(batch)):
            sent |= set(keys(batch))
            if batch.twin:
                batch.twin.is_guilty = True
        elif len(batch.events) == 1:
            alone |= set(keys(batch))
        else:
            batches += isolation.part(batch.events, None, NOW)
    return Found(sent, alone, calls)


def find_among(n: int, bad: set[int]) -> Found:
    isolation = Isolation()
    return find(isolation, isolation.pack(events(n)), bad)


def test_halves_are_sent_first_half_first_and_lose_nobody():
    second, first = Isolation().halve(events(5))
    assert (keys(first), keys(second)) == ([1, 2, 3], [4, 5])


def test_the_first_half_knows_the_second_and_the_second_is_guilty_only_when_the_first_was_accepted():
    second, first = Isolation().halve(events(4))
    assert first.twin is second and second.twin is None
    assert not first.is_guilty and not second.is_guilty


@pytest.mark.parametrize("place", [1, 2, 499, 500, 501, 999, 1_000])
def test_one_bad_event_of_a_thousand_costs_at_most_21_calls_wherever_it_stands(place):
    assert find_among(1_000, {place}).calls <= 21


@settings(max_examples=60, deadline=None)
@given(bad=st.sets(st.integers(1, 1_000), min_size=1, max_size=25), n=st.integers(1, 1_000))
def test_every_bad_event_is_found_alone_and_every_good_one_is_sent(bad, n):
    bad = {key for key in bad if key <= n} or {n}
    found = find_among(n, bad)
    assert found.alone == bad and found.sent == set(range(1, n + 1)) - bad
    assert found.calls <= 21 * len(bad)


@settings(max_examples=40, deadline=None)
@given(bad=st.sets(st.integers(1, 300), min_size=1, max_size=6), stops=st.lists(st.integers(1, 12), max_size=8))
def test_halving_goes_on_over_any_number_of_interruptions(bad, stops):
    """An outage ends a sitting; the next one claims what is left, in any order, and asks with the halves it knows."""
    isolation = Isolation()
    left = {one.key: one for one in events(300)}
    sent: set[int] = set()
    alone: set[int] = set()
    for calls in [*stops, 10**6]:
        found = find(isolation, isolation.pack(list(left.values())), bad, calls)
        isolation.forget([left.pop(key) for key in found.sent | found.alone])
        sent, alone = sent | found.sent, alone | found.alone
    assert alone == bad and sent == set(range(1, 301)) - bad and not left


def test_after_an_outage_the_halves_are_as_they_were():
    isolation = Isolation()
    everybody = events(8)
    isolation.halve(everybody)
    isolation.halve(everybody[:4])
    assert [keys(batch) for batch in isolation.pack(everybody)[::-1]] == [[1, 2], [3, 4], [5, 6, 7, 8]]


def test_new_events_are_not_mixed_into_halves_that_are_under_suspicion():
    isolation = Isolation()
    isolation.halve(events(4))
    batches = isolation.pack([*events(4), *events(3, first=100)])
    assert sorted(map(keys, batches)) == [[1, 2], [3, 4], [100, 101, 102]]


def test_what_is_settled_is_forgotten():
    isolation = Isolation()
    everybody = events(4)
    isolation.halve(everybody)
    isolation.forget(everybody)
    assert [keys(batch) for batch in isolation.pack(everybody)] == [[1, 2, 3, 4]]


def test_without_any_refusal_the_order_is_kept_and_the_limits_are_batchs():
    batches = Isolation().pack(events(2_500))[::-1]
    assert [len(batch.events) for batch in batches] == [1_000, 1_000, 500]
    assert [key for batch in batches for key in keys(batch)] == list(range(1, 2_501))
    heavy = [event(key, size=2_400_000) for key in (1, 2, 3)]
    assert [keys(batch) for batch in Isolation().pack(heavy)[::-1]] == [[1], [2], [3]]


def test_nothing_to_send_is_no_batch():
    assert Isolation().pack([]) == []


@pytest.mark.parametrize("guilty", [{1}, {4}, {2, 5}, {1, 2, 3, 4, 5}])
def test_the_suspects_go_apart_and_last(guilty):
    """Our own rules find them too old, as Meta says that one of them is."""
    batch = [event(key, age=8 * DAY if key in guilty else 0) for key in range(1, 7)]
    suspects, others = Isolation().part(batch, TOO_OLD, NOW)
    assert set(keys(suspects)) == guilty
    assert keys(others) == [key for key in range(1, 7) if key not in guilty]
    assert not others.is_guilty, "Meta may have meant more than one"


@pytest.mark.parametrize(
    ("ages", "subcode"),
    [
        pytest.param([0, 0, 0, 0], TOO_OLD, id="nobody is suspect"),
        pytest.param([8 * DAY] * 4, TOO_OLD, id="everybody is suspect"),
        pytest.param([8 * DAY] * 4, 2804036, id="suspect of something else"),
        pytest.param([8 * DAY] * 4, None, id="Meta gave no subcode"),
    ],
)
def test_a_suspicion_that_parts_nothing_is_none(ages, subcode):
    batch = [event(key, age) for key, age in enumerate(ages)]
    assert [keys(half) for half in Isolation().part(batch, subcode, NOW)] == [[2, 3], [0, 1]]


def test_a_setback_counts_once_for_each_outage():
    isolation = Isolation()
    stumbling = event(7)
    assert [isolation.stumbling.setbacks(stumbling, outage) for outage in (1, 1, 1, 2, 2, 3)] == [1, 1, 1, 2, 2, 3]
    assert isolation.stumbling.setbacks(event(8), 3) == 1, "another event's outages are not its own"


def test_an_event_that_was_settled_has_no_setbacks_any_more():
    isolation = Isolation()
    isolation.stumbling.setbacks(event(7), 1)
    isolation.forget([event(7)])
    assert isolation.stumbling.setbacks(event(7), 2) == 1


def test_forgetting_what_was_never_remembered_is_nothing():
    isolation = Isolation()
    isolation.forget(events(3))
    isolation.halve(events(2))
    isolation.forget(events(3, first=50))
    assert [keys(batch) for batch in isolation.pack(events(2))[::-1]] == [[1], [2]]


@pytest.fixture
def little_room(monkeypatch):
    for module in ("isolation", "stumbling"):
        monkeypatch.setattr(f"conversion_relay.delivery.{module}.MOST_REMEMBERED", 100)


@pytest.mark.parametrize("remember", ["halves", "setbacks"])
def test_memory_does_not_grow_with_the_events_that_pass(little_room, remember):
    """Events that another process settled are never forgotten one by one."""
    isolation = Isolation()
    tracemalloc.start()
    try:
        for first in range(0, 20_000, 10):
            passing = [msgspec.structs.replace(PASSING, key=first + i) for i in range(10)]
            if remember == "halves":
                isolation.halve(passing)
            else:
                for one in passing:
                    isolation.stumbling.setbacks(one, 1)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 200_000, "20,000 numbers and their places take more than a megabyte"


@pytest.mark.parametrize("remember", ["halves", "setbacks"])
def test_what_was_forgotten_for_want_of_room_begins_anew(little_room, remember):
    isolation = Isolation()
    isolation.halve(events(4))
    isolation.stumbling.setbacks(event(1), 1)
    if remember == "halves":
        isolation.halve(events(101, first=200))
        isolation.halve(events(2, first=50))
        assert [keys(batch) for batch in isolation.pack(events(4))] == [[1, 2, 3, 4]]
    else:
        for one in events(101, first=200):
            isolation.stumbling.setbacks(one, 1)
        assert isolation.stumbling.setbacks(event(1), 2) == 1


def test_fresh_events_do_not_join_a_half_whose_first_key_is_0():
    """The records of an invocation on AWS are numbered from 0."""
    isolation = Isolation()
    isolation.halve(events(4, first=0))
    packed = {tuple(keys(batch)) for batch in isolation.pack([*events(2, first=0), *events(3, first=10)])}
    assert packed == {(0, 1), (10, 11, 12)}


def shaped(key: int, member: str, n: int = 1) -> LeasedEvent:
    body = {"event_name": "Lead", "event_id": f"{key}", "event_time": int(NOW), "action_source": "website"}
    return msgspec.structs.replace(event(key), body=json.dumps(body | {"user_data": {member: "x"}}).encode())


def test_a_batch_is_parted_where_a_shape_ends():
    batch = [shaped(key, "ph" if key % 3 == 0 else "em") for key in range(1, 10)]
    second, first = Isolation().part(batch, None, NOW)
    assert {frozenset(keys(first)), frozenset(keys(second))} == {frozenset({3, 6, 9}), frozenset({1, 2, 4, 5, 7, 8})}


def test_a_group_that_was_refused_together_ends_nobody_and_one_that_was_refused_alone_ends_itself():
    isolation, group = Isolation(), [shaped(key, "em") for key in range(1, 5)]
    isolation.refused("1", group[0], 2804036, (), NOW)
    assert not isolation.is_proven("1", group[1:], 2804036, (), NOW), "one shape is no proof"
    assert not isolation.is_proven("1", group[1:], 2804019, ("user_data", "ph"), NOW), "of another complaint"
    isolation.refused("1", group[0], 2804019, ("user_data", "ph"), NOW)
    assert isolation.is_proven("1", group[1:], 2804019, ("user_data", "ph"), NOW)
    assert not isolation.is_proven("2", group[1:], 2804019, ("user_data", "ph"), NOW)
    assert not isolation.is_proven("1", [*group[1:], shaped(9, "ph")], 2804019, ("user_data", "ph"), NOW)


def test_a_known_cause_is_forgotten_when_one_of_its_shape_is_taken():
    isolation = Isolation()
    for key in (1, 2, 3):
        assert not isolation.knows("1", shaped(9, "em"), NOW)
        isolation.refused("1", shaped(key, "em"), 2804036, (), NOW)
    assert isolation.knows("1", shaped(9, "em"), NOW)
    assert not isolation.knows("1", shaped(9, "ph"), NOW) and not isolation.knows("2", shaped(9, "em"), NOW)
    isolation.accepted("1", [shaped(4, "em")], NOW, suspects=False)
    assert not isolation.knows("1", shaped(9, "em"), NOW)


def test_where_most_are_bad_they_are_tried_one_by_one():
    isolation, batch = Isolation(), [shaped(key, "em") for key in range(100)]
    assert isolation.most_together("1", batch, NOW) == 100
    for one in batch[:3]:
        isolation.refused("1", one, 2804036, (), NOW)
    assert isolation.most_together("1", batch[3:], NOW) == 1
    isolation.accepted("1", [shaped(key, "em") for key in range(200, 250)], NOW)
    assert isolation.most_together("1", batch[3:], NOW) == 9


def test_shapes_and_offences_are_remembered_within_bounds(monkeypatch):
    monkeypatch.setattr("conversion_relay.delivery.isolation.MOST_SHAPES", 10)
    isolation = Isolation()
    for key in range(100):
        isolation.refused("1", shaped(key, f"member{key}"), 2804019, ("user_data", "ph"), NOW)
    assert len(isolation._tallies) == len(isolation._offences) == 10
