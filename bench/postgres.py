"""The outbox in PostgreSQL against bare inserts of the same rows, in one run: `python -m bench.postgres`.

A server of its own on this machine's disk, fsync on. Rates of one line were measured in turns within one run, so their
ratio counts and the rates alone do not: whatever else this machine does slows both. CPU is the kernel's count of this
process and of the server's processes together.
"""

import argparse
import multiprocessing
import os
import secrets
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any

import psycopg

from bench.server_cpu import Cpu
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Delivered
from tests.outbox.postgres.server import Server

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "15min"}
FILLER = "".join(secrets.token_hex(32) for _ in range(20))
GROUP = 300


def sealed(n: int, dataset: str = "1") -> SealedEvent:
    """1.4 kB that does not compress."""
    now = int(time.time())
    body = b'{"n":"%s","x":"%s"}' % (secrets.token_hex(8).encode(), FILLER.encode())
    return SealedEvent(
        dataset=dataset, event_name="PageView", event_id=f"e-{n}-{secrets.token_hex(8)}", event_time=now,
        expires_at=now + 600_000, body=body,
    )  # fmt: skip


# -- bare inserts ------------------------------------------------------------------------------------------------------

BARE = """
CREATE TABLE bare_event (key bigint PRIMARY KEY, digest uuid NOT NULL, dataset int, event_name text, event_id text,
  event_time bigint, expires_at bigint, accepted_at float8, state text, attempts int, sent_at float8, settled_at float8,
  reason text, answer bigint, consent text);
CREATE UNIQUE INDEX ON bare_event (digest);
CREATE TABLE bare_body (key bigint PRIMARY KEY, checksum bigint, body bytea);
ALTER TABLE bare_body ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE bare_queue (dataset int, lane int, rank float8, key bigint, PRIMARY KEY (dataset, lane, rank, key))
"""
INSERT_BARE = (
    b"INSERT INTO bare_event SELECT k, d, 1, n, i, t, x, a, 'waiting', 0 FROM unnest(%b::bigint[], %b::uuid[],"
    b" %b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::float8[]) AS g (k, d, n, i, t, x, a)",
    b"INSERT INTO bare_body SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::bytea[])",
    b"INSERT INTO bare_queue SELECT 1, 0, a, k FROM unnest(%b::bigint[], %b::float8[]) AS g (k, a)",
)


class Bare:
    """What anybody would write: the same rows into three tables with the same indexes, pipelined, and nothing else."""

    def __init__(self, server: Server) -> None:
        self.connection = psycopg.connect(server.conninfo, autocommit=True)
        self.connection.execute(BARE.encode())
        self.key = 0

    def put(self, events: Sequence[SealedEvent]) -> None:
        import uuid
        import zlib

        keys = list(range(self.key, self.key + len(events)))
        self.key += len(events)
        at = [time.time()] * len(events)
        digests = [uuid.uuid4() for _ in events]
        columns = [
            [getattr(e, name) for e in events] for name in ("event_name", "event_id", "event_time", "expires_at")
        ]
        bodies = [e.body for e in events]
        with self.connection.transaction(), self.connection.pipeline():
            self.connection.execute(INSERT_BARE[0], (keys, digests, *columns, at))
            self.connection.execute(INSERT_BARE[1], (keys, [zlib.crc32(body) for body in bodies], bodies))
            self.connection.execute(INSERT_BARE[2], (keys, at))


def rate(work: Callable[[int], int], seconds: float, cpu: Cpu | None = None) -> tuple[float, float]:
    """Events a second, and microseconds of CPU for each."""
    ends_at, n, began = time.monotonic() + seconds, 0, time.monotonic()
    spent = Cpu(cpu.server) if cpu else None
    while time.monotonic() < ends_at:
        n += work(n)
    took = time.monotonic() - began
    return n / took, (spent.seconds() / n * 1e6) if spent else 0.0


