"""What a claim costs at a great depth: `python -m bench.depth [--depths 10000 10000000] [--dead 150000]`.

Datasets of these depths in one outbox are claimed from in turns, so whatever else the machine does slows all of them
and their ratio stays. Then the same beside a snapshot that is older than DEAD deleted rows at the front of each. A
thousand events a second leave 600,000 in ten minutes; it is their number that counts, not the minutes.
"""

import argparse
import time
from collections.abc import Sequence
from typing import Any

import psycopg

from bench.figures import percentile
from bench.postgres import SETTINGS, sealed
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Delivered
from tests.outbox.postgres.server import Server

CLAIMED, TURNS = 20, 200
"""Events of one claim, and claims of each dataset: fewer than half of the smallest depth in all."""
Connection = psycopg.Connection[Any]


def fill(connection: Connection, schema: str, name: str, lane: int, n: int) -> None:
    """Straight into the tables; what is timed is the claim. The backlog is claimed by when events end, the live lane by
    when they came: in the ten minutes before now."""
    ((dataset,),) = connection.execute(f"SELECT id FROM {schema}.dataset WHERE name = %s".encode(), (name,)).fetchall()
    ((key,),) = connection.execute(f"SELECT max(key) FROM {schema}.event".encode()).fetchall()
    told = {"d": dataset, "first": key + 1_000_000, "n": n, "now": time.time(), "lane": lane}
    came_at = f"%(now)s - 600 + g * {600 / n}"
    rank = came_at if lane == 0 else "4000000000"
    for sql in (
        "INSERT INTO {}.event (key, digest, dataset, event_name, event_id, event_time, expires_at, accepted_at)"
        f" SELECT %(first)s + g, gen_random_uuid(), %(d)s, 'PageView', 'e' || g, 1, 4000000000, {came_at}"
        " FROM generate_series(1, %(n)s) g",
        "INSERT INTO {}.body SELECT %(first)s + g, 1, 'x' FROM generate_series(1, %(n)s) g",
        f"INSERT INTO {{}}.queue SELECT %(d)s, %(lane)s, {rank}, %(first)s + g FROM generate_series(1, %(n)s) g",
        "INSERT INTO {}.tally AS tally VALUES (%(d)s, 'pending', 99, %(n)s), (%(d)s, 'accepted', 99, %(n)s)"
        " ON CONFLICT (dataset, state, slot) DO UPDATE SET n = tally.n + excluded.n",
    ):
        connection.execute(sql.format(schema).encode(), told)


def hold(server: Server) -> Connection:
    """A snapshot of now, until it is closed."""
    holder = psycopg.connect(server.conninfo)
    holder.execute(b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    holder.execute(b"SELECT count(*) FROM pg_class")
    return holder


def drain(outbox: PostgresOutbox, name: str, n: int) -> None:
    while n > 0 and (lease := outbox.claim(name, 1_000, 600, time.time())):
        outbox.settle(lease, [(Delivered(), lease.events)], None, time.time())
        n -= len(lease.events)


def take_turns(outbox: PostgresOutbox, names: Sequence[str]) -> dict[str, list[float]]:
    """Milliseconds of each claim."""
    took: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(TURNS):
        for name in names:
            began = time.perf_counter()
            lease = outbox.claim(name, CLAIMED, 600, time.time())
            took[name].append((time.perf_counter() - began) * 1e3)
            assert lease is not None
            outbox.settle(lease, [(Delivered(), lease.events)], None, time.time())
    return {name: sorted(several) for name, several in took.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--depths", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--dead", type=int, default=150_000)
    options = parser.parse_args()
    server = Server(settings=SETTINGS).start()
    outbox = PostgresOutbox(f"{server.url}&schema=depth")
    names = [f"{depth:,}" for depth in options.depths]
    outbox.put([sealed(0, name) for name in names], time.time())
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        for name, depth in zip(names, options.depths, strict=True):
            fill(connection, "depth", name, 1, depth + options.dead)
        connection.execute(b"VACUUM (ANALYZE) depth.queue, depth.body, depth.event")
    alone = take_turns(outbox, names)
    with hold(server):
        for name in names:
            drain(outbox, name, options.dead)
        time.sleep(1.5)  # the server's figures of its tables come a second late
        outbox.tidy(time.time())
        beside = take_turns(outbox, names)
    first = alone[names[0]]
    for said, found in (("", alone), (f" beside an open snapshot and {options.dead:,} dead rows", beside)):
        for name in names:
            figures = [
                f"p{share * 100:g} {percentile(found[name], share) / percentile(base, share):.2f}"
                for share, base in ((0.5, found[names[0]]), (0.99, found[names[0]]), (0.5, first), (0.99, first))
            ]
            print(f"claim of {CLAIMED} at {name} waiting{said}: {figures[0]}, {figures[1]} of the first of this round;"
                  f" {figures[2]}, {figures[3]} of the first of all ({percentile(found[name], 0.5):.1f},"
                  f" {percentile(found[name], 0.99):.1f} ms)")  # fmt: skip
    outbox.close()
    server.remove()


if __name__ == "__main__":
    main()
