"""How long an event that ended is known, and that no key comes again."""

from array import array
from functools import partial

import pytest

from conversion_relay.outbox.counting import hour_of
from conversion_relay.outbox.sqlite import ledger, rows, sides
from conversion_relay.outbox.sqlite.books import make_dataset_id, read
from conversion_relay.outbox.sqlite.file import open_file
from conversion_relay.outbox.sqlite.ledger import DEAD_SECONDS
from tests.outbox.sqlite.steps import steps
from tests.outbox.suite import NOW, sealed

KEEPS = 8 * 86_400


def put(db, n: int, at: float = NOW) -> None:
    rows.insert(db, [sealed(f"{at}-{i}") for i in range(n)], at)


def end(db, state: str, at: float | None, key: int = 1) -> None:
    db.execute("UPDATE event SET state = ?, settled_at = ? WHERE key = ?", (state, at, key))


def over(db, now: float, after: int = 0) -> tuple[list[int], int | None]:
    keys, last = ledger.over(partial(read, db), now, KEEPS, after)
    return list(keys), last


@pytest.mark.parametrize(
    ("state", "settled", "now", "is_over"),
    [
        ("delivered", 0, KEEPS, False),
        ("delivered", 0, KEEPS + 1, True),
        ("delivered", 86_400, KEEPS + 1, False),
        ("expired", 0, KEEPS + 1, True),
        ("erased", 0, KEEPS + 1, True),
        ("dead", 0, KEEPS + 1, False),
        ("dead", 0, DEAD_SECONDS, False),
        ("dead", 0, DEAD_SECONDS + 1, True),
        ("waiting", None, 10 * DEAD_SECONDS, False),
        ("waiting", 0, 10 * DEAD_SECONDS, False),
        ("delivered", None, 10 * DEAD_SECONDS, False),
        ("delivered", 10 * DEAD_SECONDS, KEEPS + 1, False),
    ],
)
def test_when_a_row_may_go(db, state, settled, now, is_over):
    put(db, 2)
    end(db, state, None if settled is None else NOW + settled)
    assert over(db, NOW + now)[0] == ([1] if is_over else [])


def test_the_newest_row_stays_so_that_its_key_does_not_come_again(db):
    put(db, 3)
    for key in (1, 2, 3):
        end(db, "delivered", NOW, key)
    keys, _ = over(db, NOW + KEEPS + 1)
    assert keys == [1, 2]
    ledger.prune(db, ledger.Over(array("q", keys)), NOW + KEEPS + 1)
    put(db, 1, NOW + 1)
    assert read(db, "SELECT key FROM event ORDER BY key") == [(3,), (4,)]


def test_a_large_ledger_is_looked_at_in_steps_and_no_further_than_needed(db, monkeypatch):
    monkeypatch.setattr(ledger, "CHUNK", 4)
    put(db, 10, NOW)
    put(db, 10, NOW + 2 * KEEPS)
    for key in range(1, 11):
        end(db, "delivered", NOW, key)
    now, after, steps = NOW + 2 * KEEPS + 1, 0, []
    while True:
        keys, last = over(db, now, after)
        steps.append(keys)
        if last is None:
            break
        after = last
    assert steps == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10], []]


def test_a_row_that_was_accepted_under_a_clock_that_was_wrong_stops_nobody(db, monkeypatch):
    monkeypatch.setattr(ledger, "CHUNK", 2)
    put(db, 2, NOW + 10 * DEAD_SECONDS)
    put(db, 3, NOW)
    end(db, "delivered", NOW, 3)
    assert over(db, NOW + KEEPS + 1) == ([], 2)
    assert over(db, NOW + KEEPS + 1, 2)[0] == [3]


def test_a_dead_letter_keeps_its_story_but_not_what_can_no_longer_be_sent(db):
    rows.insert(db, [sealed("a", expires_in=100), sealed("b", expires_in=900), sealed("c")], NOW)
    for key in (1, 2):
        end(db, "dead", NOW, key)
    ledger.prune(db, ledger.Looking().look(partial(read, db), NOW + 101, KEEPS), NOW + 101)
    assert read(db, "SELECT key FROM body ORDER BY key") == [(2,), (3,)]
    assert read(db, "SELECT key FROM event ORDER BY key") == [(1,), (2,), (3,)]


