"""What a transaction of the SQLite outbox does: the SQL and the books, on a connection that the caller opened.

Every function that moves events between states moves the books with them, in the same transaction. Many rows change in
one statement over an array of keys, which SQLite reads without a call back into Python.
"""

import secrets
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import apsw

from conversion_relay.errors import LeaseLost
from conversion_relay.event import PUBLIC_EVENT_NAMES, Receipt, SealedEvent
from conversion_relay.outbox import Attempt, Lease, LeasedEvent, Settlement, sqlite_sides, sqlite_visitors
from conversion_relay.retry import Dead, Delivered, Expired, FinalVerdict, Hold, Park, RetryAt, Withhold

LIVE, BACKLOG, LATER, HELD = 0, 1, 2, 3
FRESH_SECONDS = 30.0
"""An event that waits longer leaves the live lane for the backlog."""
MOST_MOVED = 2_000
"""Events that one claim takes from lane to lane, so that no claim is slow because a million wait."""
LONGEST_WAIT = 3_600.0
"""Longer than any retry or pause; a time due beyond it was written under a clock that has been set back since."""
MOST_KEY = 2**63 - 1
DEAD_SECONDS = 90 * 86_400
CHUNK = 5_000
Read = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
"""`read(sql, values)` on a connection that sees committed rows."""


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
        _add(db, dataset, "accepted", n)
        _add(db, dataset, "pending", n)
    sqlite_sides.count_stored(db, Counter((ids[event.dataset], event.event_name) for _, event in new), first)
    return [Receipt(event.event_id, duplicate=i not in stored) for i, event in enumerate(events)]


_INSERT = """
INSERT INTO event (key, dataset, event_name, event_id, event_time, expires_at, accepted_at, consent, state)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting') ON CONFLICT DO NOTHING RETURNING key
"""


def make_dataset_id(db: apsw.Connection, name: str) -> int:
    found = read(db, "SELECT id FROM dataset WHERE name = ?", (name,))
    if not found:
        found = read(db, "INSERT INTO dataset (name) VALUES (?) RETURNING id", (name,))
    return int(found[0][0])


# -- leases ------------------------------------------------------------------------------------------------------------


