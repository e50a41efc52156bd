"""What a transaction of the SQLite outbox does: the SQL and the books, on a connection that the caller opened.

Every function that moves events between states moves the books with them, in the same transaction.
"""

import secrets
import zlib
from collections.abc import Sequence
from typing import Any

import apsw

from conversion_relay.errors import LeaseLost
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox import Attempt, Lease, LeasedEvent, Settlement, Story
from conversion_relay.retry import Dead, Delivered, Expired, Park, RetryAt

_INSERT = """
INSERT INTO event (dataset, event_name, event_id, event_time, expires_at, accepted_at, state, due_at, body, checksum)
VALUES (?, ?, ?, ?, ?, ?6, 'pending', ?6, ?, ?) ON CONFLICT DO NOTHING
"""


def insert(db: apsw.Connection, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
    receipts = []
    new: dict[str, int] = {}
    for event in events:
        db.execute(
            _INSERT,
            (
                event.dataset,
                event.event_name,
                event.event_id,
                event.event_time,
                event.expires_at,
                now,
                event.body,
                zlib.crc32(event.body),
            ),
        )
        stored = db.changes() == 1
        receipts.append(Receipt(event.event_id, duplicate=not stored))
        if stored:
            new[event.dataset] = new.get(event.dataset, 0) + 1
    for dataset, n in new.items():
        _add(db, dataset, "accepted", n)
        _add(db, dataset, "pending", n)
    return receipts


_CLAIM = """
UPDATE event SET state = 'leased', lease = ?, owner = ?, leased_until = ?
WHERE key IN (
  SELECT key FROM event WHERE state = 'pending' AND dataset = ?4 AND due_at <= ?5 ORDER BY due_at, key LIMIT ?6)
RETURNING key, event_name, event_id, event_time, expires_at, attempts, checksum, body
"""


def claim(
    db: apsw.Connection, token: str, owner: str, until: float, dataset: str, now: float, limit: int
) -> tuple[LeasedEvent, ...]:
    """Due events of one dataset, oldest first, now leased under the token."""
    take_back(db, "leased_until <= ?", now)
    found = read(db, _CLAIM, (token, owner, until, dataset, now, limit))
    _move(db, dataset, "pending", "leased", len(found))
    return tuple(map(_leased_event, sorted(found)))


def prune(db: apsw.Connection, before: float) -> int:
    """Ledger rows settled before that moment, and answers that nobody refers to; how many events."""
    db.execute("DELETE FROM event WHERE state IN ('delivered', 'expired', 'erased') AND settled_at < ?", (before,))
    pruned = db.changes()
    db.execute(
        "DELETE FROM answer WHERE at < ? AND id NOT IN (SELECT answer FROM event WHERE answer NOT NULL)", (before,)
    )
    db.execute("DELETE FROM retried WHERE answer NOT IN (SELECT id FROM answer)")
    return pruned


def take_back(db: apsw.Connection, which: str, value: object) -> None:
    """Leased events become pending again; `which` is one of two conditions written in this file."""
    where = f"WHERE state = 'leased' AND {which}"
    for dataset, n in read(db, f"SELECT dataset, count(*) FROM event {where} GROUP BY dataset", (value,)):
        _move(db, dataset, "leased", "pending", n)
    db.execute(
        f"UPDATE event SET state = 'pending', lease = NULL, owner = NULL, leased_until = NULL {where}",
        (value,),
    )


def extend(db: apsw.Connection, lease: Lease, until: float) -> None:
    db.execute("UPDATE event SET leased_until = ? WHERE lease = ? AND state = 'leased'", (until, lease.token))
    if db.changes() == 0:
        raise LeaseLost(f"the lease of {len(lease.events)} events ran out")


def settle(
    db: apsw.Connection, lease: Lease, settlements: Sequence[Settlement], attempt: Attempt | None, now: float
) -> None:
    answer = _keep_answer(db, attempt) if attempt else None
    moved: dict[str, int] = {}
    for event, verdict in settlements:
        match verdict:
            case Delivered():
                state, reason, due_at, counted = "delivered", None, None, 1
            case Dead(why=why):
                state, reason, due_at, counted = "dead", why, None, 1
            case Expired():
                state, reason, due_at, counted = "expired", "too_old", None, 0
            case RetryAt(at=at, why=why):
                state, reason, due_at, counted = "pending", why, at, 1
            case Park(until=until, why=why):
                state, reason, due_at, counted = "pending", why, until, 0
        db.execute(_SETTLE, (state, reason, due_at, counted, answer, now, event.key, lease.token))
        if db.changes() != 1:
            raise LeaseLost("another worker holds these events now; nothing was settled")
        if state == "pending" and answer is not None:
            db.execute("INSERT OR IGNORE INTO retried VALUES (?, ?)", (event.key, answer))
        moved[state] = moved.get(state, 0) + 1
    for state, n in moved.items():
        _move(db, lease.dataset, "leased", state, n)


# A dead letter keeps its body, so that it can be replayed; everything else that ended loses it.
_SETTLE = """
UPDATE event SET state = ?1, reason = ?2, due_at = coalesce(?3, due_at), attempts = attempts + ?4, answer = ?5,
  settled_at = iif(?1 = 'pending', NULL, ?6), body = iif(?1 IN ('pending', 'dead'), body, NULL),
  lease = NULL, owner = NULL, leased_until = NULL
WHERE key = ?7 AND lease = ?8 AND state = 'leased'
"""


def _keep_answer(db: apsw.Connection, attempt: Attempt) -> int:
    db.execute(
        "INSERT INTO answer (at, outcome, why, status, code, subcode, title, fbtrace_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            attempt.at,
            attempt.outcome,
            attempt.why,
            attempt.status,
            attempt.code,
            attempt.subcode,
            attempt.title,
            attempt.fbtrace_id,
        ),
    )
    return db.last_insert_rowid()


