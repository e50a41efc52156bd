"""The slowest of a hundred requests under a load that leaves room: 50 connections, 30 % of the highest rate, open loop.

A request waits for the commit under way and for its own. So its p99 is measured in fsyncs of the same disk in the same
round: three of them, plus 2 ms for everything else. The worker runs; checkpoints, pruning and settling are in it.
Beside it stands the least durable door at the same rate, which neither judges an event nor keeps books.
"""

import os
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bench import ours
from bench.figures import percentile
from bench.machine import Running
from bench.part import Comparison, Contestant, Form, Found, Part

LIMIT, OURS = "limit: 3 fsyncs and 2 ms", "ours with the worker"
LEAST = "least durable, and a thread that sends"
SHARE = 0.3
PAGE = bytes(4_096)


def contestants(form: Form) -> list[Contestant]:
    return [
        Contestant(LIMIT, lambda: fsyncs(form)),
        Contestant(OURS, lambda: measured(form)),
        Contestant(LEAST, lambda: least(form)),
    ]


def fsyncs(form: Form) -> Found:
    """Of a page that is appended, as a commit does it."""
    took = []
    with ours.folder() as folder:
        file = os.open(folder / "log", os.O_CREAT | os.O_WRONLY)
        try:
            for _ in range(form.count(200, 2_000)):
                os.write(file, PAGE)
                started = time.perf_counter()
                os.fdatasync(file)
                took.append((time.perf_counter() - started) * 1e3)
        finally:
            os.close(file)
    took.sort()
    median, tail = percentile(took, 0.5), percentile(took, 0.99)
    return {"fsync_p50_ms": median, "fsync_p99_ms": tail, "p99_ms": 3 * median + 2, "slow_p99_ms": 3 * tail + 2}


def measured(form: Form) -> Found:
    with ours.folder() as folder, ours.meta() as meta, _ours(folder, meta) as (_, port):
        rate = _rate(form, port)
        time.sleep(form.pick(0.5, 3.0))  # what the search for the highest rate left behind is delivered
        return _open_loop(form, port, rate)


def least(form: Form) -> Found:
    """At the rate of ours."""
    with ours.folder() as folder, ours.meta() as meta:
        with _ours(folder, meta) as (_, port):
            rate = _rate(form, port)
        with ours.least_door("sending", folder, meta.url) as (_, port):
            _load(form, port, seconds=0.5, rate=rate)
            return _open_loop(form, port, rate)


def _ours(folder: Path, meta: ours.Meta) -> AbstractContextManager[tuple[Running, int]]:
    return ours.serving(ours.environment(Path(folder, "outbox.db"), meta.url))


def _rate(form: Form, port: int) -> float:
    return SHARE * float(_load(form, port, seconds=form.pick(1.5, 5.0))["per_second"])


def _open_loop(form: Form, port: int, rate: float) -> Found:
    found = ours.all_answered(_load(form, port, seconds=form.pick(4.0, 60.0), rate=rate))
    return {"p50_ms": found["p50_ms"], "p99_ms": found["p99_ms"], "max_ms": found["max_ms"], "rate": rate}


def _load(form: Form, port: int, **how: float) -> dict[str, Any]:
    return ours.load(events=str(ours.traffic_file(form)), connections=50, port=port, **how)


PART = Part(
    name="tails",
    title="tails: open loop at 30 % of the highest rate",
    contestants=contestants,
    comparisons=(
        Comparison(
            label="p99, to 3 median fsyncs and 2 ms",
            of=(OURS, "p99_ms"),
            baseline=(LIMIT, "p99_ms"),
            goal=1.0,
            least=1.0,
        ),
        Comparison(
            label="p99, to 3 fsyncs of their own p99 and 2 ms", of=(OURS, "p99_ms"), baseline=(LIMIT, "slow_p99_ms")
        ),
        Comparison(label="p99, to the least durable door", of=(OURS, "p99_ms"), baseline=(LEAST, "p99_ms")),
        Comparison(label="p99", of=(OURS, "p99_ms"), baseline=None, unit="ms"),
    ),
    watched=((LIMIT, "p99_ms"),),
    full_rounds=5,
    shown=("p50_ms", "p99_ms", "max_ms", "rate", "fsync_p50_ms", "fsync_p99_ms"),
)
