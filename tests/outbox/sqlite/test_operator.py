"""Erase, withdraw and replay, from each state that an event can be in; the books agree afterwards."""

from array import array
from functools import partial

import apsw
import msgspec
import pytest

from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.sqlite import lanes, operator, rows, sides, visits
from conversion_relay.outbox.sqlite.books import make_dataset_id, read
from conversion_relay.outbox.sqlite.figures import told
from conversion_relay.outbox.sqlite.file import open_file
from conversion_relay.outbox.verdict import Dead, Delivered, Expired, Hold, Park, RetryAt, Suspect
from tests.outbox.sqlite.steps import steps
from tests.outbox.suite import NOW, REFUSED, sealed

DIGEST = "ab" * 32
PUT_INTO: dict[str, object] = {
    "live": None,
    "leased": None,
    "backlog": Park(NOW, "token"),
    "later": RetryAt(NOW + 60, "limit", sent=False),
    "held": Hold("late"),
    "suspect": Suspect(NOW + 60),
    "dead": Dead("refused"),
    "delivered": Delivered(),
    "expired": Expired(),
}


def put_into(db: apsw.Connection, state: str, name: str = "Lead", event_id: str = "a") -> None:
    rows.insert(db, [sealed(event_id, name=name)], NOW)
    if state == "live":
        return
    keys = rows.claim(db, "token", "us", "1", NOW, NOW + 60, 1)
    if state != "leased":
        rows.settle(db, "token", [(keys, told(PUT_INTO[state], [], NOW))], REFUSED, NOW)  # type: ignore[arg-type]


def book(db: apsw.Connection) -> dict[str, int]:
    """The states as they are counted, without zeros; they are as many as were accepted."""
    found = {state: n for state, n in read(db, "SELECT state, n FROM tally") if n}
    assert found.pop("accepted") == sum(found.values())
    return found


def body(db: apsw.Connection) -> bool:
    return bool(read(db, "SELECT 1 FROM body"))


def waits(db: apsw.Connection) -> bool:
    return bool(read(db, "SELECT 1 FROM queue"))


@pytest.mark.parametrize("state", PUT_INTO)
def test_an_erased_event_leaves_nothing_but_its_id_whatever_it_was(db, state):
    put_into(db, state)
    assert operator.erase(db, [1], [DIGEST], NOW) == 1
    assert book(db) == {"erased": 1}
    assert not body(db) and not waits(db)
    assert rows.insert(db, [sealed("a")], NOW)[0].duplicate, "a late copy is known"
    assert operator.erase(db, [1], [DIGEST], NOW) == 0


@pytest.mark.parametrize("state", PUT_INTO)
def test_what_can_be_withdrawn(db, state):
    put_into(db, state)
    n = operator.withdraw(db, "1", ["a", "unknown"], NOW)
    if state in ("delivered", "expired"):
        assert (n, book(db)) == (0, {state: 1})
    elif state == "leased":
        assert (n, book(db)) == (0, {"leased": 1})
        assert rows.revoked(lambda sql, values: read(db, sql, values), array("q", [1])) == {1}
        rows.take_back(db, "token")
        assert book(db) == {"erased": 1} and not waits(db) and not body(db)
    else:
        assert (n, book(db)) == (1, {"erased": 1})
        assert not body(db) and not waits(db)


@pytest.mark.parametrize("name", ["MyOwnEvent", "Refund", "lead"])
def test_a_page_cannot_take_back_what_a_browser_does_not_send(db, name):
    put_into(db, "live", name)
    assert operator.withdraw(db, "1", ["a"], NOW) == 0
    assert operator.withdraw(db, "no such dataset", ["a"], NOW) == 0
    assert book(db) == {"pending": 1}


@pytest.mark.parametrize("state", PUT_INTO)
def test_what_can_be_replayed(db, state):
    put_into(db, state)
    before = book(db)
    n = operator.replay(db, NOW, [1, 99])
    if state in ("dead", "held"):
        assert (n, book(db)) == (1, {"pending": 1})
        assert read(db, "SELECT attempts, reason, sent_at FROM event") == [(0, None, None)]
        assert len(rows.claim(db, "again", "us", "1", NOW, NOW + 60, 10)) == 1
        assert read(db, "SELECT count(*) FROM retried") == [(1 if state == "dead" else 0,)]
    else:
        assert (n, book(db)) == (0, before)


@pytest.mark.parametrize("state", ["dead", "held"])
def test_what_meta_takes_no_more_is_not_replayed(db, state):
    put_into(db, state)
    assert operator.replay(db, NOW + 600_000, [1]) == 0
    assert operator.replay(db, NOW + 599_999, [1]) == 1


class Alone:
    """As `Database`, on one connection."""

    def __init__(self, db: apsw.Connection) -> None:
        self.read = partial(read, db)
        self.carry_out = lambda work: work(db)


