"""The outbox alone, beside bare SQLite: a thousand events put, and claimed and settled.

CPU, because the time of an fsync varies more.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from bench import ours
from bench.load import sealed_event
from bench.machine import output
from bench.part import Comparison, Contestant, Form, Found, Part
from conversion_relay.event import SealedEvent

BATCH = 1_000
LIMIT, OURS = "limit: bare SQLite, no books", "ours"


def contestants(form: Form) -> list[Contestant]:
    n = form.count(10_000, 50_000)
    return [Contestant(LIMIT, lambda: measured("bare", n)), Contestant(OURS, lambda: measured("ours", n))]


def measured(which: str, n: int) -> Found:
    with ours.folder() as folder:
        command = [ours.PYTHON, "-m", "bench.parts.outbox", which, str(folder / "outbox.db"), str(n)]
        return dict(json.loads(output(command)))


def run_ours(path: Path, batches: list[list[SealedEvent]], now: float) -> dict[str, float]:
    from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
    from conversion_relay.outbox.verdict import Delivered

    outbox, found = SqliteOutbox(str(path)), dict[str, float]()
    with _cpu(found, "put_us", batches):
        for batch in batches:
            outbox.put(batch, now)
    with _cpu(found, "claim_and_settle_us", batches):
        while lease := outbox.claim("1", BATCH, 60, now):
            outbox.settle(lease, [(Delivered(), lease.events)], None, now)
    outbox.close()
    return found


def run_bare(path: Path, batches: list[list[SealedEvent]], now: float) -> dict[str, float]:
    """Rows without books, de-duplication or checksums, one fsync a batch."""
    db, found = apsw.Connection(str(path)), dict[str, float]()
    db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE event (key INTEGER PRIMARY KEY, state TEXT, at REAL, body BLOB)")
    with _cpu(found, "put_us", batches):
        for batch in batches:
            with db:
                sql = "INSERT INTO event (state, at, body) VALUES ('pending', ?, ?)"
                db.executemany(sql, ((now, event.body) for event in batch))
    with _cpu(found, "claim_and_settle_us", batches):
        for first in range(0, BATCH * len(batches), BATCH):
            keys = (first, first + BATCH)
            with db:
                db.execute(
                    "UPDATE event SET state = 'leased' WHERE key > ? AND key <= ? RETURNING body", keys
                ).fetchall()
            with db:
                db.execute("UPDATE event SET state = 'delivered', body = NULL WHERE key > ? AND key <= ?", keys)
    return found


@contextmanager
def _cpu(found: dict[str, float], figure: str, batches: list[list[SealedEvent]]) -> Iterator[None]:
    """Microseconds of the process for each event."""
    started = time.process_time()
    yield
    found[figure] = (time.process_time() - started) * 1e6 / (BATCH * len(batches))


PART = Part(
    name="outbox",
    title="outbox: CPU us of one event, 1,000 at once",
    contestants=contestants,
    comparisons=(
        Comparison(label="put 1,000 durably", of=(OURS, "put_us"), baseline=(LIMIT, "put_us")),
        Comparison(
            label="claim and settle 1,000", of=(OURS, "claim_and_settle_us"), baseline=(LIMIT, "claim_and_settle_us")
        ),
    ),
    watched=((LIMIT, "put_us"),),
)


if __name__ == "__main__":
    at, n = time.time(), int(sys.argv[3])
    events = [[sealed_event(k, at) for k in range(first, first + BATCH)] for first in range(0, n, BATCH)]
    print(json.dumps({"ours": run_ours, "bare": run_bare}[sys.argv[1]](Path(sys.argv[2]), events, at)))
