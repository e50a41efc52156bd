"""Replay, erase, withdraw. All functions work inside a transaction that the caller opened.

What could go wrong. A person asks to be forgotten, or a visitor takes back a consent, while the event is in any
state: waiting in a lane, leased by a worker that is about to send it, dead, or delivered long ago. An event that
comes back after the erasure would be sent all the same; one that is deleted would be unknown, and a late copy of it
would be accepted as new. What was deleted may still stand in the log, or in free pages of the file.

The rules.
1. `erase` and `withdraw` end an event as `erased`. Its body, which is all that names a browser, is deleted. Its row
   stays until the ledger drops it, so that a late copy is a duplicate. An id that holds a digest itself is replaced.
2. What a worker holds is not taken from it. `erase` changes the state, `withdraw` writes a mark (`consent`); the worker
   asks `revoked` before each call to Meta, and neither settling nor taking back a lease lets such an event wait again
   (ADR 10).
3. `erase` looks at every event, in steps between which others may write: an index over digests would be a list of
   persons. `secure_delete` overwrites what is deleted, and the log is emptied before `erase` returns. Files that were
   set aside (`salvage.py`) are not searched; they are named.
4. `withdraw` reaches only what a browser may have sent (public event names), found by id: a page must not take back an
   order.
5. `replay` gives dead and held events a new life with no attempts counted, as long as Meta takes them; what Meta said
   before is kept in `retried`.

Rejected: deleting the event's row (see above); waiting until a leased event comes back (a worker may hold it for
minutes).
"""

import secrets
from array import array
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import apsw

from conversion_relay.event import PUBLIC_EVENT_NAMES
from conversion_relay.outbox.lanes import BACKLOG
from conversion_relay.outbox.sqlite import delivered, sides, visits
from conversion_relay.outbox.sqlite.books import dataset_id, move, read
from conversion_relay.outbox.sqlite.lanes import enqueue, turns
from conversion_relay.outbox.sqlite.look import HELD_KEYS

if TYPE_CHECKING:
    from conversion_relay.outbox.sqlite.database import Database


ERASE_STEP = 20_000
"""Events of one transaction."""


def replay(db: apsw.Connection, now: float, keys: Sequence[int]) -> int:
    """Those of the keys that are dead or held and that Meta still takes; how many. No more is held against them."""
    found = read(db, _REPLAYABLE, (_array(keys), now))
    _unqueue(db, [key for key, _, state, _ in found if state == "waiting"])
    for key, dataset, state, answer in found:
        if answer is not None:
            db.execute("INSERT OR IGNORE INTO retried VALUES (?, ?)", (key, answer))
        db.execute(_REVIVE, (key,))
        move(db, dataset, "pending" if state == "waiting" else "dead", "pending", 1)
    if found:
        enqueue(db, BACKLOG, _array(row[0] for row in found))
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
DEAD_OR_HELD = f"""
SELECT key FROM event WHERE state = 'dead' AND expires_at > ?
UNION ALL SELECT key FROM event WHERE key IN ({HELD_KEYS})
"""
DEAD_OR_HELD_OF = f"""
SELECT key FROM event WHERE event_id IN carray(?2) AND ((state = 'dead' AND expires_at > ?1) OR {_HELD})
"""


def erase_persons(database: "Database", digests: Sequence[str], now: float) -> int:
    """A whole scan, in steps: it happens rarely, and an index over digests would be a list of persons."""
    ((last,),) = database.read("SELECT coalesce(max(key), 0) FROM event")
    erased = 0
    for after in range(0, last, ERASE_STEP):
        found: set[int] = set()
        for digest in digests:
            held = database.read(_HOLDS_DIGEST, (after, after + ERASE_STEP, digest.encode(), digest))
            found.update(key for (key,) in held)
        if found:
            erased += database.carry_out(partial(erase, keys=tuple(found), digests=digests, now=now))
    return erased


