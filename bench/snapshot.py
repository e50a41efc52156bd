"""What a transaction that somebody leaves open costs a fleet: `python -m bench.snapshot [ROWS]`.

Claims and looks of a trickle of events, then the same beside a snapshot that is older than ROWS deleted rows of the
queue. A thousand events a second leave 600,000 in ten minutes; it is their number that counts, not the minutes, so they
are filled in by the server and drained while the snapshot is held. Only the ratios of one run count.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import psycopg

from bench.figures import percentile
from bench.postgres import SETTINGS, sealed
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Delivered
from tests.outbox.postgres.server import Server

FILL = (
    b"INSERT INTO relay.event (key, digest, dataset, event_name, event_id, event_time, expires_at, accepted_at)"
    b" SELECT %(key)s + g, gen_random_uuid(), %(dataset)s, 'PageView', 'e' || g, 1, 4000000000, %(now)s + g * 1e-5"
    b" FROM generate_series(1, %(n)s) g",
    b"INSERT INTO relay.body SELECT %(key)s + g, 1, 'x' FROM generate_series(1, %(n)s) g",
    b"INSERT INTO relay.queue SELECT %(dataset)s, 0, %(now)s + g * 1e-5, %(key)s + g FROM generate_series(1, %(n)s) g",
    b"INSERT INTO relay.tally VALUES (%(dataset)s, 'pending', 99, %(n)s), (%(dataset)s, 'accepted', 99, %(n)s)",
)


def trickle(outbox: PostgresOutbox, n: int = 200) -> dict[str, list[float]]:
    """Milliseconds of each verb."""
    took: defaultdict[str, list[float]] = defaultdict(list)

    def timed(verb: str, call: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = call()
        took[verb].append((time.perf_counter() - began) * 1e3)
        return result

    for number in range(n):
        now = time.time()
        outbox.put([sealed(number)], now)
        timed("waiting", lambda: outbox.waiting(now))  # noqa: B023
        lease = timed("claim", lambda: outbox.claim("1", 100, 60, now))  # noqa: B023
        timed("settle", lambda: outbox.settle(lease, [(Delivered(), lease.events)], None, now))  # noqa: B023
        if number % 5 == 0:
            timed("tidy", lambda: outbox.tidy(now))  # noqa: B023
    return {verb: sorted(several) for verb, several in took.items()}


def drain(outbox: PostgresOutbox) -> None:
    while lease := outbox.claim("1", 1_000, 600, time.time()):
        outbox.settle(lease, [(Delivered(), lease.events)], None, time.time())


def main(rows: int) -> None:
    server = Server(settings=SETTINGS).start()
    outbox = PostgresOutbox(server.url)
    alone = trickle(outbox)
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        ((dataset, key),) = connection.execute(b"SELECT max(dataset), max(key) FROM relay.event").fetchall()
        for sql in FILL:
            connection.execute(sql, {"dataset": dataset, "key": key + 10_000_000, "n": rows, "now": time.time()})
    with psycopg.connect(server.conninfo) as holder:
        holder.execute(b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute(b"SELECT count(*) FROM pg_class")
        while sum(book.pending for book in outbox.counts().values()):
            drain(outbox)
        time.sleep(1.5)  # the server's figures of its tables come a second late
        outbox.tidy(time.time())
        beside = trickle(outbox)
    for verb, before in alone.items():
        found = [(percentile(beside[verb], share), percentile(before, share)) for share in (0.5, 0.99)]
        said = ", ".join(f"{after / first:.1f}x ({first:.1f} -> {after:.1f} ms)" for after, first in found)
        print(f"{verb} beside {rows:,} dead rows, p50 and p99: {said}")
    outbox.close()
    server.remove()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 150_000)
