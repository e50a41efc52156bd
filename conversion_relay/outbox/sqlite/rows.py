"""What a transaction of the SQLite outbox does: the SQL and the books, on a connection that the caller opened.

Every function that moves events between states moves the books with them, in the same transaction. Many rows change in
one statement over an array of keys, which SQLite reads without a call back into Python.
"""

import zlib
from array import array
from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from conversion_relay.errors import LeaseLost
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox.lanes import BACKLOG, HELD, LATER, SUSPECTS
from conversion_relay.outbox.protocol import Lease, LeasedEvent
from conversion_relay.outbox.sqlite import delivered, figures, sides
from conversion_relay.outbox.sqlite.books import Read, dataset_id, make_dataset_id, move, read
from conversion_relay.outbox.sqlite.lanes import dequeue, dequeue_suspects, enqueue
from conversion_relay.outbox.story import Attempt
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
    """One statement for each table, over one JSON array. At every step of a statement the writing thread gives the
    interpreter away and may wait for its turn to run, so a row must not be a step."""
    first, ids = _first_key_and_ids(db, {event.dataset for event in events})
    rows, at = [], 1
    for e in events:
        size = len(e.body)
        crc = zlib.crc32(e.body)
        rows.append((ids[e.dataset], e.event_name, e.event_id, e.event_time, e.expires_at, e.consent, crc, at, size))
        at += size
    array = _encode(rows).decode()
    db.execute(_INSERT, (first, now, array))
    is_stored = [True] * len(rows) if db.changes() == len(rows) else _stored(db, first, len(rows))
    db.execute(_INSERT_BODIES, (first, array, b"".join([e.body for e in events])))
    db.execute("INSERT INTO queue SELECT dataset, 0, accepted_at, key FROM event WHERE key >= ?", (first,))
    db.execute(_COUNT_ACCEPTED, (first,))
    sides.count_stored(db, first)
    return [Receipt(e.event_id, duplicate=not stored) for e, stored in zip(events, is_stored, strict=True)]


def _first_key_and_ids(db: apsw.Connection, names: set[str]) -> tuple[int, dict[str, int]]:
    """The key of the next event, and the ids of these datasets."""
    ((first, known),) = read(db, _FIRST_KEY_AND_IDS, (_encode(list(names)).decode(),))
    ids = _ids_decoder.decode(known)
    return first, ids | {name: make_dataset_id(db, name) for name in names - ids.keys()}


def _stored(db: apsw.Connection, first: int, n: int) -> list[bool]:
    """Of `n` events, by their place: the others are known already, or twice among them."""
    ((keys,),) = read(db, "SELECT json_group_array(key) FROM event WHERE key >= ?", (first,))
    stored = set(_keys_decoder.decode(keys))
    return [first + place in stored for place in range(n)]


