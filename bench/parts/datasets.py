"""1, 100 and 1,000 datasets in one outbox: what the number costs, and whether a bad neighbour is felt.

Throughput: the same backlog, spread over so many datasets, through `deliver --once`. Neighbours: events of all datasets
arrive at a steady rate through `serve`; then Meta hangs for one dataset; then one dataset gets a flood as well. The
figure is the p99 of the way to Meta of all the others.
"""

import threading
from typing import Any

from bench import ours
from bench.figures import percentile
from bench.part import Comparison, Contestant, Form, Found, Part
from bench.parts.deliver import ours_once
from bench.parts.end_to_end import until_arrived

HUNG, FLOODED = 7, 13
"""Ids of the two bad neighbours."""
BAD = {str(HUNG), str(FLOODED)}
CALM, HANGING, FLOODING = "neighbours: all is well", "neighbours: one hangs", "neighbours: one hangs, one floods"
RATE = 150.0


def spread(datasets: int) -> str:
    return f"backlog of {datasets:,} datasets" if datasets > 1 else "backlog of 1 dataset"


def counts(form: Form) -> tuple[int, int]:
    return (4, 20) if form.is_quick else (100, 1_000)


def contestants(form: Form) -> list[Contestant]:
    n = form.count(4_000, 200_000)
    several, many = counts(form)
    return [
        Contestant(spread(1), lambda: ours_once(form, n, 8)),
        Contestant(spread(100), lambda: ours_once(form, n, 8, several)),
        Contestant(spread(1_000), lambda: ours_once(form, n, 8, many)),
        Contestant(CALM, lambda: neighbours(form, many)),
        Contestant(HANGING, lambda: neighbours(form, many, hangs=True)),
        Contestant(FLOODING, lambda: neighbours(form, many, hangs=True, floods=True)),
    ]


def neighbours(form: Form, n: int, *, hangs: bool = False, floods: bool = False) -> Found:
    """The way to Meta of the datasets that do nothing wrong."""
    with ours.folder() as folder, ours.meta() as meta:
        env = ours.of_many_datasets(folder, n, folder / "outbox.db", meta.url)
        with ours.serving(env) as (_, port):
            events = str(ours.traffic_file(form))
            plan: dict[str, Any] = {"port": port, "events": events, "datasets": n, "rate": RATE}
            found = ours.all_answered(ours.load(**plan, seconds=form.pick(0.5, 8.0)))
            until_arrived(meta, found["answered"])
            meta.set(forget=1, hang=HUNG if hangs else "")
            flood = threading.Thread(target=_flood, args=(form, port, events))
            if floods:
                flood.start()
            found = ours.all_answered(ours.load(**plan, seconds=form.pick(2.5, 30.0)))
            if floods:
                flood.join()
            expected = sum(
                found["requests"] // n + (key < found["requests"] % n) for key in range(n) if str(key + 1) not in BAD
            )
            until_arrived(meta, expected, counted=_of_good_ones)
            seen = meta.seen()["delays_ms"]
    delays = sorted(one for dataset, several in seen.items() if dataset not in BAD for one in several)
    return {"p50_ms": percentile(delays, 0.5), "p99_ms": percentile(delays, 0.99), "datasets_seen": float(len(seen))}


def _of_good_ones(seen: Any) -> int:
    """Events of the bad ones may wait for long, and may arrive more than once."""
    return sum(count for dataset, count in seen["by_dataset"].items() if dataset not in BAD)


def _flood(form: Form, port: int, events: str) -> None:
    """Ten times the rate of all others together, for one dataset."""
    plan = {"port": port, "events": events, "first_dataset": FLOODED - 1, "per_request": 100, "connections": 2}
    ours.load(**plan, rate=RATE / 10, seconds=form.pick(1.5, 25.0))


def _neighbour(label: str, name: str) -> Comparison:
    return Comparison(label=label, of=(name, "p99_ms"), baseline=(CALM, "p99_ms"), goal=2.0, least=2.0, only_full=True)


def _spread(datasets: int, goal: float | None = None) -> Comparison:
    return Comparison(
        label=f"events/s with {datasets:,} datasets, to that with 1",
        of=(spread(datasets), "per_second"),
        baseline=(spread(1), "per_second"),
        goal=goal,
        least=goal,
        more_is_better=True,
        only_full=True,
    )


PART = Part(
    name="datasets",
    title="datasets: many in one outbox (the quick form has 4 and 20)",
    contestants=contestants,
    comparisons=(
        _spread(100),
        _spread(1_000, 0.8),
        _neighbour("others' p99 while Meta hangs for one", HANGING),
        _neighbour("the same, and another is flooded", FLOODING),
    ),
    watched=((spread(1), "per_second"), (CALM, "p50_ms")),
    full_rounds=3,
    shown=("per_second", "us", "requests", "p50_ms", "p99_ms"),
    tidy=ours.forget_filled,
)
