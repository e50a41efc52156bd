"""A large backlog: how long a claim takes, how soon the relay stands, and whether fresh events still pass at once."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench import drain
from bench.load import sealed_event
from conversion_relay.outbox.sqlite import SqliteOutbox
from conversion_relay.retry import Delivered
from tests.failures.load import Progress, Result, event
from tests.processes import DATASET, Installation, call, installation, until

BATCH = 1_000
MOST_SLOPE = 1.0
"""MB a minute."""


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
    """Claims and settles of a full batch beside one of a hundredth of the backlog: as quick, with as little memory."""
    small, large = folder / "small.db", folder / "large.db"
    fill(small, max(BATCH, events // 100), progress)
    fill(large, events, progress)
    few, few_worst = _claim_and_settle(small, min(rounds, events // 100 // BATCH))
    many, many_worst = _claim_and_settle(large, rounds)
    opened_at = time.perf_counter()
    SqliteOutbox(str(large)).close()
    opened = time.perf_counter() - opened_at
    note = (
        f"claim {many * 1000:.1f} ms (99 %: {many_worst * 1000:.0f}), with 1 % of it {few * 1000:.1f}"
        f" ({few_worst * 1000:.0f}); opened in {opened:.1f} s"
    )
    return Result(
        f"backlog of {events:,}", rounds, events, 0, 0, "kept" if many < 4 * few else "claims slow down", note
    )


def _claim_and_settle(path: Path, rounds: int) -> tuple[float, float]:
    """(median, 99th percentile) of the seconds that a claim of a full batch takes."""
    outbox = SqliteOutbox(str(path))
    outbox.claim(DATASET, 1, 60, time.time())
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        lease = outbox.claim(DATASET, BATCH, 60, time.time())
        took.append(time.perf_counter() - started)
        if lease is None:
            break
        outbox.settle(lease, [(found, Delivered()) for found in lease.events], None, time.time())
    outbox.close()
    took.sort()
    return took[len(took) // 2], took[int(len(took) * 0.99)]


def fresh_events_pass(folder: Path, events: int, progress: Progress = lambda _: None) -> Result:
    """While a backlog drains, what comes in now is at Meta within five seconds; the backlog goes by its deadline."""
    with installation(folder) as here:
        fill(here.database, events, progress)
        here.misbehave(latency_ms=100)
        here.start()
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
        note = f"{posted} fresh events, the slowest {max(delays):.1f} s"
        verdict = "kept" if max(delays) < 5 and not here.books()["imbalance"] else note
        return Result(f"fresh events beside {events:,}", 1, events + posted, 0, 0, verdict, note)


def _is_delivered(here: Installation, event_id: str) -> bool:
    """As the dashboard tells it; the stand-in would have to show a hundred thousand others too."""
    status, stories = call("GET", f"{here.url}/dashboard/event?id={event_id}")
    return status == 200 and stories[0]["state"] == "delivered"


def drained(_: Path, events: int, progress: Progress = lambda _: None, calls: int = 4) -> Result:
    """An hour's backlog, when Meta is back: as quick as a bare loop that posts the rows, nearly, and memory flat."""
    progress(f"{events:,} events with {calls} calls in flight")
    # In a process of its own: what went before leaves holes in the memory of this one.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(drain.measure, events, calls).result()
    note = (
        f"{found.ours:,.0f} events/s, {found.ours / found.bare:.2f} of a bare loop; "
        f"{found.memory:.0f} MB, {found.slope:+.1f} MB/min"
    )
    verdict = "kept" if found.slope < MOST_SLOPE else "memory grows"
    return Result(f"drain with {calls} calls in flight", 1, events, 0, 0, verdict, note)
