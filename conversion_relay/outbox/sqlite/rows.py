"""What a transaction of the SQLite outbox does: the SQL and the books, on a connection that the caller opened.

Every function that moves events between states moves the books with them, in the same transaction. Many rows change in
one statement over an array of keys, which SQLite reads without a call back into Python.
"""

import zlib
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Any

import apsw

from conversion_relay.errors import LeaseLost
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox.protocol import Attempt, Lease, LeasedEvent
from conversion_relay.outbox.sqlite import sides
from conversion_relay.outbox.sqlite.books import add, dataset_id, make_dataset_id, move, read
from conversion_relay.outbox.sqlite.lanes import BACKLOG, HELD, LATER, SUSPECTS, dequeue, dequeue_suspects, enqueue
from conversion_relay.outbox.sqlite.look import Read
from conversion_relay.outbox.verdict import (
    SUSPECT,
    Dead,
    Delivered,
    Expired,
    Hold,
    Park,
    RetryAt,
    Suspect,
    Verdict,
    Withhold,
)


def insert(db: apsw.Connection, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
    ids = {name: make_dataset_id(db, name) for name in {event.dataset for event in events}}
    first = (read(db, "SELECT max(key) FROM event")[0][0] or 0) + 1
    rows = (
        (first + i, ids[e.dataset], e.event_name, e.event_id, e.event_time, e.expires_at, now, e.consent)
        for i, e in enumerate(events)
    )
    stored = {key - first for (key,) in db.executemany(_INSERT, rows)}
    new = [(first + i, event) for i, event in enumerate(events) if i in stored]
    db.executemany("INSERT INTO body VALUES (?, ?, ?)", ((key, zlib.crc32(e.body), e.body) for key, e in new))
    db.executemany("INSERT INTO queue VALUES (?, 0, ?, ?)", ((ids[e.dataset], now, key) for key, e in new))
    for dataset, n in Counter(ids[event.dataset] for _, event in new).items():
        add(db, dataset, "accepted", n)
        add(db, dataset, "pending", n)
    sides.count_stored(db, Counter((ids[event.dataset], event.event_name) for _, event in new), first)
    return [Receipt(event.event_id, duplicate=i not in stored) for i, event in enumerate(events)]


_INSERT = """
INSERT INTO event (key, dataset, event_name, event_id, event_time, expires_at, accepted_at, consent, state)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting') ON CONFLICT DO NOTHING RETURNING key
"""


# -- leases ------------------------------------------------------------------------------------------------------------


def claim(
    db: apsw.Connection,
    token: str,
    owner: str,
    dataset_name: str,
    now: float,
    until: float,
    limit: int,
    *,
    suspects: bool = False,
) -> "array[int]":
    """The keys. `leased_events` reads the rows: work that need not be done by the one thread that writes."""
    dataset = dataset_id(db, dataset_name)
    if dataset is None:
        return array("q")
    keys = (dequeue_suspects if suspects else dequeue)(db, dataset, limit, now)
    if keys:
        db.execute("INSERT INTO lease VALUES (?, ?, ?, ?, ?, ?)", (token, owner, dataset, now, until, keys.tobytes()))
        move(db, dataset, "pending", "leased", len(keys))
    return keys


def leased_events(read_rows: Read, keys: "array[int]") -> tuple[LeasedEvent, ...]:
    """Without those that were erased since they were claimed."""
    return tuple(
        [
            LeasedEvent(
                key, name, event_id, at, expires_at, attempts, sent_at, zlib.crc32(body) == checksum, body, consent
            )
            if body is not None and name is not None
            else LeasedEvent(key, name or "", event_id or "", 0, 0, 0, None, False, b"")
            for key, name, event_id, at, expires_at, attempts, sent_at, checksum, body, consent in read_rows(
                _LEASED, (apsw.carray(keys),)
            )
        ]
    )


# LEFT JOIN: a row that a bad disk took leaves its turn behind, and must come out as damaged, not be passed over.
_LEASED = """
SELECT value, event_name, event_id, event_time, expires_at, attempts, sent_at, checksum, body, consent
FROM carray(?) LEFT JOIN event ON event.key = value LEFT JOIN body ON body.key = value
WHERE coalesce(state, '') != 'erased'
"""


def revoked(read_rows: Read, keys: "array[int]") -> frozenset[int]:
    """Those that were erased or withdrawn."""
    if not keys:
        return frozenset()
    these, values = condition(keys)
    return frozenset(key for (key,) in read_rows(f"SELECT key FROM event WHERE {these} {_REVOKED}", values))


_REVOKED = "AND (state != 'waiting' OR consent = 'withdrawn')"


def condition(keys: "array[int]") -> tuple[str, tuple[Any, ...]]:
    """For these keys, each of them once, and its values. What came together mostly has keys without a gap, and a range
    is read a third quicker than each is looked up."""
    first, last = min(keys), max(keys)
    if last - first + 1 == len(keys):
        return "key BETWEEN ? AND ?", (first, last)
    return "key IN carray(?)", (apsw.carray(keys),)


def extend(db: apsw.Connection, lease: Lease, until: float) -> None:
    db.execute("UPDATE lease SET until = ? WHERE token = ?", (until, lease.token))
    if db.changes() == 0:
        raise LeaseLost(f"the lease of {len(lease.events)} events ran out")


def take_back(db: apsw.Connection, token: str, *, unsent: bool = False) -> None:
    """The events of a lease wait again. Unless its owner says that they are unsent, Meta may have them."""
    for dataset, since, packed in read(db, "SELECT dataset, since, keys FROM lease WHERE token = ?", (token,)):
        keys = apsw.carray(array("q", packed))
        if not unsent:
            sql = "UPDATE event SET sent_at = coalesce(sent_at, ?) WHERE key IN carray(?) AND state = 'waiting'"
            db.execute(sql, (since, keys))
        move(db, dataset, "leased", "erased", _drop_withdrawn(db, keys, since))
        suspects = [key for (key,) in read(db, _SUSPECTS, (keys, SUSPECT))]
        if suspects:
            n = enqueue(db, SUSPECTS, apsw.carray(array("q", suspects)), since)
            move(db, dataset, "leased", "pending", n)
            keys = apsw.carray(array("q", [key for key in array("q", packed) if key not in set(suspects)] or [-1]))
        move(db, dataset, "leased", "pending", enqueue(db, BACKLOG, keys))
        db.execute("DELETE FROM lease WHERE token = ?", (token,))


_SUSPECTS = "SELECT key FROM event WHERE key IN carray(?) AND reason = ?"


# -- settling ----------------------------------------------------------------------------------------------------------


def settle(
    db: apsw.Connection,
    token: str,
    groups: Sequence[tuple[Verdict, "array[int]"]],
    attempt: Attempt | None,
    now: float,
) -> None:
    """`groups`: verdicts, and the keys that each is for."""
    held = read(db, "SELECT dataset, keys FROM lease WHERE token = ?", (token,))
    dataset, packed = held[0] if held else (0, b"")
    rest = set(array("q", packed))
    for _, keys in groups:
        if not rest.issuperset(keys):
            raise LeaseLost("another worker holds these events now; nothing was settled")
        rest.difference_update(keys)
    answer = _keep_answer(db, attempt) if attempt else None
    for verdict, keys in groups:
        if not isinstance(verdict, Delivered | Expired | Withhold):  # its body would stay
            move(db, dataset, "leased", "erased", _drop_withdrawn(db, apsw.carray(keys), now))
        state, n = _apply(db, verdict, keys, answer, now)
        move(db, dataset, "leased", state, n)
    if rest:
        db.execute("UPDATE lease SET keys = ? WHERE token = ?", (array("q", sorted(rest)).tobytes(), token))
    else:
        db.execute("DELETE FROM lease WHERE token = ?", (token,))


def _apply(
    db: apsw.Connection, verdict: Verdict, keys: "array[int]", answer: int | None, now: float
) -> tuple[str, int]:
    these = apsw.carray(keys)
    match verdict:
        case Delivered():
            return "delivered", end(db, "delivered", None, 1, keys, answer, now)
        case Dead(why=why):
            return "dead", end(db, "dead", why, 1, keys, answer, now)
        case Expired():
            return "expired", end(db, "expired", "too_old", 0, keys, answer, now)
        case Withhold(why=why):
            return "erased", end(db, "erased", why, 0, keys, answer, now)
        case RetryAt(at=due_at, why=why, sent=sent):
            return "pending", _again(db, due_at, why, 1, these, answer, now if sent else None)
        case Park(why=why, sent=sent, aside=due_at):
            return "pending", _again(db, due_at, why, 0, these, answer, now if sent else None)
        case Suspect(at=due_at, sent=sent):
            return "pending", _again(db, due_at, SUSPECT, 0, these, answer, now if sent else None, lane=SUSPECTS)
        case Hold(why=why):
            db.execute("UPDATE event SET reason = ? WHERE key IN carray(?) AND state = 'waiting'", (why, these))
            return "pending", enqueue(db, HELD, these)


def end(
    db: apsw.Connection, state: str, why: str | None, counted: int, keys: "array[int]", answer: int | None, now: float
) -> int:
    """A dead letter keeps its body, so that it can be replayed; everything else that ended loses it."""
    these, values = condition(keys)
    db.execute(
        "UPDATE event SET state = ?, reason = ?, attempts = attempts + ?, answer = coalesce(?, answer), settled_at = ?"
        f" WHERE {these} AND state = 'waiting'",
        (state, why, counted, answer, now, *values),
    )
    ended = db.changes()
    if state != "dead":
        db.execute(f"DELETE FROM body WHERE {these}", values)
    return ended


def _drop_withdrawn(db: apsw.Connection, keys: Any, now: float) -> int:
    """What its visitor took back while it was leased does not wait again; how many."""
    found = array("q", (key for (key,) in read(db, _WITHDRAWN, (keys,))))
    return end(db, "erased", "withdrawn", 0, found, None, now) if found else 0


_WITHDRAWN = "SELECT key FROM event WHERE key IN carray(?) AND state = 'waiting' AND consent = 'withdrawn'"


def _again(
    db: apsw.Connection,
    due_at: float | None,
    why: str,
    counted: int,
    keys: Any,
    answer: int | None,
    sent_at: float | None,
    lane: int | None = None,
) -> int:
    db.execute(
        "UPDATE event SET reason = ?, attempts = attempts + ?, answer = coalesce(?, answer),"
        " sent_at = coalesce(sent_at, ?) WHERE key IN carray(?) AND state = 'waiting'",
        (why, counted, answer, sent_at, keys),
    )
    if answer is not None:
        db.execute("INSERT OR IGNORE INTO retried SELECT value, ? FROM carray(?)", (answer, keys))
    if lane is None:
        lane = BACKLOG if due_at is None else LATER
    return enqueue(db, lane, keys, due_at)


def _keep_answer(db: apsw.Connection, attempt: Attempt) -> int:
    names = Attempt.__struct_fields__
    sql = f"INSERT INTO answer ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    db.execute(sql, tuple(getattr(attempt, name) for name in names))
    return db.last_insert_rowid()