def lying_about(db, n: int) -> None:
    """So many of each that may not go, and are older than what may."""
    put(db, n)
    db.execute("UPDATE event SET state = 'dead', settled_at = accepted_at")
    dataset = make_dataset_id(db, "1")
    sides.note_pixel(db, dataset, [("Lead", event_id) for (event_id,) in read(db, "SELECT event_id FROM event")], NOW)
    hour = hour_of(NOW + 20 * 86_400)
    figures = [(dataset, f"Name{name}", hour - back) for name in range(5) for back in range(n // 5)]
    db.executemany("INSERT INTO figure VALUES (?, ?, ?, 'dead', 1)", figures)


def test_whoever_writes_does_not_step_over_what_stays(tmp_path):
    """Dead letters stay for 90 days, with their reports: a shop may have a million, while everybody's puts wait."""

    def taken(n: int) -> int:
        db, now = open_file(tmp_path / f"{n}.db")[0], NOW + 20 * 86_400
        lying_about(db, n)
        ledger.prune(db, ledger.Over(), now)  # bodies that Meta takes no more
        db.execute("DELETE FROM body")
        found = ledger.Looking().look(partial(read, db), now, KEEPS)
        assert found == ledger.Over()
        return steps(db, lambda: ledger.prune(db, found, now))

    assert taken(5_000) < 2 * taken(500) + 5


def test_each_look_goes_on_where_the_last_one_found_something(db, monkeypatch):
    monkeypatch.setattr(ledger, "CHUNK", 10)
    monkeypatch.setattr(sides, "LOOKED_AT", 10)
    lying_about(db, 200)
    put(db, 201, NOW + 1)
    db.execute("UPDATE event SET state = 'delivered', settled_at = accepted_at WHERE accepted_at > ?", (NOW,))
    gone = [("Lead", f"gone-{n}") for n in range(100)]
    sides.note_pixel(db, make_dataset_id(db, "1"), gone, NOW + 1)
    looked_at, now, looking, rounds = [], NOW + KEEPS + 2, ledger.Looking(), 0

    def read_rows(sql, values):
        found = read(db, sql, values)
        looked_at.extend(found)
        return found

    while any(ledger.prune(db, looking.look(read_rows, now, KEEPS), now)):
        rounds += 1
    assert rounds >= 20
    ((left,),) = read(db, "SELECT count(*) FROM event")
    assert left == 201, "the dead letters, and the newest"
    assert read(db, "SELECT event_id FROM pixel WHERE event_id LIKE 'gone%'") == []
    assert read(db, "SELECT 1 FROM body JOIN event USING (key) WHERE state = 'dead'") == []
    assert len(looked_at) < 3 * (201 + 200 + 200 + 300), "each a few times, however many steps there were"


def test_what_was_passed_over_earlier_goes_in_the_end(db, monkeypatch):
    monkeypatch.setattr(ledger, "CHUNK", 2)
    put(db, 9)
    for key in (3, 4):
        end(db, "delivered", NOW, key)
    looking, now = ledger.Looking(), NOW + KEEPS + 1
    assert list(looking.look(partial(read, db), now, KEEPS).keys) == [3, 4]
    end(db, "delivered", NOW, 1)
    assert list(looking.look(partial(read, db), now, KEEPS).keys) == [1]


def test_a_body_that_was_found_over_stays_when_its_event_waits_again(db):
    rows.insert(db, [sealed("a", expires_in=100), sealed("b")], NOW)
    end(db, "dead", NOW)
    found = ledger.Looking().look(partial(read, db), NOW + 101, KEEPS)
    assert list(found.bodies) == [1]
    end(db, "waiting", None)
    ledger.prune(db, found, NOW + 101)
    assert read(db, "SELECT key FROM body ORDER BY key") == [(1,), (2,)]
