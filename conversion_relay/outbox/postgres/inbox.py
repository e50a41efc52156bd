"""Events that a caller puts within a transaction of its own, so that an order and its Purchase are stored together.

What could go wrong. If the caller's transaction inserted into `event`, it would hold the unique index's entry until it
ends: a collector that gets the same event from the browser would wait for it with its whole group. And whoever reads by
"the last id seen" misses what commits late.

The rule: the caller appends to `inbox`, which has no unique index and which nobody else locks. Workers take committed
rows out of it and put them like any others, in one transaction, so that a row is in the inbox or in the ledger, never
in both. The caller's connection gets one plain statement: no commit, no SET, nothing prepared.

Rejected: a hook after the caller's commit (Django's `on_commit`): the process may end in between, and the Purchase is
lost with the order stored.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import SealedEvent
from conversion_relay.outbox.postgres.session import Session

TAKEN_AT_ONCE = 500


def append(connection: Any, schema: str, events: Iterable[SealedEvent], now: float) -> None:
    """By a connection of psycopg, Django (`django.db.connection`) or SQLAlchemy. Errors are the driver's own: the
    caller's transaction failed, and the caller knows what to do."""
    values: list[Any] = []
    rows = 0
    for e in events:
        told = (e.dataset, e.event_name, e.event_id, e.event_time, e.expires_at, float(now), e.consent, e.body)
        values += told
        rows += 1
    if not rows:
        return
    places = ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s)"] * rows)
    sql = (
        f'INSERT INTO "{schema}".inbox (dataset, event_name, event_id, event_time, expires_at, put_at, consent, body)'
        f" VALUES {places}"
    )
    with _cursor(connection) as cursor:
        cursor.execute(sql, values)


def _cursor(connection: Any) -> Any:
    """Of Django's wrapper and of a driver's connection `cursor()`; SQLAlchemy's has the driver's inside."""
    if hasattr(connection, "cursor"):
        return connection.cursor()
    if hasattr(connection, "connection"):
        return connection.connection.cursor()
    raise OutboxUnavailable("connection=: expected one of psycopg 3, Django or SQLAlchemy with psycopg 3")


def take(session: Session) -> list[tuple[SealedEvent, float]]:
    """Some committed rows leave the inbox, with the times at which they were put."""
    rows: Sequence[tuple[Any, ...]] = session.read(_TAKE)
    return [
        (
            SealedEvent(
                dataset=dataset,
                event_name=name,
                event_id=event_id,
                event_time=event_time,
                expires_at=expires_at,
                consent=consent,
                body=body,
            ),
            put_at,
        )
        for dataset, name, event_id, event_time, expires_at, put_at, consent, body in rows
    ]


_TAKE = f"""
DELETE FROM relay.inbox
WHERE id IN (SELECT id FROM relay.inbox ORDER BY id LIMIT {TAKEN_AT_ONCE} FOR UPDATE SKIP LOCKED)
RETURNING dataset, event_name, event_id, event_time, expires_at, put_at, consent, body
"""
