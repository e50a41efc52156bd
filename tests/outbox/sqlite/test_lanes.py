"""Whose events are claimed next: fresh ones first, half of the places for the backlog, nothing forgotten."""

from array import array

import apsw
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from conversion_relay.outbox.lanes import BACKLOG, FRESH_SECONDS, HELD, LATER, LIVE, SUSPECTS
from conversion_relay.outbox.protocol import LONGEST_WAIT
from conversion_relay.outbox.sqlite import lanes, rows
from conversion_relay.outbox.sqlite.books import make_dataset_id, read
from tests.outbox.suite import NOW, sealed


@pytest.fixture
def dataset(db) -> int:
    return make_dataset_id(db, "1")


def put(db: apsw.Connection, n: int, at: float = NOW, prefix: str = "e", **how) -> "array[int]":
    """Their keys."""
    before = read(db, "SELECT coalesce(max(key), 0) FROM event")[0][0]
    rows.insert(db, [sealed(f"{prefix}{i}", **how) for i in range(n)], at)
    return array("q", range(before + 1, before + n + 1))


def lane_of(db: apsw.Connection, key: int) -> int | None:
    found = read(db, "SELECT lane FROM queue WHERE key = ?", (key,))
    return found[0][0] if found else None


def move(db: apsw.Connection, lane: int, keys: "array[int]", due_at: float | None = None) -> None:
    db.execute("DELETE FROM queue WHERE key IN carray(?)", (apsw.carray(keys),))
    assert lanes.enqueue(db, lane, apsw.carray(keys), due_at) == len(keys)


@pytest.mark.parametrize(
    ("fresh", "old", "limit", "claimed_fresh", "claimed_old"),
    [
        (10, 0, 4, 4, 0),
        (0, 10, 4, 0, 4),
        (10, 10, 4, 2, 2),
        (1, 10, 4, 1, 3),
        (10, 1, 4, 3, 1),
        (10, 10, 5, 2, 3),
        (10, 10, 1, 0, 1),
        (0, 0, 4, 0, 0),
        (2, 1, 100, 2, 1),
        (50, 50, 100, 50, 50),
        (99, 50, 100, 50, 50),
    ],
)
def test_the_places_of_a_claim(db, dataset, fresh, old, limit, claimed_fresh, claimed_old):
    waiting = put(db, old, NOW - FRESH_SECONDS - 1, "old")
    new = put(db, fresh, NOW, "new")
    keys = lanes.dequeue(db, dataset, limit, NOW)
    assert (len(set(keys) & set(new)), len(set(keys) & set(waiting))) == (claimed_fresh, claimed_old)
    assert list(keys) == [*new[:claimed_fresh], *waiting[:claimed_old]]


@pytest.mark.parametrize(
    ("lane", "due_at", "now", "moves_to"),
    [
        (LIVE, None, NOW, LIVE),
        (LIVE, None, NOW + FRESH_SECONDS - 0.1, LIVE),
        (LIVE, None, NOW + FRESH_SECONDS, BACKLOG),
        (LIVE, None, NOW + 10 * 86_400, BACKLOG),
        (LATER, NOW + 60, NOW, LATER),
        (LATER, NOW + 60, NOW + 59.9, LATER),
        (LATER, NOW + 60, NOW + 60, BACKLOG),
        (LATER, NOW + LONGEST_WAIT, NOW, LATER),
        (LATER, NOW + LONGEST_WAIT + 1, NOW, BACKLOG),
        (LATER, NOW + 86_400, NOW, BACKLOG),
        (HELD, None, NOW, HELD),
        (HELD, None, NOW + 599_999, HELD),
        (HELD, None, NOW + 600_000, BACKLOG),
        (BACKLOG, None, NOW + 86_400, BACKLOG),
        (SUSPECTS, NOW + 60, NOW + 60, SUSPECTS),
        (SUSPECTS, NOW + LONGEST_WAIT, NOW, SUSPECTS),
        (SUSPECTS, NOW + LONGEST_WAIT + 1, NOW, BACKLOG),
    ],
)
def test_when_an_event_changes_its_lane(db, dataset, lane, due_at, now, moves_to):
    keys = put(db, 1)
    move(db, lane, keys, due_at)
    asked = lanes.to_shift(lambda sql, values: read(db, sql, values), now)
    assert asked == ([dataset] if lane != moves_to else [])
    assert lanes.shift_lanes(db, dataset, now) == (lane != moves_to)
    assert lane_of(db, keys[0]) == moves_to


def test_the_backlog_goes_by_deadline_but_first_what_meta_may_have(db, dataset):
    late = put(db, 1, expires_in=9_000, prefix="late")
    soon = put(db, 1, expires_in=3_000, prefix="soon")
    sent = put(db, 2, expires_in=9_000, prefix="sent")
    db.execute("UPDATE event SET sent_at = ? - key WHERE key IN carray(?)", (NOW, apsw.carray(sent)))
    keys = lanes.dequeue(db, dataset, 10, NOW + FRESH_SECONDS)
    assert list(keys) == [sent[1], sent[0], *soon, *late]


def test_one_rank_for_many_events_is_moved_and_claimed_step_by_step(db, dataset, monkeypatch):
    monkeypatch.setattr(lanes, "MOST_MOVED", 10)
    keys = put(db, 25)
    moved = [lanes.shift_lanes(db, dataset, NOW + FRESH_SECONDS) for _ in range(4)]
    claimed = []
    while some := lanes.dequeue(db, dataset, 7, NOW + FRESH_SECONDS):
        claimed += some
    assert claimed == list(keys)
    assert sum(moved) == 25 and moved[-1] == 0


def test_an_event_that_ended_or_is_unknown_takes_no_place(db, dataset):
    keys = put(db, 3)
    db.execute("DELETE FROM queue")
    db.execute("UPDATE event SET state = 'erased' WHERE key = ?", (keys[0],))
    assert lanes.enqueue(db, BACKLOG, apsw.carray(array("q", [*keys, 99]))) == 2


def test_other_datasets_are_left_alone(db, dataset):
    ours, other = put(db, 2), put(db, 2, dataset="2")
    assert list(lanes.dequeue(db, dataset, 10, NOW)) == list(ours)
    assert [lane_of(db, key) for key in other] == [LIVE, LIVE]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 200)), min_size=1, max_size=40),
    st.integers(1, 9),
    st.integers(0, 120),
)
def test_whatever_waits_is_claimed_once_and_only_once(db, arrivals, limit, later):
    db.execute("SAVEPOINT example")
    dataset = make_dataset_id(db, "1")
    for n, (age, life) in enumerate(arrivals):
        put(db, 1, NOW - age, f"e{n}-", expires_in=life)
    claimed: list[int] = []
    while keys := lanes.dequeue(db, dataset, limit, NOW + later):
        assert len(keys) <= limit
        claimed += keys
    db.execute("ROLLBACK TO example; RELEASE example").fetchall()
    assert sorted(claimed) == list(range(1, len(arrivals) + 1))
