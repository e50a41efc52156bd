"""One process of a fleet under test: `python -m tests.outbox.postgres.crew ROLE URL FOLDER NAME [SKEW]`.

A collector writes down each id that was acknowledged, after the acknowledgement; a worker writes down each id that it
"sends", before it settles. The files outlive the process, however it ends. `FOLDER/stop` ends collectors.
"""

import itertools
import os
import sys
import time
from pathlib import Path

from conversion_relay.errors import LeaseLost, OutboxUnavailable
from conversion_relay.event import SealedEvent
from conversion_relay.outbox.postgres import database
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Delivered

BATCH = 50
LEASE_SECONDS = 4.0
PATIENCE = 4.0


def sealed(event_id: str) -> SealedEvent:
    body = b'{"event_id":"%s","x":"%s"}' % (event_id.encode(), b"x" * 400)
    now = int(time.time())
    return SealedEvent(
        dataset="1", event_name="Lead", event_id=event_id, event_time=now, expires_at=now + 600_000, body=body
    )


def opened(url: str) -> PostgresOutbox:
    while True:
        try:
            return PostgresOutbox(url)
        except OutboxUnavailable:
            time.sleep(0.1)


def collect(url: str, folder: Path, name: str, skew: float) -> None:
    outbox = opened(url)
    with (folder / f"acked-{name}").open("a") as acked:
        for n in itertools.count():
            if (folder / "stop").exists():
                break
            ids = [f"{name}-{os.getpid()}-{n}-{m}" for m in range(n % 20 + 1)]
            while True:  # as a customer does who got a 503
                try:
                    outbox.put([sealed(event_id) for event_id in ids], time.time() + skew)
                    break
                except OutboxUnavailable:
                    time.sleep(0.05)
            acked.write("".join(f"{event_id}\n" for event_id in ids))
            acked.flush()
    outbox.close()


def deliver(url: str, folder: Path, name: str, skew: float) -> None:
    outbox = opened(url)
    with (folder / f"sent-{name}").open("a") as sent:
        while not (folder / "over").exists():
            try:
                outbox.waiting(time.time() + skew)
                lease = outbox.claim("1", BATCH, LEASE_SECONDS, time.time() + skew)
                if lease is None:
                    time.sleep(0.05)
                    continue
                sent.write("".join(f"{event.event_id}\n" for event in lease.events))
                sent.flush()
                outbox.settle(lease, [(Delivered(), lease.events)], None, time.time() + skew)
            except (LeaseLost, OutboxUnavailable):
                time.sleep(0.05)
    outbox.close()


if __name__ == "__main__":
    role, url, folder, name, *more = sys.argv[1:]
    database.PATIENCE = PATIENCE
    {"collect": collect, "deliver": deliver}[role](url, Path(folder), name, float(more[0]) if more else 0.0)
