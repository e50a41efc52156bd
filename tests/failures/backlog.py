"""A large backlog: how long a claim takes, how soon the relay has started, whether fresh events still pass at once."""

import contextlib
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import apsw

from bench import drain
from bench.load import sealed_event
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.verdict import Delivered
from tests.failures.load import Progress, Result, event
from tests.processes import DATASET, Installation, call, installation, until

BATCH = 1_000
MOST_SLOPE = 1.0
"""MB a minute."""
MOST_BEFORE = 2 * 8
"""Answers: eight calls are under way when an event comes in, and eight more may begin until it is claimed."""


def fill(path: Path, events: int, progress: Progress = lambda _: None, age: float = 3_600.0) -> range:
    """So many events, accepted an hour ago, straight into the file. Returns their numbers."""
    outbox = SqliteOutbox(str(path))
    at = time.time() - age
    for first in range(0, events, BATCH):
        outbox.put([sealed_event(n, at, DATASET) for n in range(first, min(events, first + BATCH))], at)
        if first % 100_000 == 0:
            progress(f"{first:,} of {events:,} stored")
    outbox.close()
    return range(events)


def quick_to_claim(folder: Path, events: int, progress: Progress = lambda _: None, rounds: int = 200) -> Result:
    """Claims and settles of a full batch beside those of a hundredth of the backlog: the same work for SQLite."""
    small, large = folder / "small.db", folder / "large.db"
    fill(small, max(5 * BATCH, events // 100), progress)
    fill(large, events, progress)
    few, few_steps = _claim_and_settle(small, 3)
    many, many_steps = _claim_and_settle(large, min(rounds, events // BATCH - 1))
    opened_at = time.perf_counter()
    SqliteOutbox(str(large)).close()
    opened = time.perf_counter() - opened_at
    median, worst = many[len(many) // 2] * 1000, many[int(len(many) * 0.99)] * 1000
    note = (
        f"claim {median:.1f} ms (99 %: {worst:.0f}), with 1 % of it {few[len(few) // 2] * 1000:.1f};"
        f" {many_steps:,} of SQLite's steps against {few_steps:,}; opened in {opened:.1f} s"
    )
    verdict = "kept" if many_steps < 1.1 * few_steps else "claims slow down"
    return Result(f"backlog of {events:,}", rounds, events, 0, 0, verdict, note)


def _claim_and_settle(path: Path, rounds: int) -> tuple[list[float], int]:
    """Seconds of each claim of a full batch, shortest first; and SQLite's steps for one of them."""
    outbox = SqliteOutbox(str(path))
    with _counted_steps(outbox) as steps:
        _claim_a_batch(outbox)
    took = sorted(_claim_a_batch(outbox) for _ in range(rounds))
    outbox.close()
    return took, sum(steps)


def _claim_a_batch(outbox: SqliteOutbox) -> float:
    started = time.perf_counter()
    lease = outbox.claim(DATASET, BATCH, 60, time.time())
    took = time.perf_counter() - started
    assert lease is not None and len(lease.events) == BATCH
    outbox.settle(lease, [(Delivered(), lease.events)], None, time.time())
    return took


@contextlib.contextmanager
def _counted_steps(outbox: SqliteOutbox) -> Iterator[list[int]]:
    """Steps of SQLite's virtual machine: they grow with the work, however busy the machine is."""
    steps: list[int] = []

    def note(ended: dict[str, Any]) -> None:
        steps.append(ended["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])

    connections = (outbox._database.writer, outbox._database.reader)
    for connection in connections:
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, note)
    yield steps
    for connection in connections:
        connection.trace_v2(0)


def fresh_events_pass(folder: Path, events: int, progress: Progress = lambda _: None) -> Result:
    """While a backlog drains, what comes in now is with the next requests that go to Meta, and not behind the backlog;
    that goes by its deadline. How long it takes is told: it is the machine's."""
    with installation(folder) as here:
        fill(here.database, events, progress)
        here.misbehave(latency_ms=100)
        here.start()
        assert not _is_delivered(here, "none")  # the first look loads the dashboard
        delays, posted = [], 0
        while (book := here.books())["pending"] > BATCH or posted < 5:
            name = f"fresh-{posted}"
            at = time.monotonic()
            assert here.post([event(name, at=time.time())])[0] == 202
            until(lambda name=name: _is_delivered(here, name), 30)
            delays.append(time.monotonic() - at)
            posted += 1
            progress(f"{book['pending']:,} wait, the slowest fresh event took {max(delays):.1f} s")
        until(here.settled)
        most = _most_answers_before(here.database, posted)
        note = f"{posted} fresh events, at most {most} answers of Meta before its own; the slowest {max(delays):.1f} s"
        verdict = "kept" if most <= MOST_BEFORE and not here.books()["imbalance"] else note
        return Result(f"fresh events beside {events:,}", 1, events + posted, 0, 0, verdict, note)


def _most_answers_before(path: Path, fresh: int) -> int:
    """Of all fresh events: how many requests Meta answered after it was accepted and before the one that held it."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    until(lambda: db.execute(_WRITTEN_UP).fetchall() == [(fresh,)])  # a second after they are delivered
    ((most,),) = db.execute(_ANSWERS_BEFORE).fetchall()
    db.close()
    return int(most)


_WRITTEN_UP = "SELECT count(*) FROM event WHERE event_id GLOB 'fresh-*' AND state = 'delivered'"
_ANSWERS_BEFORE = """
SELECT max((SELECT count(*) FROM answer WHERE answer.at > accepted_at AND answer.at < own.at))
FROM event JOIN answer AS own ON own.id = event.answer WHERE event_id GLOB 'fresh-*'
"""


def _is_delivered(here: Installation, event_id: str) -> bool:
    """Asked at the dashboard, since the stand-in would have to list a hundred thousand other events."""
    status, stories = call("GET", f"{here.url}/dashboard/event?id={event_id}")
    return status == 200 and stories[0]["state"] == "delivered"


def drained(_: Path, events: int, progress: Progress = lambda _: None, calls: int = 4) -> Result:
    """An hour's backlog drains nearly as fast as a bare loop that posts the same rows, and memory stays flat."""
    progress(f"{events:,} events with {calls} calls in flight")
    # In a process of its own, since earlier parts fragmented the memory of this one.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(drain.measure, events, calls).result()
    note = (
        f"{found.ours:,.0f} events/s, {found.ours / found.bare:.2f} of a bare loop; "
        f"{found.memory:.0f} MB, {found.slope:+.1f} MB/min"
    )
    verdict = "kept" if found.slope < MOST_SLOPE else "memory grows"
    return Result(f"drain with {calls} calls in flight", 1, events, 0, 0, verdict, note)
