"""Outbox files to be looked at, filled and broken."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import apsw

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.sqlite.file import PAGE
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.verdict import Dead, Delivered
from tests.outbox.suite import NOW, sealed

EVENTS = 2_000
T = TypeVar("T")


def opened(path: Path) -> SqliteOutbox:
    return SqliteOutbox(str(path))


def filled(path: Path, events: int = EVENTS) -> None:
    outbox = opened(path)
    for first in range(0, events, 500):
        outbox.put([event(n) for n in range(first, first + 500)], NOW)
    outbox.close()


def event(n: int):
    text = '{"event_name":"Lead","event_id":"e%d","event_time":%d,"x":"%s"}' % (n, NOW, "y" * 200)  # noqa: UP031
    return sealed(f"e{n}", body=text.encode())


def drained(outbox: SqliteOutbox) -> dict[str, bytes]:
    """What a worker would send, by id; damaged events end as dead letters."""
    sent = {}
    while lease := outbox.claim("1", 1_000, 60, NOW):
        verdicts = [(Delivered() if e.intact else Dead("corrupt"), [e]) for e in lease.events]
        outbox.settle(lease, verdicts, None, NOW)
        sent |= {e.event_id: e.body for e in lease.events if e.intact}
    return sent


def pages_of(path: Path, table: str) -> list[int]:
    """First bytes of the table's leaf pages."""
    db = apsw.Connection(str(path))
    rows = db.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (table,)).fetchall()
    db.close()
    return [(page - 1) * PAGE for (page,) in rows]


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def rows(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Read or changed by somebody else than the outbox."""
    db = apsw.Connection(str(path))
    db.set_busy_timeout(5_000)
    try:
        return db.execute(sql, values).fetchall()
    finally:
        db.close()


def or_none(work: Callable[[], T]) -> T | None:
    """None while nothing can be recorded."""
    try:
        return work()
    except OutboxUnavailable:
        return None


@contextlib.contextmanager
def connections_made() -> Iterator[list[apsw.Connection]]:
    """Those that anybody opens meanwhile."""
    made: list[apsw.Connection] = []
    apsw.connection_hooks.append(made.append)
    try:
        yield made
    finally:
        apsw.connection_hooks.remove(made.append)
