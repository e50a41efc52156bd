"""`make bench`: what the machine spends on an event, beside the least that the same work can cost.

Ratios, not seconds: the baseline is measured in the same run, since machines differ and are shared.
"""

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from conversion_relay.event import Event, SealedEvent, UserData
from conversion_relay.intake import Policy, RequestFacts, Submission, accept
from conversion_relay.outbox.sqlite import SqliteOutbox
from conversion_relay.retry import Delivered

EVENTS = 20_000
BATCH = 1_000
NOW = 1_795_435_200.0
FACTS = RequestFacts(client_ip_address="8.8.4.4", client_user_agent="Mozilla/5.0", fbp="fb.1.1596403881668.1116446470")
POLICY = Policy(dataset="1", default_country="us")


def main() -> None:
    print(f"{'':44}{'ours':>12}{'baseline':>12}{'ratio':>8}")
    row("seal one event (us of CPU)", seal, hash_and_dump, scale=1e6 / EVENTS)
    with tempfile.TemporaryDirectory() as folder:
        events = [sealed(number) for number in range(EVENTS)]
        outbox = SqliteOutbox(str(Path(folder, "outbox.db")))
        row(
            f"put {BATCH} durably (ms)",
            lambda: put(outbox, events),
            lambda: insert(Path(folder, "raw.db"), events),
            scale=1e3 * BATCH / EVENTS,
            clock=time.perf_counter,
        )
        row(
            f"claim and settle {BATCH} (ms)",
            lambda: claim_and_settle(outbox),
            lambda: update(Path(folder, "raw.db")),
            scale=1e3 * BATCH / EVENTS,
            clock=time.perf_counter,
        )
        outbox.close()


def row(
    name: str,
    ours: Callable[[], object],
    baseline: Callable[[], object],
    *,
    scale: float,
    clock: Callable[[], float] = time.process_time,
) -> None:
    measured = []
    for work in (ours, baseline):
        started = clock()
        work()
        measured.append((clock() - started) * scale)
    print(f"{name:44}{measured[0]:12.1f}{measured[1]:12.1f}{measured[0] / measured[1]:8.1f}")


def person(number: int) -> dict[str, str]:
    return {
        "email": f"Mary.Jane{number}@Example.com",
        "phone": f"(650) 555-{number % 10_000:04}",
        "first_name": "Mary",
        "last_name": "Jane",
        "city": "Menlo Park",
        "zip": "94025",
    }


def seal() -> None:
    for number in range(EVENTS):
        event = Event(event_name="Lead", user_data=UserData(**person(number)), custom_data={"value": 12.5})
        accept(Submission(event=event), FACTS, POLICY, now=NOW, entropy=bytes(10))


def hash_and_dump() -> None:
    """What every program must do: SHA-256 of the same values, and JSON."""
    for number in range(EVENTS):
        hashed = {k: hashlib.sha256(v.strip().lower().encode()).hexdigest() for k, v in person(number).items()}
        json.dumps({"event_name": "Lead", "event_time": NOW, "user_data": hashed, "custom_data": {"value": 12.5}})


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
        outbox.settle(lease, [(event, Delivered()) for event in lease.events], None, NOW)


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
