"""A claim of a thousand events, when ten thousand, a million and ten million wait: its time must not grow.

The files are filled once and kept until the part is done (ten million take 7 GB and up to half an hour). Each round
claims from all three in turn, and gives back what it claimed.
"""

import json
import shutil
import sys
import time
from pathlib import Path

from bench import ours
from bench.figures import percentile
from bench.load import sealed_event
from bench.machine import output
from bench.part import Comparison, Contestant, Form, Found, Part
from bench.rounds import FOLDER, progress, sources

BATCH = 1_000
QUICK_SIZES, FULL_SIZES = (2_000, 10_000, 20_000), (10_000, 1_000_000, 10_000_000)
NAMES = ("few wait (10 k)", "many wait (1 M)", "very many wait (10 M)")


def contestants(form: Form) -> list[Contestant]:
    sizes = QUICK_SIZES if form.is_quick else FULL_SIZES
    return [
        Contestant(name, lambda size=size: measured(form, size))  # type: ignore[misc]
        for name, size in zip(NAMES, sizes, strict=True)
    ]


def measured(form: Form, size: int) -> Found:
    path = FOLDER / "work" / f"claim-{sources()}-{size}" / "outbox.db"
    if not path.exists():
        progress(f"claim: filling a file with {size:,} events")
        output([ours.PYTHON, "-m", "bench.parts.claim", "fill", str(path), str(size)])
    return dict(
        json.loads(output([ours.PYTHON, "-m", "bench.parts.claim", "time", str(path), str(form.count(30, 200))]))
    )


def fill(path: Path, size: int) -> None:
    """Elsewhere until it is whole, so that half a file is never taken for one."""
    from conversion_relay.outbox.sqlite.outbox import SqliteOutbox

    part = path.parent.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    outbox, now = SqliteOutbox(str(part / path.name)), time.time()
    for first in range(0, size, BATCH):
        outbox.put([sealed_event(n, now) for n in range(first, min(size, first + BATCH))], now)
    outbox.close()
    part.rename(path.parent)


def times(path: Path, claims: int) -> dict[str, float]:
    from conversion_relay.outbox.sqlite.outbox import SqliteOutbox

    outbox, took = SqliteOutbox(str(path)), []
    for number in range(claims + 5):
        started = time.perf_counter()
        lease = outbox.claim("1", BATCH, 60, time.time())
        if number >= 5:
            took.append((time.perf_counter() - started) * 1e3)
        assert lease is not None and len(lease.events) == BATCH
        outbox.release(lease)
    outbox.close()
    took.sort()
    return {"p50_ms": percentile(took, 0.5), "p99_ms": percentile(took, 0.99)}


def forget_files() -> None:
    for path in (FOLDER / "work").glob("claim-*"):
        shutil.rmtree(path)


PART = Part(
    name="claim",
    title="claim: 1,000 events of a backlog (the quick form has 2 k, 10 k and 20 k)",
    contestants=contestants,
    comparisons=(
        Comparison(
            label="p99 with 10 M waiting, to that with 10 k",
            of=(NAMES[2], "p99_ms"),
            baseline=(NAMES[0], "p99_ms"),
            goal=2.0,
            least=2.0,
            only_full=True,
        ),
        Comparison(
            label="p99 with 1 M waiting, to that with 10 k",
            of=(NAMES[1], "p99_ms"),
            baseline=(NAMES[0], "p99_ms"),
            only_full=True,
        ),
        Comparison(
            label="p50 with 10 M waiting, to that with 10 k",
            of=(NAMES[2], "p50_ms"),
            baseline=(NAMES[0], "p50_ms"),
            only_full=True,
        ),
    ),
    watched=((NAMES[0], "p50_ms"),),
    full_rounds=5,
    tidy=forget_files,
)


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        print(json.dumps(times(Path(sys.argv[2]), int(sys.argv[3]))))
