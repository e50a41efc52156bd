"""1, 100 and 1,000 datasets in one outbox: what the number costs, and whether a bad neighbour is felt.

Throughput: the same backlog, spread over so many datasets, through `deliver --once`. Neighbours: events of all datasets
arrive at a steady rate through `serve`; then Meta hangs for ten datasets, which get a hundred events a second each; and
one dataset gets a flood as well. Shown of all the others are the p99 of the way to Meta, a few milliseconds in which
every wait for a thread or the disk is seen, and the p99 of the delay that an operator sees: from accepted to delivered,
with the 100 ms that Meta takes here. Both with the embedded outbox and with PostgreSQL, whose server is started here.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bench import ours
from bench.figures import percentile
from bench.machine import WORKS, output
from bench.part import Comparison, Contestant, Form, Found, Part
from bench.parts.deliver import ours_once, sent
from bench.parts.end_to_end import until_arrived
from conversion_relay.outbox import Overview, open_outbox
from conversion_relay.outbox.story import Search
from tests.outbox.postgres.server import Server, programs

HUNG, FLOODED = range(1, 11), 13
"""Ids of the bad neighbours."""
BAD = {*map(str, HUNG), str(FLOODED)}
CALM, HANGING, FLOODING = "neighbours: all is well", "neighbours: ten hang", "neighbours: ten hang, one floods"
PG = ", PostgreSQL"
RATE = 150.0


def spread(datasets: int) -> str:
    return f"backlog of {datasets:,} datasets" if datasets > 1 else "backlog of 1 dataset"


def counts(form: Form) -> tuple[int, int]:
    return (4, 20) if form.is_quick else (100, 1_000)


def contestants(form: Form) -> list[Contestant]:
    n = form.count(2_000, 200_000)
    several, many = counts(form)
    return [
        Contestant(spread(1), lambda: ours_once(form, n, 8)),
        Contestant(spread(100), lambda: ours_once(form, n, 8, several)),
        Contestant(spread(1_000), lambda: ours_once(form, n, 8, many)),
        Contestant(CALM, lambda: neighbours(form, many)),
        Contestant(HANGING, lambda: neighbours(form, many, hangs=True)),
        Contestant(FLOODING, lambda: neighbours(form, many, hangs=True, floods=True)),
        *([] if programs() is None else _in_postgres(form, n // 4, many)),
    ]


def _in_postgres(form: Form, n: int, many: int) -> list[Contestant]:
    return [
        Contestant(spread(1) + PG, lambda: postgres_once(form, n, 1)),
        Contestant(spread(1_000) + PG, lambda: postgres_once(form, n, many)),
        Contestant(CALM + PG, lambda: neighbours(form, many, postgres=True)),
        Contestant(FLOODING + PG, lambda: neighbours(form, many, hangs=True, floods=True, postgres=True)),
    ]


@contextlib.contextmanager
def store(folder: Path, postgres: bool) -> Iterator[Path | str]:
    if not postgres:
        yield folder / "outbox.db"
        return
    server = Server().start()
    try:
        yield server.url
    finally:
        server.remove()


def postgres_once(form: Form, n: int, datasets: int) -> Found:
    """A backlog in PostgreSQL leaves."""
    with ours.folder() as folder, ours.meta() as meta, store(folder, postgres=True) as outbox:
        rows, events = str(folder / "rows.db"), str(ours.traffic_file(form))
        output([ours.PYTHON, "-m", "bench.ours", "fill", events, str(n), str(outbox), rows, str(datasets)], WORKS)
        env = ours.environment(outbox, meta.url)
        if datasets > 1:
            env = ours.of_many_datasets(folder, datasets, outbox, meta.url)
        command = [ours.PYTHON, "-m", "conversion_relay.cli", "deliver", "--once"]
        return sent(command, n, meta, env)


def neighbours(form: Form, n: int, *, hangs: bool = False, floods: bool = False, postgres: bool = False) -> Found:
    """The way to Meta of the datasets that do nothing wrong."""
    with ours.folder() as folder, ours.meta() as meta, store(folder, postgres) as outbox:
        env = ours.of_many_datasets(folder, n, outbox, meta.url)
        with ours.serving(env) as (_, port):
            events = str(ours.traffic_file(form))
            plan: dict[str, Any] = {"port": port, "events": events, "datasets": n, "rate": RATE}
            found = ours.all_answered(ours.load(**plan, seconds=form.pick(0.3, 8.0)))
            until_arrived(meta, found["answered"])
            begun = time.time()
            meta.set(forget=1, hang=",".join(map(str, HUNG)) if hangs else "-")
            crowd = [threading.Thread(target=_hung, args=(form, port, events))] if hangs else []
            crowd += [threading.Thread(target=_flood, args=(form, port, events))] if floods else []
            for one in crowd:
                one.start()
            found = ours.all_answered(ours.load(**plan, seconds=form.pick(1.0, 30.0)))
            for one in crowd:
                one.join()
            expected = sum(
                found["requests"] // n + (key < found["requests"] % n) for key in range(n) if str(key + 1) not in BAD
            )
            until_arrived(meta, expected, counted=_of_good_ones)
            seen = meta.seen()["delays_ms"]
            delivered = delays_until_delivered(outbox, begun, expected)
    delays = sorted(one for dataset, several in seen.items() if dataset not in BAD for one in several)
    return {
        "p50_ms": percentile(delays, 0.5),
        "p99_ms": percentile(delays, 0.99),
        "delivered_p99_ms": percentile(delivered, 0.99),
        "datasets_seen": float(len(seen)),
    }


def delays_until_delivered(outbox: Path | str, since: float, n: int) -> list[float]:
    """Milliseconds from accepted to delivered of the `n` events that datasets which do nothing wrong got since then;
    rising. By the ledger, which is read until the last of them is settled."""
    url = outbox if isinstance(outbox, str) else f"sqlite:///{outbox}"
    ends_at = time.monotonic() + 60.0
    with contextlib.closing(open_outbox(url)) as store:
        assert isinstance(store, Overview)
        while len(delays := _delays_of_good_ones(store, since)) < n:
            if time.monotonic() > ends_at:
                raise RuntimeError(f"{len(delays)} of {n} events were delivered within a minute")
            time.sleep(0.1)
    return sorted(delays)


def _delays_of_good_ones(store: Overview, since: float) -> list[float]:
    delays: list[float] = []
    search: Search | None = Search(state="delivered", since=since, limit=1_000)
    while search is not None:
        found = store.search(search)
        delays += [
            1e3 * (story.settled_at - story.accepted_at)
            for story in found.stories
            if story.dataset not in BAD and story.settled_at is not None
        ]
        search = None if found.rest is None else msgspec.structs.replace(search, before=found.rest)
    return delays


def _of_good_ones(seen: Any) -> int:
    """Events of the bad ones may wait for long, and may arrive more than once."""
    return sum(count for dataset, count in seen["by_dataset"].items() if dataset not in BAD)


def _hung(form: Form, port: int, events: str) -> None:
    """A busy day of those that Meta does not answer."""
    plan = {"port": port, "events": events, "datasets": len(HUNG), "per_request": 50, "connections": 2}
    ours.load(**plan, rate=20.0, seconds=form.pick(0.8, 28.0))


def _flood(form: Form, port: int, events: str) -> None:
    """Ten times the rate of all others together, for one dataset."""
    plan = {"port": port, "events": events, "first_dataset": FLOODED - 1, "per_request": 100, "connections": 2}
    ours.load(**plan, rate=RATE / 10, seconds=form.pick(0.6, 25.0))


def _neighbour(label: str, name: str, store: str = "", figure: str = "p99_ms") -> Comparison:
    of, baseline = (name + store, figure), (CALM + store, figure)
    return Comparison(label=label + store, of=of, baseline=baseline, goal=2.0, least=2.0, only_full=True)


def _delivered(label: str, store: str = "") -> Comparison:
    return _neighbour(label, FLOODING, store, "delivered_p99_ms")


def _spread(datasets: int, goal: float | None = None, store: str = "") -> Comparison:
    return Comparison(
        label=f"events/s with {datasets:,} datasets, to that with 1{store}",
        of=(spread(datasets) + store, "per_second"),
        baseline=(spread(1) + store, "per_second"),
        goal=goal,
        least=goal,
        more_is_better=True,
        only_full=True,
    )


def _comparisons_in_postgres() -> list[Comparison]:
    return [
        _spread(1_000, 0.8, PG),
        _neighbour("the same, one is flooded", FLOODING, PG),
        _delivered("the same, until delivered", PG),
    ]


PART = Part(
    name="datasets",
    title="datasets: many in one outbox (the quick form has 4 and 20)",
    contestants=contestants,
    comparisons=(
        _spread(100),
        _spread(1_000, 0.8),
        _neighbour("others' p99 of the way to Meta while Meta hangs for ten", HANGING),
        _neighbour("the same, and another is flooded", FLOODING),
        _delivered("others' p99 until delivered, ten hang, another is flooded"),
        *([] if programs() is None else _comparisons_in_postgres()),
    ),
    watched=((spread(1), "per_second"), (CALM, "p50_ms")),
    full_rounds=3,
    shown=("per_second", "us", "requests", "p50_ms", "p99_ms", "delivered_p99_ms"),
    tidy=ours.forget_filled,
)
