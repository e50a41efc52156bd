"""What a transaction that somebody leaves open costs a fleet: `python -m bench.snapshot [--rows N] [--seconds S]`.

A trickle through two outboxes of one server in turns, while a snapshot is held. In one of them N deleted rows stand
before what is claimed, the other has hardly any; whatever else the machine does slows both, so their ratio stays. A
thousand events a second leave 600,000 rows in ten minutes; it is their number that counts, not the minutes, so they are
filled in by the server and drained while the snapshot is held.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from bench.depth import drain, fill, hold
from bench.figures import percentile
from bench.postgres import SETTINGS, sealed
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Delivered
from tests.outbox.postgres.server import Server

Took = dict[str, list[float]]
"""Milliseconds of each call, by verb."""


def turn(outbox: PostgresOutbox, number: int, took: Took) -> None:
    def timed(verb: str, call: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = call()
        took[verb].append((time.perf_counter() - began) * 1e3)
        return result

    now = time.time()
    outbox.put([sealed(number)], now)
    timed("waiting", lambda: outbox.waiting(now))
    lease = timed("claim", lambda: outbox.claim("1", 100, 60, now))
    timed("settle", lambda: outbox.settle(lease, [(Delivered(), lease.events)], None, now))
    if number % 5 == 0:
        timed("tidy", lambda: outbox.tidy(now))


def trickle(outboxes: Sequence[PostgresOutbox], seconds: float) -> list[Took]:
    found: list[Took] = [defaultdict(list) for _ in outboxes]
    ends_at, number = time.monotonic() + seconds, 0
    while time.monotonic() < ends_at:
        for outbox, took in zip(outboxes, found, strict=True):
            turn(outbox, number, took)
        number += 1
    return [{verb: sorted(several) for verb, several in took.items()} for took in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=150_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="for which the snapshot is held after that")
    options = parser.parse_args()
    server = Server(settings=SETTINGS).start()
    calm, crowded = (PostgresOutbox(f"{server.url}&schema={schema}") for schema in ("calm", "crowded"))
    trickle((calm, crowded), 2.0)
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        fill(connection, "crowded", "1", 0, options.rows)
    with hold(server):
        drain(crowded, "1", options.rows)
        time.sleep(1.5)  # the server's figures of its tables come a second late
        crowded.tidy(time.time())
        without, beside = trickle((calm, crowded), options.seconds)
    for verb, before in without.items():
        found = [(percentile(beside[verb], share), percentile(before, share)) for share in (0.5, 0.99)]
        said = ", ".join(f"{after / first:.1f}x ({first:.1f} -> {after:.1f} ms)" for after, first in found)
        print(f"{verb} beside {options.rows:,} dead rows, p50 and p99 of {len(before)}: {said}")
    for outbox in (calm, crowded):
        outbox.close()
    server.remove()


if __name__ == "__main__":
    main()
