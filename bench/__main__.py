"""`make bench`: what the machine spends on an event, beside the least that the same work can cost.

Ratios, not seconds: the baseline is measured in the same run, since machines differ and are shared.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from bench import browser, cold_start, drain, seal
from conversion_relay.event import SealedEvent
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.verdict import Delivered

EVENTS = 20_000
BATCH = 1_000
NOW = 1_795_435_200.0


def main() -> None:
    seal.report()
    print(f"\n{'the outbox, beside bare SQLite':42}{'ours':>12}{'bare':>12}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        events = [sealed(number) for number in range(EVENTS)]
        outbox = SqliteOutbox(str(Path(folder, "outbox.db")))
        row(
            f"put {BATCH} durably (ms)",
            lambda: put(outbox, events),
            lambda: insert(Path(folder, "raw.db"), events),
            scale=1e3 * BATCH / EVENTS,
        )
        row(
            f"claim and settle {BATCH} (ms)",
            lambda: claim_and_settle(outbox),
            lambda: update(Path(folder, "raw.db")),
            scale=1e3 * BATCH / EVENTS,
        )
        outbox.close()
    print()
    drain.report(200_000)
    print()
    cold_start.report()
    print()
    browser.report()


def row(
    name: str,
    ours: Callable[[], object],
    baseline: Callable[[], object],
    *,
    scale: float,
) -> None:
    measured = []
    for work in (ours, baseline):
        started = time.perf_counter()
        work()
        measured.append((time.perf_counter() - started) * scale)
    print(f"  {name:40}{measured[0]:12.1f}{measured[1]:12.1f}{measured[0] / measured[1]:8.1f}")


def sealed(number: int) -> SealedEvent:
    return SealedEvent(
        dataset="1",
        event_name="Lead",
        event_id=f"event-{number}",
        event_time=int(NOW),
        expires_at=int(NOW) + 600_000,
        body=b'{"event_name":"Lead","user_data":{"em":["%064x"],"ph":["%064x"]}}' % (number, number),
    )


def put(outbox: SqliteOutbox, events: list[SealedEvent]) -> None:
    for first in range(0, EVENTS, BATCH):
        outbox.put(events[first : first + BATCH], NOW)


def insert(path: Path, events: list[SealedEvent]) -> None:
    """The least: rows without books, de-duplication or checksums, one fsync a batch."""
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE event (key INTEGER PRIMARY KEY, state TEXT, body BLOB)")
    for first in range(0, EVENTS, BATCH):
        with db:
            db.executemany(
                "INSERT INTO event (state, body) VALUES ('pending', ?)",
                ((event.body,) for event in events[first : first + BATCH]),
            )


def claim_and_settle(outbox: SqliteOutbox) -> None:
    while lease := outbox.claim("1", BATCH, 60, NOW):
        outbox.settle(lease, [(Delivered(), lease.events)], None, NOW)


def update(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
    for first in range(0, EVENTS, BATCH):
        keys = (first, first + BATCH)
        with db:
            db.execute("UPDATE event SET state = 'leased' WHERE key > ? AND key <= ? RETURNING body", keys).fetchall()
        with db:
            db.execute("UPDATE event SET state = 'delivered', body = NULL WHERE key > ? AND key <= ?", keys)


if __name__ == "__main__":
    sys.exit(main())