def erase(db: apsw.Connection, keys: Sequence[int], digests: Sequence[str], now: float) -> int:
    """Forget these events; how many. The id stays, so that a late copy is still known, unless it holds a digest."""
    erased = 0
    visits.erase(db, read(db, _IDS, (_array(keys),)))
    delivered.write_up_these(db, keys)
    waited = _unqueue(db, keys)
    for key in keys:
        for dataset, event_id, kept_state in read(db, _ERASABLE, (key,)):
            state = kept_state
            if state == "waiting":
                state = "pending" if key in waited else "leased"
            if state == "leased":
                db.execute("INSERT OR IGNORE INTO reduced SELECT token FROM lease WHERE dataset = ?", (dataset,))
            named = any(digest in event_id for digest in digests)
            new_id = f"erased_{secrets.token_hex(8)}" if named else event_id
            if named:
                sides.forget(db, _array([key]))
            db.execute(_ERASE, (now, new_id, "erased", key))
            db.execute("DELETE FROM body WHERE key = ?", (key,))
            move(db, dataset, state, "erased", 1)
            erased += 1
    return erased


_IDS = "SELECT event_id, body FROM event LEFT JOIN body ON body.key = event.key WHERE event.key IN carray(?)"
_ERASABLE = "SELECT dataset, event_id, state FROM event WHERE key = ? AND state != 'erased'"
_ERASE = "UPDATE event SET state = 'erased', settled_at = ?, event_id = ?, reason = ? WHERE key = ?"
_HOLDS_DIGEST = """
SELECT event.key FROM event LEFT JOIN body ON body.key = event.key
WHERE event.key > ?1 AND event.key <= ?2 AND state != 'erased' AND (instr(body, ?3) OR instr(event_id, ?4))
"""


def withdraw(db: apsw.Connection, dataset_name: str, event_ids: Sequence[str], now: float) -> int:
    """Of those that a browser may have sent: the pending and the dead, how many. Who holds a lease is told by a mark.
    Each is found by its id."""
    dataset = dataset_id(db, dataset_name)
    named = [(event_id, *row) for event_id in event_ids for row in read(db, _WITHDRAWABLE, (event_id, dataset))]
    waited = _unqueue(db, [key for _, key, state in named if state == "waiting"])
    n, held = 0, list[int]()
    for event_id, key, state in named:
        if state == "waiting" and key not in waited:
            held.append(key)
            continue
        db.execute(_ERASE, (now, event_id, "withdrawn", key))
        db.execute("DELETE FROM body WHERE key = ?", (key,))
        move(db, dataset or 0, "pending" if state == "waiting" else state, "erased", 1)
        n += 1
    if held:
        delivered.write_up_these(db, held)  # Meta has those; a mark would say that they may yet be taken back
        db.execute(
            "UPDATE event SET consent = 'withdrawn' WHERE key IN carray(?) AND state = 'waiting'", (_array(held),)
        )
    return n


def _unqueue(db: apsw.Connection, keys: Sequence[int]) -> set[int]:
    """Those that waited in a lane, which they do not any more; what is leased has no turn in the queue."""
    found = turns(partial(read, db), keys)
    db.executemany("DELETE FROM queue WHERE dataset = ? AND lane = ? AND rank = ? AND key = ?", found)
    return {key for _, _, _, key in found}


_WITHDRAWABLE = f"""
SELECT key, state FROM event WHERE event_id = ? AND dataset = ? AND state IN ('waiting', 'dead')
AND event_name IN ({", ".join(f"'{name}'" for name in sorted(PUBLIC_EVENT_NAMES))})
"""


def forget_names(database: "Database", digests: Sequence[str]) -> None:
    """The pixel's reports and the visitors' keys that hold a digest; a whole scan, in steps as of `erase_persons`."""
    for table, column in ("pixel", "event_id"), ("visitor", "key"):
        after: str | bytes = ""
        while after != _END:
            ends = database.read(
                f"{_NAMES.format(column, table)} ORDER BY 1 LIMIT 1 OFFSET {ERASE_STEP}", (after, _END)
            )
            until = ends[0][0] if ends else _END
            for digest in digests:
                named = f"{_NAMES.format(column, table)} AND instr({column}, ?)"
                if held := database.read(named, (after, until, digest)):
                    database.carry_out(partial(_forget, sql=f"DELETE FROM {table} WHERE {column} = ?", names=held))
            after = until


_NAMES = "SELECT {0} FROM {1} WHERE {0} > ? AND {0} <= ?"
_END = b""
"""Behind every text. https://sqlite.org/datatype3.html#sort_order"""


def _forget(db: apsw.Connection, sql: str, names: list[tuple[Any, ...]]) -> None:
    db.executemany(sql, names)


def _array(keys: Iterable[int]) -> Any:
    return apsw.carray(array("q", keys))
