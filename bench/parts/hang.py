"""Meta answers nothing for 30 s: whoever sends events must not notice.

The same server under the same load, once with a Meta that answers within 100 ms and once with one that hangs. Half of
the highest rate comes in an open loop, so that a stall is seen in every latency behind it.
"""

import threading

from bench import ours
from bench.figures import slope_per_minute
from bench.machine import cpu_seconds, memory_mb
from bench.part import Comparison, Contestant, Form, Found, Part

LIMIT, ANSWERS, HANGS = "limit: bare ASGI, 202 only", "ours, Meta answers", "ours, Meta hangs 30 s"
HANG_MS = 30_000


def contestants(form: Form) -> list[Contestant]:
    return [
        Contestant(LIMIT, lambda: bare(form)),
        Contestant(ANSWERS, lambda: measured(form, 100)),
        Contestant(HANGS, lambda: measured(form, HANG_MS)),
    ]


def bare(form: Form) -> Found:
    with ours.folder() as folder, ours.least_door("bare", folder) as (process, port):
        events = str(ours.traffic_file(form))
        ours.load(port=port, events=events, seconds=0.5)
        before = cpu_seconds(process.pid)
        found = ours.all_answered(ours.load(port=port, events=events, seconds=form.pick(1.0, 3.0)))
        return {"us": (cpu_seconds(process.pid) - before) / found["answered"] * 1e6}


def measured(form: Form, latency_ms: int) -> Found:
    with (
        ours.folder() as folder,
        ours.meta(latency_ms) as meta,
        ours.serving(ours.environment(folder / "outbox.db", meta.url)) as (process, port),
    ):
        events = str(ours.traffic_file(form))
        highest = ours.load(port=port, events=events, seconds=form.pick(1.0, 3.0))["per_second"]
        with Memory(process.pid) as memory:
            seconds = form.pick(3.0, 40.0)
            found = ours.load(port=port, events=events, seconds=seconds, rate=highest / 2)
        return {
            "answered": 100 * found["answered"] / found["requests"],
            "p50_ms": found["p50_ms"],
            "p99_ms": found["p99_ms"],
            "mb": memory.samples[-1][1],
            "mb_per_minute": slope_per_minute(memory.samples),
        }


class Memory:
    """Resident megabytes of a process, four times a second, while a block runs."""

    def __init__(self, pid: int) -> None:
        self.samples: list[tuple[float, float]] = [(0.0, memory_mb(pid))]
        self._pid, self._done = pid, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._done.wait(0.25):
            self.samples.append((len(self.samples) * 0.25, memory_mb(self._pid)))

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


PART = Part(
    name="hang",
    title="hang: half of the highest rate, open loop",
    contestants=contestants,
    comparisons=(
        Comparison(
            label="answered while Meta hangs",
            of=(HANGS, "answered"),
            baseline=None,
            goal=100,
            least=100,
            more_is_better=True,
            unit="%",
        ),
        Comparison(
            label="p99, to the p99 while Meta answers",
            of=(HANGS, "p99_ms"),
            baseline=(ANSWERS, "p99_ms"),
            goal=1.2,
            least=1.2,
        ),
        Comparison(
            label="memory, to that while Meta answers", of=(HANGS, "mb"), baseline=(ANSWERS, "mb"), goal=1.2, least=1.2
        ),
    ),
    watched=((LIMIT, "us"),),
    full_rounds=5,
)
