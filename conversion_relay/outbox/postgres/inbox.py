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

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import psycopg

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import SealedEvent
from conversion_relay.outbox.postgres.keys import PERIOD_SECONDS
from conversion_relay.outbox.postgres.session import Session

TAKEN_AT_ONCE = 500
AT_ONCE = 1_000
KIND = "postgresql"
"""As SQLAlchemy and Django call it."""
WRONG = "connection=: expected one of psycopg, Django or SQLAlchemy, to the PostgreSQL database of the outbox"
IS_ASYNC = "connection=: this one is asynchronous; `await track_async(event, connection=...)` takes it"
WRONG_ASYNC = "connection=: expected an asynchronous one of psycopg 3 or SQLAlchemy; `track` takes the others"


def append(connection: Any, schema: str, events: Iterable[SealedEvent], now: float) -> None:
    """By a connection of psycopg, Django (`django.db.connection`) or SQLAlchemy (also its session). Errors are the
    driver's own: the caller's transaction failed, and the caller knows what to do."""
    try:
        _append(connection, schema, events, now)
    except Exception as error:
        raise _bare(error) from error.__cause__


def _append(connection: Any, schema: str, events: Iterable[SealedEvent], now: float) -> None:
    driver, is_numbered = _driver(connection)
    for sql, values in _statements(schema, events, now, is_numbered=is_numbered):
        with contextlib.closing(_cursor(driver)) as cursor:
            cursor.execute(sql, values)


async def append_async(connection: Any, schema: str, events: Iterable[SealedEvent], now: float) -> None:
    """By an asynchronous connection of psycopg or SQLAlchemy."""
    if hasattr(connection, "run_sync"):  # SQLAlchemy's own way to its synchronous half
        await connection.run_sync(append, schema, list(events), now)
        return
    if not isinstance(connection, psycopg.AsyncConnection):
        raise OutboxUnavailable(WRONG_ASYNC)
    try:
        await _append_async(connection, schema, events, now)
    except Exception as error:
        raise _bare(error) from error.__cause__


async def _append_async(
    connection: "psycopg.AsyncConnection[Any]", schema: str, events: Iterable[SealedEvent], now: float
) -> None:
    for sql, values in _statements(schema, events, now):
        async with psycopg.AsyncCursor(connection) as cursor:
            await cursor.execute(sql.encode(), values)


def _bare(error: Exception) -> Exception:
    """Without the frames below us, also of the driver's error behind a framework's: a program's error report shows the
    variables of each, and there they are the rows, with the visitor's address in clear."""
    behind = error.__cause__
    while behind is not None:
        behind = behind.with_traceback(None).__cause__
    return error.with_traceback(None)


def _statements(
    schema: str, events: Iterable[SealedEvent], now: float, *, is_numbered: bool = False
) -> Iterator[tuple[str, list[Any]]]:
    """A statement has room for 65,535 values. `is_numbered`: their places are $1, $2 ... and not %s."""
    remaining = iter(events)
    while some := list(islice(remaining, AT_ONCE)):
        values: list[Any] = []
        for e in some:
            told = (e.dataset, e.event_name, e.event_id, e.event_time, e.expires_at, float(now), e.consent, e.body)
            values += told
        marks = [f"${n}" if is_numbered else "%s" for n in range(1, len(values) + 1)]
        places = ", ".join(f"({', '.join(marks[first : first + 8])})" for first in range(0, len(marks), 8))
        columns = "dataset, event_name, event_id, event_time, expires_at, put_at, consent, body"
        yield f'INSERT INTO "{schema}".inbox ({columns}) VALUES {places}', values


def _driver(connection: Any) -> tuple[Any, bool]:
    """Django's wrapper and a driver's connection have `cursor()`; SQLAlchemy's has the driver's inside, its session
    has SQLAlchemy's. Beside it: whether this driver reads $1 and not %s, as asyncpg's does. A mark that it cannot read
    would end the caller's transaction, with the order in it."""
    if isinstance(connection, psycopg.AsyncConnection) or hasattr(connection, "run_sync"):
        raise OutboxUnavailable(IS_ASYNC)
    if callable(getattr(connection, "connection", None)):
        connection = connection.connection()
    dialect = getattr(connection, "dialect", None)
    if (getattr(connection, "vendor", None) or getattr(dialect, "name", KIND)) != KIND:
        raise OutboxUnavailable(WRONG)
    if not hasattr(connection, "cursor") and hasattr(connection, "connection"):
        connection = connection.connection
    if not callable(getattr(connection, "cursor", None)):
        raise OutboxUnavailable(WRONG)
    return connection, getattr(dialect, "paramstyle", "") == "numeric_dollar"


def _cursor(driver: Any) -> Any:
    if isinstance(driver, psycopg.Connection):
        return psycopg.Cursor(driver)  # the caller's kind of cursor may read other marks than %s
    cursor = driver.cursor()
    if type(cursor).__module__ == "sqlite3":
        raise OutboxUnavailable(WRONG)
    return cursor


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


COMING = f"""
SELECT DISTINCT dataset, floor(put_at / {PERIOD_SECONDS})::int
FROM (SELECT dataset, put_at FROM relay.inbox ORDER BY id LIMIT {TAKEN_AT_ONCE}) AS coming
"""
"""Datasets and periods of what `take` will find, unless others take it."""
LAST = "SELECT max(id) FROM relay.inbox"
UP_TO = "SELECT 1 FROM relay.inbox WHERE id <= %b::bigint LIMIT 1"
_TAKE = f"""
DELETE FROM relay.inbox
WHERE id IN (SELECT id FROM relay.inbox ORDER BY id LIMIT {TAKEN_AT_ONCE} FOR UPDATE SKIP LOCKED)
RETURNING dataset, event_name, event_id, event_time, expires_at, put_at, consent, body
"""
