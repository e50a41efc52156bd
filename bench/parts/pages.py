"""The pages of the dashboard over a ledger of five million events of thirty datasets, and what watching costs intake.

The ledger is made once by the outbox's own verbs (`bench/ledger.py`) and thrown away at the end. Each page is asked for
once after the server's start (first) and then several times (the median counts); the figure that is judged is that of
the slowest page. A search is a page, too: by state, by reason, by a beginning of an id, and for what nothing fits.

Watching: events come in at the highest rate while nobody and while one person looks at `tail` in a terminal.
"""

import contextlib
import re
import statistics
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import psycopg

from bench import ours
from bench.machine import LOADS, WORKS, Running, output
from bench.part import Comparison, Contestant, Form, Found, Part
from tests.outbox.postgres.server import CHEAP, Server, programs

SQLITE, POSTGRES = "pages, SQLite", "pages, PostgreSQL"
ALONE, WATCHED = "intake, nobody looks", "intake beside `tail`"
DATASETS = 30
PAGES = {
    "overview": "",
    "one dataset": "?dataset=7",
    "match keys": "/keys",
    "events": "/events",
    "dead": "/events?state=dead",
    "dead, by reason": "/events?state=dead&reason=nothing",
    "waiting": "/events?state=pending",
    "held": "/events?state=held",
    "delivered, an hour": "/events?state=delivered&since=3600",
    "nothing fits": "/events?reason=nothing&name=nothing",
    "order": "/events?q=4711",
    "beginning of an id": "/events?q=purchase",
    "dead letters": "/dead",
    "datasets": "/datasets",
    "changes": "/changes",
}


def contestants(form: Form) -> list[Contestant]:
    missing = "" if programs() else "PostgreSQL is not installed"
    return [
        Contestant(SQLITE, lambda: pages(form, postgres=False)),
        Contestant(POSTGRES, lambda: pages(form, postgres=True), missing),
        Contestant(ALONE, lambda: intake(form, watched=False)),
        Contestant(WATCHED, lambda: intake(form, watched=True)),
    ]


def pages(form: Form, *, postgres: bool) -> Found:
    """Milliseconds of each page."""
    with ours.folder() as folder, _store(folder, postgres) as outbox:
        url = outbox if isinstance(outbox, str) else f"sqlite:///{outbox}"
        output([ours.PYTHON, "-m", "bench.ledger", url, str(form.count(2_000, 5_000_000)), str(DATASETS)], WORKS)
        if isinstance(outbox, str):  # a week's autovacuum, of a ledger that was made in minutes
            with psycopg.connect(outbox, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        env = ours.of_many_datasets(folder, DATASETS, outbox, "http://127.0.0.1:9")
        with ours.serving(env, "--no-worker") as (_, port):
            base = f"http://127.0.0.1:{port}/dashboard"
            found, first = dict[str, float](), dict[str, float]()
            for name, path in {**PAGES, "one event": _one_event(base)}.items():
                times = [_milliseconds(base + path) for _ in range(form.count(2, 9))]
                first[name], found[name] = times[0], statistics.median(times[1:])
    return {**found, "slowest_ms": max(found.values()), "slowest_first_ms": max(first.values())}


@contextlib.contextmanager
def _store(folder: Path, postgres: bool) -> Iterator[Path | str]:
    if not postgres:
        yield folder / "outbox.db"
        return
    server = Server(settings={**CHEAP, "shared_buffers": "512MB"}).start()
    try:
        yield server.url
    finally:
        server.remove()


def _one_event(base: str) -> str:
    found = re.search(r'id=([^&"]*)', urllib.request.urlopen(f"{base}/events", timeout=60).read().decode())
    return "/life?" + urlencode({"id": found[1] if found else ""})


def _milliseconds(url: str) -> float:
    began = time.perf_counter()
    urllib.request.urlopen(url, timeout=60).read()
    return (time.perf_counter() - began) * 1e3


def intake(form: Form, *, watched: bool) -> Found:
    with ours.folder() as folder, ours.meta() as meta:
        env = ours.environment(folder / "outbox.db", meta.url)
        with ours.serving(env) as (_, port):
            plan = {"port": port, "events": str(ours.traffic_file(form)), "connections": 50}
            ours.all_answered(ours.load(**plan, seconds=form.pick(0.2, 1.0)))
            tail = Running([ours.PYTHON, "-m", "conversion_relay", "tail"], LOADS, env) if watched else None
            found = ours.all_answered(ours.load(**plan, seconds=form.pick(0.5, 15.0)))
            if tail:
                tail.end()
    return {"per_second": found["per_second"], "p99_ms": found["p99_ms"]}


def _slowest(label: str, name: str, figure: str, goal: float | None) -> Comparison:
    return Comparison(label=label, of=(name, figure), baseline=None, goal=goal, least=goal, unit="ms", only_full=True)


PART = Part(
    name="pages",
    title="pages: five million events of thirty datasets (the quick form has 5,000)",
    contestants=contestants,
    comparisons=(
        _slowest("the slowest page, SQLite", SQLITE, "slowest_ms", 300.0),
        _slowest("the slowest first look, SQLite", SQLITE, "slowest_first_ms", None),
        _slowest("the slowest page, PostgreSQL", POSTGRES, "slowest_ms", 300.0),
        _slowest("the slowest first look, PostgreSQL", POSTGRES, "slowest_first_ms", None),
        Comparison(
            label="events/s beside `tail`, to those without",
            of=(WATCHED, "per_second"),
            baseline=(ALONE, "per_second"),
            goal=0.95,
            least=0.9,
            more_is_better=True,
            only_full=True,
        ),
    ),
    watched=((ALONE, "per_second"),),
    full_rounds=3,
    shown=(*PAGES, "one event", "per_second"),
)