def puts(server: Server, seconds: float, rounds: int) -> None:
    outbox, bare, cpu = PostgresOutbox(server.url), Bare(server), Cpu(server)
    made = [sealed(n) for n in range(1_000)]

    def fresh(n: int, size: int) -> list[SealedEvent]:
        told = secrets.token_hex(6)
        return [
            SealedEvent(dataset="1", event_name="PageView", event_id=f"{told}-{m}", event_time=e.event_time,
                        expires_at=e.expires_at, body=e.body)
            for m, e in enumerate(made[:size])
        ]  # fmt: skip

    def single(n: int) -> int:
        events = fresh(n, 1_000)
        futures: list[Future[list[Receipt]]] = [outbox.put_soon([event], time.time()) for event in events]
        wait(futures)
        return len(events)

    def bulk(size: int) -> Callable[[int], int]:
        return lambda n: len(outbox.put(fresh(n, size), time.time()))

    def plain(size: int) -> Callable[[int], int]:
        def put(n: int) -> int:
            bare.put(fresh(n, size))
            return size

        return put

    for name, ours, theirs in (
        ("single events, 1,000 in flight", single, plain(GROUP)),
        ("groups of 300", bulk(300), plain(300)),
        ("groups of 1,000", bulk(1_000), plain(1_000)),
    ):
        table = [(rate(theirs, seconds, cpu), rate(ours, seconds, cpu)) for _ in range(rounds)]
        ratio = statistics.median(mine[0] / base[0] for base, mine in table)
        by_cpu = statistics.median(base[1] / mine[1] for base, mine in table)
        base_cpu, my_cpu = (statistics.median(row[side][1] for row in table) for side in (0, 1))
        fastest = max(mine[0] for _, mine in table)
        print(f"put, {name}: {ratio:.2f} of bare inserts ({fastest:,.0f}/s at best), {by_cpu:.2f} by CPU:"
              f" {my_cpu:.0f} us an event, bare {base_cpu:.0f} us")  # fmt: skip
    outbox.close()


# -- a fleet -----------------------------------------------------------------------------------------------------------


def fleet(server: Server, seconds: float, rounds: int) -> None:
    """Collectors that put groups and workers that claim and settle, each a process."""
    ratios = []
    for _ in range(rounds):
        one, cpu_one = _crew(server, 1, seconds)
        two, cpu_two = _crew(server, 2, seconds)
        ratios.append(two / one)
        print(f"  1 + 1: {one:,.0f} delivered/s, {cpu_one:.0f} us of CPU an event;"
              f" 2 + 2: {two:,.0f}/s, {cpu_two:.0f} us; ratio {two / one:.2f}")  # fmt: skip
    print(f"two collectors and two workers: {statistics.median(ratios):.2f} of one and one, on {os.cpu_count()} cores")


def _crew(server: Server, size: int, seconds: float) -> tuple[float, float]:
    context = multiprocessing.get_context("spawn")
    schema = f"fleet{size}{secrets.token_hex(3)}"
    url = f"{server.url}&schema={schema}"
    PostgresOutbox(url).close()
    ready, go, stop = context.Semaphore(0), context.Event(), context.Event()
    counted, spent = context.Array("q", 2 * size), context.Array("d", 2 * size)
    crew = [
        context.Process(target=role, args=(url, n, ready, go, stop, counted, spent, place * size + n))
        for place, role in enumerate((_collect, _deliver))
        for n in range(size)
    ]
    for process in crew:
        process.start()
    for _ in crew:
        ready.acquire()
    cpu = Cpu(server)
    go.set()
    time.sleep(seconds)
    stop.set()
    for process in crew:
        process.join()
    delivered = sum(counted[size:])
    whole = cpu.seconds() + sum(spent)
    server.execute(f"DROP SCHEMA {schema} CASCADE")
    return delivered / seconds, whole / max(1, delivered) * 1e6


def _collect(url: str, n: int, ready: Any, go: Any, stop: Any, counted: Any, spent: Any, place: int) -> None:
    outbox = PostgresOutbox(url)
    made = [sealed(m) for m in range(GROUP)]
    sent: list[Future[list[Receipt]]] = []
    ready.release()
    go.wait()
    began = time.process_time()
    while not stop.is_set():
        told = secrets.token_hex(6)
        events = [
            SealedEvent(dataset="1", event_name="PageView", event_id=f"{told}-{m}", event_time=e.event_time,
                        expires_at=e.expires_at, body=e.body)
            for m, e in enumerate(made)
        ]  # fmt: skip
        sent.append(outbox.put_soon(events, time.time()))
        while len(sent) > 2:
            counted[place] += len(sent.pop(0).result())
        # In the long run no more than the workers deliver: a backlog would be measured, not a flow.
        while sum(counted[: len(counted) // 2]) - sum(counted[len(counted) // 2 :]) > 20_000 and not stop.is_set():
            time.sleep(0.002)
    spent[place] = time.process_time() - began
    outbox.close()


def _deliver(url: str, n: int, ready: Any, go: Any, stop: Any, counted: Any, spent: Any, place: int) -> None:
    outbox = PostgresOutbox(url)
    ready.release()
    go.wait()
    began = time.process_time()
    while not stop.is_set():
        lease = outbox.claim("1", 1_000, 60, time.time())
        if lease is None:
            time.sleep(0.005)
            continue
        outbox.settle(lease, [(Delivered(), lease.events)], None, time.time())
        counted[place] += len(lease.events)
    spent[place] = time.process_time() - began
    outbox.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["puts", "fleet"])
    options = parser.parse_args()
    server = Server(settings=SETTINGS).start()
    if options.only in (None, "puts"):
        puts(server, options.seconds, options.rounds)
    if options.only in (None, "fleet"):
        fleet(server, options.seconds, options.rounds)


if __name__ == "__main__":
    main()
