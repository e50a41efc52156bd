"""One event a POST: CPU of a request, in a real server on a core of its own, beside a door that only says 202.

Every 202 of ours is fsynced. 50 connections send as fast as they are answered; cost is the server's CPU as /proc tells
it, so that a slow load generator would make the rate smaller and not the cost.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import ours
from bench.machine import Running, cpu_seconds, free_port, memory_mb, server
from bench.part import Comparison, Contestant, Form, Found, Part
from bench.peers import no_facebook, no_fastapi, python

LIMIT = "limit: bare ASGI, 202 only"
DURABLE = "least durable: decode, hash, fsync"
ALONE, WITH_WORKER = "ours --no-worker", "ours with the worker"
FASTAPI = "FastAPI + BackgroundTasks + facebook-business, in memory"


def contestants(form: Form) -> list[Contestant]:
    not_here = no_fastapi() or no_facebook() or ("" if form.shape == "site" else "its functions take plain values only")
    return [
        Contestant(LIMIT, lambda: measured(form, "bare")),
        Contestant(ALONE, lambda: measured(form, "--no-worker")),
        Contestant(WITH_WORKER, lambda: measured(form, "")),
        Contestant(DURABLE, lambda: measured(form, "durable")),
        Contestant(FASTAPI, lambda: measured(form, "fastapi"), not_here),
    ]


def measured(form: Form, door: str) -> Found:
    with ours.folder() as folder, ours.meta() as meta, _door(door, folder, meta.url) as (process, port):
        plan: dict[str, Any] = {"port": port, "events": str(ours.traffic_file(form)), "connections": 50}
        ours.load(**plan, seconds=form.pick(0.5, 2.0))
        before = cpu_seconds(process.pid)
        found = ours.all_answered(ours.load(**plan, seconds=form.pick(1.5, 6.0)))
        used = cpu_seconds(process.pid) - before
        return {
            "us": used / found["answered"] * 1e6,
            "per_second": found["per_second"],
            "p50_ms": found["p50_ms"],
            "p99_ms": found["p99_ms"],
            "peak_mb": memory_mb(process.pid, "VmHWM"),
        }


@contextmanager
def _door(door: str, folder: Path, meta: str) -> Iterator[tuple[Running, int]]:
    if door in {"bare", "durable", "sending"}:
        with ours.least_door(door, folder, meta) as found:
            yield found
    elif door == "fastapi":
        port = free_port()
        command = [python(), "-m", "uvicorn", "bench.peers.fastapi_app:app", "--port", str(port), "--no-access-log"]
        with server([*command, "--log-level", "error"], port, {"META_URL": meta}) as process:
            yield process, port
    else:
        with ours.serving(ours.environment(folder / "outbox.db", meta), *door.split()) as found:
            yield found


def _line(label: str, name: str, goal: float | None = None, least: float | None = None) -> Comparison:
    return Comparison(label=label, of=(name, "us"), baseline=(LIMIT, "us"), goal=goal, least=least)


PART = Part(
    name="ingest",
    title="ingest: one event a POST, 50 connections",
    contestants=contestants,
    comparisons=(
        _line("CPU of a request, fsynced, without worker", ALONE, 2.4, 3.2),
        _line("the same, the worker in the process", WITH_WORKER, 3.0, 4.0),
        _line("the least durable door", DURABLE),
        _line("peer: FastAPI + BackgroundTasks + SDK, in memory", FASTAPI),
    ),
    watched=((LIMIT, "us"),),
)
