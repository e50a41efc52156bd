"""How long an event that ended is known, and that no key comes again."""

from array import array
from functools import partial

import pytest

from conversion_relay.outbox.sqlite import ledger, rows
from conversion_relay.outbox.sqlite.books import read
from conversion_relay.outbox.sqlite.ledger import DEAD_SECONDS
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
    ledger.prune(db, array("q", keys), NOW + KEEPS + 1)
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
    ledger.prune(db, array("q"), NOW + 101)
    assert read(db, "SELECT key FROM body ORDER BY key") == [(2,), (3,)]
    assert read(db, "SELECT key FROM event ORDER BY key") == [(1,), (2,), (3,)]