def replay(db: apsw.Connection, now: float, event_ids: Sequence[str] | None) -> int:
    replayed = 0
    rows = read(db, "SELECT key, dataset, event_id FROM event WHERE state = 'dead' AND expires_at > ?", (now,))
    for key, dataset, event_id in rows:
        if event_ids is None or event_id in event_ids:
            db.execute(
                "INSERT OR IGNORE INTO retried SELECT key, answer FROM event WHERE key = ? AND answer NOT NULL",
                (key,),
            )
            db.execute(
                "UPDATE event SET state = 'pending', due_at = ?, attempts = 0, settled_at = NULL WHERE key = ?",
                (now, key),
            )
            _move(db, dataset, "dead", "pending", 1)
            replayed += 1
    return replayed


def erase(db: apsw.Connection, digests: Sequence[str], now: float) -> int:
    """A whole scan: it happens once a person asks, and an index over digests would be a list of persons."""
    erased = 0
    for digest in digests:
        rows = read(
            db,
            "SELECT key, dataset, state FROM event"
            " WHERE state != 'erased' AND (instr(body, ?1) OR instr(event_id, ?2))",
            (digest.encode(), digest),
        )
        for key, dataset, state in rows:
            db.execute(_ERASE, (now, f"erased_{secrets.token_hex(8)}", key))
            _move(db, dataset, state, "erased", 1)
        erased += len(rows)
    return erased


_ERASE = """
UPDATE event SET state = 'erased', settled_at = ?, event_id = ?, body = NULL, checksum = NULL, reason = 'erased',
  lease = NULL, owner = NULL, leased_until = NULL WHERE key = ?
"""


def _move(db: apsw.Connection, dataset: str, source: str, target: str, n: int) -> None:
    if n and source != target:
        _add(db, dataset, source, -n)
        _add(db, dataset, target, n)


def _add(db: apsw.Connection, dataset: str, state: str, n: int) -> None:
    db.execute("INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n", (dataset, state, n))


def read(db: apsw.Connection, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    return db.execute(sql, values).fetchall()


def _leased_event(row: tuple[Any, ...]) -> LeasedEvent:
    key, event_name, event_id, event_time, expires_at, attempts, checksum, body = row
    return LeasedEvent(
        key=key,
        event_name=event_name,
        event_id=event_id,
        event_time=event_time,
        expires_at=expires_at,
        attempts=attempts,
        intact=zlib.crc32(body) == checksum,
        body=body,
    )


WAITING = """
SELECT dataset, (SELECT min(due_at) FROM event WHERE state = 'pending' AND event.dataset = tally.dataset)
FROM tally WHERE state = 'pending' AND n > 0
"""
AGES = """
SELECT dataset,
  (SELECT accepted_at FROM event WHERE state = 'pending' AND event.dataset = tally.dataset ORDER BY key LIMIT 1),
  (SELECT min(expires_at) FROM event WHERE state = 'pending' AND event.dataset = tally.dataset)
FROM tally WHERE state = 'pending' AND n > 0
"""
STORY = (
    "key, dataset, event_name, event_id, event_time, accepted_at, expires_at, state, reason, attempts, due_at, "
    "settled_at, answer"
)
HISTORY = """
SELECT at, outcome, why, status, code, subcode, title, fbtrace_id FROM answer
WHERE id IN (SELECT answer FROM retried WHERE event = ?) OR id = ? ORDER BY id
"""


def story(row: tuple[Any, ...], history: list[tuple[Any, ...]]) -> Story:
    fields = dict(zip(STORY.split(", "), row, strict=True))
    del fields["key"], fields["answer"]
    if fields["state"] != "pending":
        fields["due_at"] = None
    names = Attempt.__struct_fields__
    return Story(**fields, history=tuple(Attempt(**dict(zip(names, answer, strict=True))) for answer in history))