def claim(
    db: apsw.Connection, token: str, owner: str, dataset_name: str, now: float, until: float, limit: int
) -> "array[int]":
    """The keys. Fresh events first; where others wait too, half of the places are theirs, by deadline.

    `leased_events` reads the rows: work that need not be done by the one thread that writes."""
    dataset = dataset_id(db, dataset_name)
    if dataset is None:
        return array("q")
    shift_lanes(db, dataset, now)
    fresh = _first(db, dataset, LIVE, limit)
    waiting = _first(db, dataset, BACKLOG, limit - min(len(fresh), limit // 2))
    fresh = fresh[: limit - len(waiting)]
    for lane, rows in ((LIVE, fresh), (BACKLOG, waiting)):
        if rows:
            db.execute(_DEQUEUE, (dataset, lane, *rows[0][:2], *rows[-1][:2]))
    keys = array("q", [key for _, key in fresh + waiting])
    if keys:
        db.execute("INSERT INTO lease VALUES (?, ?, ?, ?, ?, ?)", (token, owner, dataset, now, until, keys.tobytes()))
        _move(db, dataset, "pending", "leased", len(keys))
    return keys


def leased_events(read_rows: Read, keys: "array[int]") -> tuple[LeasedEvent, ...]:
    """Without those that were erased since they were claimed."""
    return tuple(
        LeasedEvent(key, name, event_id, at, expires_at, attempts, sent_at, zlib.crc32(body) == checksum, body, consent)
        if body is not None and name is not None
        else LeasedEvent(key, name or "", event_id or "", 0, 0, 0, None, False, b"")
        for key, name, event_id, at, expires_at, attempts, sent_at, checksum, body, consent in read_rows(
            _LEASED, (apsw.carray(keys),)
        )
    )


# LEFT JOIN: a row that a bad disk took leaves its turn behind, and must come out as damaged, not be passed over.
_LEASED = """
SELECT value, event_name, event_id, event_time, expires_at, attempts, sent_at, checksum, body, consent
FROM carray(?) LEFT JOIN event ON event.key = value LEFT JOIN body ON body.key = value
WHERE coalesce(state, '') != 'erased'
"""


def _first(db: apsw.Connection, dataset: int, lane: int, limit: int) -> list[tuple[Any, ...]]:
    return read(db, _FIRST, (dataset, lane, limit))


_FIRST = "SELECT rank, key FROM queue WHERE dataset = ? AND lane = ? ORDER BY rank, key LIMIT ?"
_DEQUEUE = "DELETE FROM queue WHERE dataset = ? AND lane = ? AND (rank, key) >= (?, ?) AND (rank, key) <= (?, ?)"


def shift_lanes(db: apsw.Connection, dataset: int, now: float) -> int:
    """What is no longer fresh joins the backlog, and so does what has waited its time; how many."""
    shifted = 0
    shifts = (
        (LIVE, -1e18, now - FRESH_SECONDS),
        (LATER, -1e18, now),
        (LATER, now + LONGEST_WAIT, 1e18),
        (HELD, -1e18, now),
    )
    for lane, after, before in shifts:
        start = (dataset, lane, after, MOST_KEY)
        full = read(
            db,
            f"SELECT rank, key {_SPAN} ORDER BY rank, key LIMIT 1 OFFSET {MOST_MOVED - 1}",
            (*start, before, MOST_KEY),
        )
        span = (*start, *(full[0] if full else (before, MOST_KEY)))
        db.execute(_JOIN_BACKLOG, span)
        if n := db.changes():
            db.execute(f"DELETE {_SPAN}", span)
            shifted += n
    return shifted


# Pairs are compared, so that a seek by both columns ends where it should: a million events may share one rank.
_SPAN = "FROM queue WHERE dataset = ? AND lane = ? AND (rank, key) > (?, ?) AND (rank, key) <= (?, ?)"
_JOIN_BACKLOG = f"""
INSERT INTO queue SELECT event.dataset, 1, coalesce(sent_at, expires_at), event.key
FROM (SELECT key AS waiting {_SPAN}) JOIN event ON event.key = waiting
"""


def _enqueue(db: apsw.Connection, lane: int, keys: Any, due_at: float | None = None) -> int:
    """How many; an event that was erased meanwhile has no turn any more."""
    db.execute(
        "INSERT INTO queue SELECT dataset, ?1, CASE ?1 WHEN 0 THEN accepted_at WHEN 1 THEN"
        " coalesce(sent_at, expires_at) WHEN 2 THEN ?2 ELSE expires_at END, key"
        " FROM event WHERE key IN carray(?3) AND state = 'waiting'",
        (lane, due_at, keys),
    )
    return db.changes()


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
        _move(db, dataset, "leased", "pending", _enqueue(db, BACKLOG, keys))
        db.execute("DELETE FROM lease WHERE token = ?", (token,))


# -- settling ----------------------------------------------------------------------------------------------------------


def settle(
    db: apsw.Connection, token: str, groups: Mapping[FinalVerdict, "array[int]"], attempt: Attempt | None, now: float
) -> None:
    """`groups`: the keys by their verdict."""
    held = read(db, "SELECT dataset, keys FROM lease WHERE token = ?", (token,))
    rest = set(array("q", held[0][1])) if held else set()
    for keys in groups.values():
        if not rest.issuperset(keys):
            raise LeaseLost("another worker holds these events now; nothing was settled")
        rest.difference_update(keys)
    dataset = held[0][0]
    answer = _keep_answer(db, attempt) if attempt else None
    for verdict, keys in groups.items():
        state, n = _apply(db, verdict, apsw.carray(keys), answer, now)
        _move(db, dataset, "leased", state, n)
    if rest:
        db.execute("UPDATE lease SET keys = ? WHERE token = ?", (array("q", sorted(rest)).tobytes(), token))
    else:
        db.execute("DELETE FROM lease WHERE token = ?", (token,))


def by_verdict(settlements: Sequence[Settlement]) -> dict[FinalVerdict, "array[int]"]:
    groups: dict[FinalVerdict, array[int]] = {}
    for event, verdict in settlements:
        groups.setdefault(verdict, array("q")).append(event.key)
    return groups


def _apply(db: apsw.Connection, verdict: FinalVerdict, keys: Any, answer: int | None, now: float) -> tuple[str, int]:
    match verdict:
        case Delivered():
            return "delivered", _end(db, "delivered", None, 1, keys, answer, now)
        case Dead(why=why):
            return "dead", _end(db, "dead", why, 1, keys, answer, now)
        case Expired():
            return "expired", _end(db, "expired", "too_old", 0, keys, answer, now)
        case Withhold():
            return "erased", _end(db, "erased", "withheld", 0, keys, answer, now)
        case RetryAt(at=due_at, why=why, sent=sent):
            return "pending", _again(db, due_at, why, 1, keys, answer, now if sent else None)
        case Park(why=why, sent=sent, aside=due_at):
            return "pending", _again(db, due_at, why, 0, keys, answer, now if sent else None)
        case Hold(why=why):
            db.execute("UPDATE event SET reason = ? WHERE key IN carray(?)", (why, keys))
            return "pending", _enqueue(db, HELD, keys)


def _end(
    db: apsw.Connection, state: str, why: str | None, counted: int, keys: Any, answer: int | None, now: float
) -> int:
    """A dead letter keeps its body, so that it can be replayed; everything else that ended loses it."""
    db.execute(
        "UPDATE event SET state = ?, reason = ?, attempts = attempts + ?, answer = coalesce(?, answer), settled_at = ?"
        " WHERE key IN carray(?) AND state = 'waiting'",
        (state, why, counted, answer, now, keys),
    )
    ended = db.changes()
    if state != "dead":
        db.execute("DELETE FROM body WHERE key IN carray(?)", (keys,))
    return ended


def _again(
    db: apsw.Connection,
    due_at: float | None,
    why: str,
    counted: int,
    keys: Any,
    answer: int | None,
    sent_at: float | None,
) -> int:
    db.execute(
        "UPDATE event SET reason = ?, attempts = attempts + ?, answer = coalesce(?, answer),"
        " sent_at = coalesce(sent_at, ?) WHERE key IN carray(?) AND state = 'waiting'",
        (why, counted, answer, sent_at, keys),
    )
    if answer is not None:
        db.execute("INSERT OR IGNORE INTO retried SELECT value, ? FROM carray(?)", (answer, keys))
    return _enqueue(db, BACKLOG if due_at is None else LATER, keys, due_at)


def _keep_answer(db: apsw.Connection, attempt: Attempt) -> int:
    names = Attempt.__struct_fields__
    sql = f"INSERT INTO answer ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    db.execute(sql, tuple(getattr(attempt, name) for name in names))
    return db.last_insert_rowid()


# -- the operator's hand -----------------------------------------------------------------------------------------------


def replay(db: apsw.Connection, now: float, keys: Sequence[int]) -> int:
    """Those of the keys that are dead or held and that Meta still takes; how many. No more is held against them."""
    found = read(db, _REPLAYABLE, (_array(keys), now))
    for key, dataset, state, answer in found:
        if answer is not None:
            db.execute("INSERT OR IGNORE INTO retried VALUES (?, ?)", (key, answer))
        if state == "waiting":
            db.execute(_UNQUEUE, (key,))
        db.execute(_REVIVE, (key,))
        _move(db, dataset, "pending" if state == "waiting" else "dead", "pending", 1)
    if found:
        _enqueue(db, BACKLOG, _array(row[0] for row in found))
    return len(found)


_HELD = (
    "EXISTS (SELECT 1 FROM queue WHERE dataset = event.dataset AND lane = 3 AND rank = expires_at AND key = event.key)"
)
_REPLAYABLE = f"""
SELECT event.key, dataset, state, answer FROM event JOIN body ON body.key = event.key
WHERE event.key IN carray(?) AND expires_at > ? AND (state = 'dead' OR (state = 'waiting' AND {_HELD}))
"""
_REVIVE = (
    "UPDATE event SET state = 'waiting', reason = NULL, attempts = 0, settled_at = NULL, sent_at = NULL WHERE key = ?"
)
HELD_KEYS = "SELECT key FROM queue WHERE dataset IN (SELECT id FROM dataset) AND lane = 3"
DEAD_OR_HELD = f"""
SELECT key, event_id FROM event WHERE state = 'dead' AND expires_at > ?
UNION ALL SELECT key, event_id FROM event WHERE key IN ({HELD_KEYS})
"""


def erase(db: apsw.Connection, keys: Sequence[int], digests: Sequence[str], now: float) -> int:
    """Forget these events; how many. The id stays, so that a late copy is still known, unless it holds a digest."""
    erased = 0
    sqlite_visitors.erase(db, [event_id for (event_id,) in read(db, _IDS, (_array(keys),))])
    for key in keys:
        for dataset, event_id, kept_state in read(db, _ERASABLE, (key,)):
            state = kept_state
            if state == "waiting":
                state = "pending" if _unqueue(db, key) else "leased"
            named = any(digest in event_id for digest in digests)
            new_id = f"erased_{secrets.token_hex(8)}" if named else event_id
            if named:
                sqlite_sides.forget(db, _array([key]))
            db.execute(_ERASE, (now, new_id, key))
            db.execute("DELETE FROM body WHERE key = ?", (key,))
            _move(db, dataset, state, "erased", 1)
            erased += 1
    return erased


_IDS = "SELECT event_id FROM event WHERE key IN carray(?)"
_ERASABLE = "SELECT dataset, event_id, state FROM event WHERE key = ? AND state != 'erased'"
# Lane 2 can only be searched; an event without a reason never stood there.
_UNQUEUE = """
DELETE FROM queue WHERE (dataset, lane, rank, key) IN (
  SELECT dataset, 0, accepted_at, key FROM event WHERE key = ?1
  UNION ALL SELECT dataset, 1, coalesce(sent_at, expires_at), key FROM event WHERE key = ?1
  UNION ALL SELECT dataset, 3, expires_at, key FROM event WHERE key = ?1
  UNION ALL SELECT dataset, 2, rank, key FROM queue
    WHERE dataset = (SELECT dataset FROM event WHERE key = ?1) AND lane = 2 AND key = ?1
      AND (SELECT reason FROM event WHERE key = ?1) IS NOT NULL)
"""
_ERASE = "UPDATE event SET state = 'erased', settled_at = ?, event_id = ?, reason = 'erased' WHERE key = ?"
HOLDS_DIGEST = """
SELECT event.key FROM event LEFT JOIN body ON body.key = event.key
WHERE event.key > ?1 AND event.key <= ?2 AND state != 'erased' AND (instr(body, ?3) OR instr(event_id, ?4))
"""


def withdraw(db: apsw.Connection, dataset_name: str, event_ids: Sequence[str], now: float) -> int:
    """Those that are pending and that a browser may have sent; how many. Each is found by its id."""
    dataset = dataset_id(db, dataset_name)
    found = [key for event_id in event_ids for (key,) in read(db, _WITHDRAWABLE, (event_id, dataset))]
    keys = array("q", (key for key in found if _unqueue(db, key)))
    n = _end(db, "erased", "withdrawn", 0, apsw.carray(keys), None, now) if keys else 0
    _move(db, dataset or 0, "pending", "erased", n)
    return n


def _unqueue(db: apsw.Connection, key: int) -> bool:
    """Whether it waited; what is leased has no turn in the queue."""
    db.execute(_UNQUEUE, (key,))
    return db.changes() > 0


_WITHDRAWABLE = f"""
SELECT key FROM event WHERE event_id = ? AND dataset = ? AND state = 'waiting'
AND event_name IN ({", ".join(f"'{name}'" for name in sorted(PUBLIC_EVENT_NAMES))})
"""


def forget_names(db: apsw.Connection, digests: Sequence[str]) -> None:
    """The pixel's reports and the visitors' keys that hold a digest; a whole scan, of two small tables."""
    for digest in digests:
        db.execute("DELETE FROM pixel WHERE instr(event_id, ?)", (digest,))
        db.execute("DELETE FROM visitor WHERE instr(key, ?)", (digest,))


def ledger(read_rows: Read, now: float, ledger_seconds: float, after: int) -> tuple["array[int]", int | None]:
    """Of the next CHUNK rows in the order of their keys: those that no duplicate can come for, and the last row's key.
    None instead of that where newer rows begin, which cannot have ended so long ago.

    An index over the time they ended would cost every delivered event more than this costs a day."""
    found = read_rows(_LEDGER, (after, CHUNK))
    keys = array("q")
    for key, state, _, settled_at in found:
        keeps = DEAD_SECONDS if state == "dead" else ledger_seconds
        if state not in ("waiting", None) and settled_at is not None and settled_at < now - keeps:
            keys.append(key)
    # A time after `now` was read from a clock that was wrong: no row's age follows from it.
    is_new = all(now - ledger_seconds <= accepted_at <= now for _, _, accepted_at, _ in found)
    return keys, None if is_new or len(found) < CHUNK else found[-1][0]


# Never the newest row: the next key is one more than its, and no key may come again while a lease could still name it.
_LEDGER = """
SELECT key, state, accepted_at, settled_at FROM event
WHERE key > ? AND key < (SELECT max(key) FROM event) ORDER BY key LIMIT ?
"""


def prune(db: apsw.Connection, keys: "array[int]", now: float) -> int:
    """Drop these ledger rows, old visits and reports; how many. Dead letters lose what cannot be sent any more."""
    if keys:
        sqlite_sides.forget(db, apsw.carray(keys))
    for table, column in (("retried", "event"), ("body", "key"), ("event", "key")) if keys else ():
        db.execute(f"DELETE FROM {table} WHERE {column} IN carray(?)", (apsw.carray(keys),))
    db.execute("DELETE FROM body WHERE key IN (SELECT key FROM event WHERE state = 'dead' AND expires_at < ?)", (now,))
    db.execute("DELETE FROM answer WHERE at < ?", (now - DEAD_SECONDS,))
    return len(keys) + sqlite_sides.prune(db, now) + sqlite_visitors.prune(db, now)


# -- looking -----------------------------------------------------------------------------------------------------------


def dataset_id(db: apsw.Connection, name: str) -> int | None:
    found = read(db, "SELECT id FROM dataset WHERE name = ?", (name,))
    return found[0][0] if found else None


def read(db: apsw.Connection, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    return db.execute(sql, values).fetchall()


def _array(keys: Iterable[int]) -> Any:
    return apsw.carray(array("q", keys))


def _move(db: apsw.Connection, dataset: int, source: str, target: str, n: int) -> None:
    if n and source != target:
        _add(db, dataset, source, -n)
        _add(db, dataset, target, n)


def _add(db: apsw.Connection, dataset: int, state: str, n: int) -> None:
    if n:
        db.execute(
            "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n", (dataset, state, n)
        )