_encode = msgspec.json.Encoder().encode
_ids_decoder, _keys_decoder = msgspec.json.Decoder(dict[str, int]), msgspec.json.Decoder(list[int])
_FIRST_KEY_AND_IDS = """
SELECT (SELECT coalesce(max(key), 0) + 1 FROM event), json_group_object(name, id)
FROM dataset WHERE name IN (SELECT value FROM json_each(?))
"""
_INSERT = """
INSERT INTO event (key, dataset, event_name, event_id, event_time, expires_at, accepted_at, consent, state)
SELECT ?1 + key, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, ?2, value ->> 5, 'waiting'
FROM json_each(?3) WHERE true ON CONFLICT DO NOTHING
"""
# The bodies lie end to end in one value; CROSS: the array leads, and each of its rows finds its event by the key.
_INSERT_BODIES = """
INSERT INTO body SELECT event.key, row.value ->> 6, substr(?3, row.value ->> 7, row.value ->> 8)
FROM json_each(?2) AS row CROSS JOIN event ON event.key = ?1 + row.key
"""
_COUNT_ACCEPTED = """
INSERT INTO tally SELECT dataset, column1, n
FROM (SELECT dataset, count(*) AS n FROM event WHERE key >= ? GROUP BY 1), (VALUES ('accepted'), ('pending'))
WHERE true ON CONFLICT DO UPDATE SET n = n + excluded.n
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
            LeasedEvent(key, name, id_, at, ends_at, tries, sent, zlib.crc32(body) == crc, body, consent, accepted)
            if body is not None and name is not None
            else LeasedEvent(key, name or "", id_ or "", 0, 0, 0, None, False, b"")
            for key, name, id_, at, ends_at, tries, sent, crc, body, consent, accepted in read_rows(
                _LEASED, (apsw.carray(keys),)
            )
        ]
    )


# LEFT JOIN: a row that a bad disk took leaves its turn behind, and must come out as damaged, not be passed over.
_LEASED = """
SELECT value, event_name, event_id, event_time, expires_at, attempts, sent_at, checksum, body, consent, accepted_at
FROM carray(?) LEFT JOIN event ON event.key = value LEFT JOIN body ON body.key = value
WHERE coalesce(state, '') != 'erased'
"""


def revoked(read_rows: Read, keys: "array[int]") -> frozenset[int]:
    """Those that were erased or withdrawn, and those whose row was pruned since."""
    if not keys:
        return frozenset()
    these, values = condition(keys)
    unrevoked = f"FROM event WHERE {these} AND state = 'waiting' AND consent IS NOT 'withdrawn'"
    if read_rows(f"SELECT count(*) {unrevoked}", values) == [(len(keys),)]:
        return frozenset()
    return frozenset(keys).difference(*read_rows(f"SELECT key {unrevoked}", values))


def condition(keys: "array[int]") -> tuple[str, tuple[Any, ...]]:
    """For these keys, each of them once, and its values. What came together mostly has keys without a gap, and a range
    is read a third quicker than each is looked up."""
    first, last = min(keys), max(keys)
    if last - first + 1 == len(keys):
        return "key BETWEEN ? AND ?", (first, last)
    return "key IN carray(?)", (apsw.carray(keys),)


def extend(db: apsw.Connection, lease: Lease, owner: str, until: float) -> None:
    """By its owner alone: what a process that is gone had leased is everybody's."""
    db.execute("UPDATE lease SET until = ? WHERE token = ? AND owner = ?", (until, lease.token, owner))
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
            move(db, dataset, "leased", "pending", enqueue(db, SUSPECTS, apsw.carray(array("q", suspects)), since))
            keys = apsw.carray(array("q", [key for key in array("q", packed) if key not in set(suspects)] or [-1]))
        move(db, dataset, "leased", "pending", enqueue(db, BACKLOG, keys))
        db.execute("DELETE FROM lease WHERE token = ?", (token,))


_SUSPECTS = "SELECT key FROM event WHERE key IN carray(?) AND reason = ?"


# -- settling ----------------------------------------------------------------------------------------------------------


Groups = Sequence[tuple["array[int]", figures.Told]]
"""The keys of each verdict, and what is told of them."""


def settle(db: apsw.Connection, token: str, groups: Groups, attempt: Attempt | None, now: float) -> int:
    """How many of the events wait to be written up."""
    ((dataset, packed, is_reduced),) = read(db, _HELD, (token,)) or [(0, b"", 0)]
    rest = set(array("q", packed))
    for keys, _ in groups:
        if not rest.issuperset(keys):
            raise LeaseLost("another worker holds these events now; nothing was settled")
        rest.difference_update(keys)
    answer, noted = _keep_answer(db, attempt) if attempt else None, 0
    for keys, told in groups:
        if not isinstance(told.verdict, Delivered | Expired | Withhold):  # its body would stay
            move(db, dataset, "leased", "erased", _drop_withdrawn(db, apsw.carray(keys), now))
        if isinstance(told.verdict, Delivered) and not is_reduced and delivered.lie_apart(keys):
            state, n = "delivered", delivered.note(db, keys, answer, now)
            noted += n
        else:
            state, n = _apply(db, told.verdict, keys, answer, now)
        move(db, dataset, "leased", state, n)
        figures.add(db, dataset, told, keys, n, now)
    if rest:
        db.execute("UPDATE lease SET keys = ? WHERE token = ?", (array("q", sorted(rest)).tobytes(), token))
    else:
        db.execute("DELETE FROM lease WHERE token = ?", (token,))
    return noted


_HELD = "SELECT dataset, keys, token IN (SELECT token FROM reduced) FROM lease WHERE token = ?"


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
    columns = ", ".join(f'"{name}"' for name in names)
    sql = f"INSERT INTO answer ({columns}) VALUES ({', '.join('?' * len(names))})"
    db.execute(sql, tuple(getattr(attempt, name) for name in names))
    return db.last_insert_rowid()
