"""Half an hour of full ingest beside delivery: memory and the write-ahead log stay flat.

The slope is taken by least squares after the first third. The quick form is too short for it: a page more or less is
10 MB a minute in the first seconds.
"""

import threading
from pathlib import Path

from bench import ours
from bench.figures import slope_per_minute
from bench.machine import memory_mb
from bench.part import Comparison, Contestant, Form, Found, Part
from bench.rounds import progress

OURS = "ours with the worker"
EVERY = 0.5


def contestants(form: Form) -> list[Contestant]:
    return [Contestant(OURS, lambda: measured(form))]


def measured(form: Form) -> Found:
    seconds = form.pick(6.0, 1_800.0)
    memory: list[tuple[float, float]] = []
    logs: list[float] = []
    with ours.folder() as folder, ours.meta() as meta:
        outbox = folder / "outbox.db"
        with ours.serving(ours.environment(outbox, meta.url)) as (process, port):
            done = threading.Event()

            def look() -> None:
                while not done.wait(EVERY):
                    memory.append((len(memory) * EVERY, memory_mb(process.pid)))
                    logs.append(_size_mb(outbox.with_name("outbox.db-wal")))
                    if len(memory) % 60 == 0:
                        progress(f"memory: {memory[-1][0]:.0f} of {seconds:.0f} s, {memory[-1][1]:.0f} MB")

            watcher = threading.Thread(target=look)
            watcher.start()
            try:
                found = ours.all_answered(ours.load(port=port, events=str(ours.traffic_file(form)), seconds=seconds))
            finally:
                done.set()
                watcher.join()
        delivered = meta.seen()["distinct"]
    return {
        "mb_per_minute": slope_per_minute(memory),
        "mb": memory[-1][1],
        "wal_mb": max(logs),
        "per_second": found["per_second"],
        "delivered": 100 * delivered / found["answered"],
    }


def _size_mb(path: Path) -> float:
    return path.stat().st_size / 1e6 if path.exists() else 0.0


PART = Part(
    name="memory",
    title="memory: full ingest beside delivery",
    contestants=contestants,
    comparisons=(
        Comparison(
            label="slope of resident memory",
            of=(OURS, "mb_per_minute"),
            baseline=None,
            goal=1.0,
            least=1.0,
            unit="MB/min",
            only_full=True,
        ),
        Comparison(label="largest write-ahead log", of=(OURS, "wal_mb"), baseline=None, goal=64, least=64, unit="MB"),
    ),
    watched=(),
    full_rounds=1,
    quick_rounds=1,
)
