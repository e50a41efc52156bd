"""From the POST to Meta: how long an event takes, and what it costs altogether, at a rate that a shop has.

The least that keeps an event and sends it stands beside: one process that decodes, hashes, fsyncs, and posts rows.
"""

import time
from collections.abc import Callable
from typing import Any

from bench import ours
from bench.figures import percentile
from bench.machine import cpu_seconds
from bench.part import Comparison, Contestant, Form, Found, Part

LIMIT, OURS = "limit: least durable door with a sender", "ours"
RATE = 300.0


def contestants(form: Form) -> list[Contestant]:
    return [
        Contestant(LIMIT, lambda: measured(form, is_ours=False)),
        Contestant(OURS, lambda: measured(form, is_ours=True)),
    ]


def measured(form: Form, *, is_ours: bool) -> Found:
    with ours.folder() as folder, ours.meta() as meta:
        if is_ours:
            door = ours.serving(ours.environment(folder / "outbox.db", meta.url))
        else:
            door = ours.least_door("sending", folder, meta.url)
        with door as (process, port):
            plan = {"port": port, "events": str(ours.traffic_file(form)), "rate": RATE}
            until_arrived(meta, ours.all_answered(ours.load(**plan, seconds=0.5))["answered"])
            meta.set(forget=1)
            before = cpu_seconds(process.pid)
            found = ours.all_answered(ours.load(**plan, seconds=form.pick(3.0, 20.0)))
            until_arrived(meta, found["answered"])
            used, seen = cpu_seconds(process.pid) - before, meta.seen()
    delays = sorted(seen["delays_ms"]["1"])
    return {
        "us": used / found["answered"] * 1e6,
        "delay_p50_ms": percentile(delays, 0.5),
        "delay_p99_ms": percentile(delays, 0.99),
        "requests": float(seen["requests"]),
    }


def until_arrived(
    meta: ours.Meta, n: int, seconds: float = 60.0, counted: Callable[[Any], int] = lambda seen: seen["distinct"]
) -> None:
    ends_at = time.monotonic() + seconds
    while (arrived := counted(meta.seen())) < n:
        if time.monotonic() > ends_at:
            raise RuntimeError(f"{arrived} of {n} events arrived within {seconds:.0f} s")
        time.sleep(0.1)


PART = Part(
    name="end_to_end",
    title="end to end: 300 events a second, 100 ms at Meta",
    contestants=contestants,
    comparisons=(
        Comparison(label="CPU of one event from POST to Meta", of=(OURS, "us"), baseline=(LIMIT, "us")),
        Comparison(label="p50 of the way to Meta", of=(OURS, "delay_p50_ms"), baseline=None, unit="ms"),
        Comparison(label="p99 of the way to Meta", of=(OURS, "delay_p99_ms"), baseline=None, unit="ms"),
    ),
    watched=((LIMIT, "us"),),
)