def test_who_is_erased_is_looked_for_among_reports_and_visitors_by_the_thread_that_reads(db, monkeypatch):
    monkeypatch.setattr(operator, "ERASE_STEP", 10)
    names = [f"{n:03}-{DIGEST if n % 25 == 7 else ''}" for n in range(100)]
    sides.note_pixel(db, make_dataset_id(db, "1"), [("Lead", name) for name in names], NOW)
    for name in names:
        visits.remember(db, name, Visit(fbp="fb.1.1.1"), NOW)
    alone, read_at_once, deleted = Alone(db), [], []
    alone.read = lambda sql, values: (
        read_at_once.append(steps(db, lambda: found.extend(read(db, sql, values)), 1))
        or [found.pop() for _ in range(len(found))]
    )
    found: list = []
    alone.carry_out = lambda work: deleted.append(steps(db, lambda: work(db), 1))
    operator.forget_names(alone, [DIGEST])
    assert [name for (name,) in read(db, "SELECT event_id FROM pixel ORDER BY 1")] == [n for n in names if n[4:] == ""]
    assert [name for (name,) in read(db, "SELECT key FROM visitor ORDER BY 1")] == [n for n in names if n[4:] == ""]
    assert max(read_at_once) < 400, "no look is longer than a step"
    assert sum(deleted) < 1_000, "whoever writes reads nothing else"


def test_an_id_that_holds_the_digest_is_replaced_and_its_report_and_visitor_go(db):
    event_id = f"contact_{DIGEST}"
    put_into(db, "live", event_id=event_id)
    sides.note_pixel(
        db, make_dataset_id(db, "1"), [("Lead", event_id), ("Lead", f"other_{DIGEST}"), ("Lead", "b")], NOW
    )
    visits.remember(db, DIGEST, Visit(fbp="fb.1.1.1"), NOW)
    visits.remember(db, f"order-{DIGEST}", Visit(fbp="fb.1.1.1"), NOW)
    operator.erase(db, [1], [DIGEST], NOW)
    operator.forget_names(Alone(db), [DIGEST])
    left = "".join(str(row) for table in ("event", "pixel", "visitor") for row in read(db, f"SELECT * FROM {table}"))
    assert DIGEST not in left and "erased_" in left and "'b'" in left


@pytest.mark.parametrize("lane", [RetryAt(NOW + 60, "limit"), Suspect(NOW + 60)])
@pytest.mark.parametrize("state", ["later", "suspect", "leased again"])
def test_one_event_is_found_however_many_wait_for_a_time(tmp_path, state, lane):
    """Those of one call wait for the same time: there are as many places to look at as there were calls."""

    def steps_beside(calls: int) -> int:
        db = open_file(tmp_path / f"{calls}.db")[0]
        put_into(db, "backlog" if state == "leased again" else state)
        if state == "leased again":
            rows.claim(db, "again", "us", "1", NOW, NOW + 60, 1)
        for call in range(calls):
            rows.insert(db, [sealed(f"{call}-{n}") for n in range(1_000)], NOW)
            keys = rows.claim(db, "token", "us", "1", NOW, NOW + 60, 1_000)
            waits = msgspec.structs.replace(lane, at=lane.at + call)
            rows.settle(db, "token", [(keys, told(waits, [], NOW))], None, NOW)
        done = []
        taken = steps(db, lambda: done.append(operator.withdraw(db, "1", ["a"], NOW)))
        assert done == [0 if state == "leased again" else 1]
        return taken

    assert steps_beside(20) < steps_beside(2) + 20


def test_of_many_events_each_is_found_in_a_later_lane(db):
    events, datasets = lanes.FEW * 2, ("1", "2")
    for dataset in datasets:
        rows.insert(db, [sealed(f"e{n}", dataset=dataset) for n in range(events)], NOW)
        for n in range(2):
            keys = rows.claim(db, f"{n}", "us", dataset, NOW, NOW + 60, events // 2)
            wait = Suspect(NOW + 60) if n else RetryAt(NOW + 60, "limit")
            rows.settle(db, f"{n}", [(keys, told(wait, [], NOW))], None, NOW)
    queue = sorted(read(db, "SELECT dataset, lane, rank, key FROM queue"))
    assert {lane for _, lane, _, _ in queue} == {2, 4}
    keys = [key for _, _, _, key in queue]
    assert sorted(lanes.turns(partial(read, db), keys)) == queue
    few = keys[:: len(keys) // lanes.FEW + 1]
    assert sorted(lanes.turns(partial(read, db), few)) == [turn for turn in queue if turn[3] in few]


REACHES = {
    "erase": lambda db: operator.erase(db, [1], [], NOW),
    "withdraw": lambda db: operator.withdraw(db, "1", ["a"], NOW),
    "replay": lambda db: operator.replay(db, NOW, [1]),
}


@pytest.mark.parametrize("deed", REACHES)
def test_one_event_is_found_by_its_place_however_many_wait(tmp_path, deed):
    """A page's word must not keep everybody's puts waiting while a backlog is read."""

    def steps_beside(others: int) -> int:
        db = open_file(tmp_path / f"{others}.db")[0]
        put_into(db, "held" if deed == "replay" else "live")
        for first in range(0, others, 1_000):
            rows.insert(db, [sealed(f"e{n}") for n in range(first, first + 1_000)], NOW)
        done = []
        taken = steps(db, lambda: done.append(REACHES[deed](db)))
        assert done == [1]
        return taken

    assert steps_beside(20_000) < 2 * steps_beside(1_000) + 10
