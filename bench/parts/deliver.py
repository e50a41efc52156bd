"""A backlog leaves: events a second and CPU, beside a loop that posts stored rows with as many calls in flight.

`conversion-relay deliver --once` from its start to its end, with every promise kept; Meta takes 100 ms. Both read the
same sealed bytes; the loop's own table is as durable, and it deletes what was counted.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from bench import ours
from bench.machine import Running, cpu_seconds, memory_mb, output
from bench.part import Comparison, Contestant, Form, Found, Part
from bench.peers import NODE, no_facebook, no_node, python

FLIGHTS = (4, 16)
NODE_SDK, PYTHON_SDK = "facebook-nodejs-business-sdk, 4", "facebook-business, one after the other"


def rows(calls: int) -> str:
    return f"limit: stored rows, {calls} in flight"


def own(calls: int) -> str:
    return f"ours, {calls} in flight"


def contestants(form: Form) -> list[Contestant]:
    n = form.count(8_000, 100_000)
    plain = "" if form.shape == "site" else "its functions take plain values only"
    found = []
    for calls in FLIGHTS:
        found.append(Contestant(rows(calls), lambda calls=calls: stored_rows(form, n, calls)))  # type: ignore[misc]
        found.append(Contestant(own(calls), lambda calls=calls: ours_once(form, n, calls)))  # type: ignore[misc]
    found.append(Contestant(NODE_SDK, lambda: node_sdk(form, n // 4), no_node() or plain))
    found.append(Contestant(PYTHON_SDK, lambda: python_sdk(form, n // 10), no_facebook() or plain))
    return found


def ours_once(form: Form, n: int, calls: int, datasets: int = 1) -> Found:
    outbox, _ = ours.filled(form, n, datasets)
    with ours.folder() as folder, ours.meta() as meta:
        copy = ours.copied(outbox, folder / "outbox.db")
        env = ours.environment(copy, meta.url)
        if datasets > 1:
            env = ours.of_many_datasets(folder, datasets, copy, meta.url)
        command = [ours.PYTHON, "-m", "conversion_relay.cli", "deliver", "--once"]
        return sent(command, n, meta, {**env, "RELAY_MOST_CALLS": str(calls)})


def stored_rows(form: Form, n: int, calls: int) -> Found:
    _, table = ours.filled(form, n)
    with ours.folder() as folder, ours.meta() as meta:
        copy = ours.copied(table, folder / "rows.db")
        return sent([ours.PYTHON, "-m", "bench.least.rows", str(copy), meta.url, str(calls)], n, meta, {})


def node_sdk(form: Form, n: int) -> Found:
    script: Path = NODE.parents[1] / "bench" / "peers" / "node.mjs"
    with ours.meta() as meta:
        return sent(["node", str(script), "post", str(ours.traffic_file(form)), str(n), meta.url, "4"], None, meta, {})


def python_sdk(form: Form, n: int) -> Found:
    script = [python(), "-m", "bench.peers.facebook"]
    with ours.folder() as folder, ours.meta() as meta:
        kept = str(folder / "kept.jsonl")
        output([*script, "accepted", str(ours.traffic_file(form)), kept])
        return sent([*script, "post", kept, str(n), meta.url], None, meta, {})


def sent(command: Sequence[str], n: int | None, meta: ours.Meta, env: dict[str, str]) -> Found:
    """Of a process that sends all and ends. `n` None: it sends some ids twice, and prints how many events it sent."""
    process = Running(command, 0, env)
    used, peak = [0.0], [0.0]

    def look(pid: int) -> None:
        used.append(cpu_seconds(pid))
        peak.append(memory_mb(pid, "VmHWM"))

    try:
        started = time.perf_counter()
        process.watch(look)
        took = time.perf_counter() - started
        if process.popen.returncode:
            raise RuntimeError(process.last_words())
        expected = n if n is not None else int(process.text())
    finally:
        process.end()
    seen = meta.seen()
    arrived = seen["distinct"] if n is not None else seen["events"]
    if arrived != expected:
        raise RuntimeError(f"{arrived} of {expected} events arrived")
    return {
        "per_second": expected / took,
        "us": max(used) / expected * 1e6,
        "requests": float(seen["requests"]),
        "bytes_an_event": seen["bytes"] / expected,
        "peak_mb": max(peak),
    }


def _rate(calls: int, goal: float, least: float) -> Comparison:
    return Comparison(
        label=f"events/s, {calls} in flight",
        of=(own(calls), "per_second"),
        baseline=(rows(calls), "per_second"),
        goal=goal,
        least=least,
        more_is_better=True,
    )


def _peer(name: str, label: str) -> Comparison:
    return Comparison(label=label, of=(name, "per_second"), baseline=(rows(4), "per_second"), more_is_better=True)


PART = Part(
    name="deliver",
    title="deliver: a backlog, 100 ms at Meta",
    contestants=contestants,
    comparisons=(
        _rate(4, 0.85, 0.7),
        _rate(16, 0.8, 0.6),
        Comparison(
            label="CPU of one event, 4 in flight", of=(own(4), "us"), baseline=(rows(4), "us"), goal=2.0, least=2.5
        ),
        Comparison(label="CPU of one event, 16 in flight", of=(own(16), "us"), baseline=(rows(16), "us")),
        _peer(NODE_SDK, "peer: Meta's Node SDK, 4 in flight, events/s"),
        _peer(PYTHON_SDK, "peer: Meta's Python SDK, events/s"),
    ),
    watched=tuple((rows(calls), "per_second") for calls in FLIGHTS),
    full_rounds=5,
    tidy=ours.forget_filled,
)
