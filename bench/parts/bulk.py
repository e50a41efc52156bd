"""A thousand events in one POST: what an event costs the server, beside what sealing it alone costs."""

import json

from bench import ours
from bench.machine import cpu_seconds, output
from bench.part import Comparison, Contestant, Form, Found, Part

ALONE, BULK = "limit: ours, sealing alone, cold", "ours --no-worker, 1,000 a POST"


def contestants(form: Form) -> list[Contestant]:
    return [Contestant(ALONE, lambda: sealing(form)), Contestant(BULK, lambda: measured(form))]


def sealing(form: Form) -> Found:
    events, n = _traffic(form)
    us = json.loads(output([ours.PYTHON, "-m", "bench.timed_seal", "ours", "cold", events, str(n)]))["us"]
    return {"us": us, "per_cpu_second": 1e6 / us}


def measured(form: Form) -> Found:
    """Each event comes for the first time here, too, but for some hundred that warm the server up."""
    events, n = _traffic(form)
    with (
        ours.folder() as folder,
        ours.serving(ours.environment(folder / "outbox.db", "http://127.0.0.1:9"), "--no-worker") as (process, port),
    ):
        ours.load(port=port, events=events, seconds=60, requests=500)
        before = cpu_seconds(process.pid)
        plan = {"port": port, "events": events, "connections": 2, "per_request": 1_000}
        found = ours.all_answered(ours.load(**plan, seconds=600, requests=n // 1_000))
        us = (cpu_seconds(process.pid) - before) / (1_000 * found["answered"]) * 1e6
        return {
            "us": us,
            "per_cpu_second": 1e6 / us,
            "per_second": 1_000 * found["per_second"],
            "p99_ms": found["p99_ms"],
        }


def _traffic(form: Form) -> tuple[str, int]:
    n = form.count(2_000, 30_000)
    return str(ours.traffic_file(form, 0 if form.is_quick else n + 1_000)), n


PART = Part(
    name="bulk",
    title="bulk: CPU us of one event, events a second",
    contestants=contestants,
    comparisons=(
        Comparison(
            label="events per CPU second, 1,000 a POST, to sealing alone",
            of=(BULK, "per_cpu_second"),
            baseline=(ALONE, "per_cpu_second"),
            goal=0.8,
            least=0.7,
            more_is_better=True,
        ),
    ),
    watched=((ALONE, "us"),),
    shown=("us", "per_cpu_second", "per_second", "p99_ms"),
)
