"""A transaction that somebody leaves open for ten minutes, at full throughput: what a claim costs at its end.

One server with two databases, since a snapshot keeps the deleted rows of its own database only. The same stream of
events is put, claimed and settled in both in turns, so whatever else the machine does slows both; in one of them
another session holds a snapshot from the first second to the last. The figures are those of the last tenth of the time.

    python -m bench.parts.held --seconds 60    (the part's full form takes 600)
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
import psycopg

from bench.depth import hold
from bench.figures import percentile
from bench.part import Comparison, Contestant, Form, Found, Part
from bench.postgres import SETTINGS, sealed
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Delivered
from tests.outbox.postgres.server import Server, programs

GROUP, MOST = 100, 1_000
"""Events of one put, and the most of one claim."""
TIDY_EVERY = 1.0
NAME = "a snapshot is held"
VERBS = ("put", "waiting", "claim", "settle", "tidy")
SHOWN = ("claim", "settle")


class Stream:
    """Of one outbox: its events, and how long each call took."""

    def __init__(self, url: str) -> None:
        self.outbox, self.n, self.tidied_at = PostgresOutbox(url), 0, 0.0
        self.took: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._event = msgspec.structs.replace(sealed(0), body=b"x" * 300)
        self._ids = self._event.event_id

    def turn(self, began: float) -> None:
        def timed(verb: str, call: Callable[[], Any]) -> Any:
            at = time.perf_counter()
            result = call()
            self.took[verb].append((at - began, (time.perf_counter() - at) * 1e3))
            return result

        now = time.time()
        events = [msgspec.structs.replace(self._event, event_id=f"{self._ids}{self.n + m}") for m in range(GROUP)]
        self.n += GROUP
        timed("put", lambda: self.outbox.put(events, now))
        timed("waiting", lambda: self.outbox.waiting(now))
        if lease := timed("claim", lambda: self.outbox.claim("1", MOST, 60, now)):
            timed("settle", lambda: self.outbox.settle(lease, [(Delivered(), lease.events)], None, now))
        if now > self.tidied_at + TIDY_EVERY:
            self.tidied_at = now
            timed("tidy", lambda: self.outbox.tidy(now))

    def of(self, verb: str, since: float, until: float) -> list[float]:
        return sorted(ms for at, ms in self.took[verb] if since <= at < until)


def measured(seconds: float, say: Callable[[str], None] = lambda _: None) -> Found:
    server = Server(settings=SETTINGS).start()
    try:
        server.execute("CREATE DATABASE calm")
        calm = Stream(server.url.replace("/postgres?", "/calm?"))
        beside = Stream(server.url)
        began = time.perf_counter()
        with hold(server):
            told = 0.0
            while (at := time.perf_counter() - began) < seconds:
                for stream in (calm, beside):
                    stream.turn(began)
                if at - told >= seconds / 10:
                    say(_line(calm, beside, told, at))
                    told = at
        found = {"events": float(beside.n), "dead": _dead(server)}
        for verb in VERBS:
            for name, stream in (("calm", calm), ("held", beside)):
                last = stream.of(verb, seconds * 0.9, seconds * 2) or stream.of(verb, 0.0, seconds * 2)
                found |= {f"{verb}_{name}_p{p}_ms": percentile(last, p / 100) for p in (50, 99)}
        for stream in (calm, beside):
            stream.outbox.close()
        return found
    finally:
        server.remove()


def _dead(server: Server) -> float:
    with psycopg.connect(server.conninfo) as connection:
        rows = connection.execute(b"SELECT pg_stat_get_dead_tuples('relay.queue'::regclass)").fetchall()
    return float(rows[0][0])


def _line(calm: Stream, beside: Stream, since: float, until: float) -> str:
    told = [f"{until:6.0f} s, {beside.n:,} events each; p50 and p99 with and without:"]
    for verb in VERBS:
        several = [stream.of(verb, since, until) for stream in (beside, calm)]
        told.append(
            f"{verb} "
            + ", ".join("/".join(f"{percentile(one, share):.1f}" for one in several) for share in (0.5, 0.99))
            + f" (max {max(several[0], default=0):.0f})"
        )
    return "  ".join(told)


def _comparison(verb: str, share: int, goal: float | None = None) -> Comparison:
    return Comparison(
        label=f"p{share} of a {verb} at the end, to that without the snapshot",
        of=(NAME, f"{verb}_held_p{share}_ms"),
        baseline=(NAME, f"{verb}_calm_p{share}_ms"),
        goal=goal,
        least=goal,
        only_full=True,
    )


def contestants(form: Form) -> list[Contestant]:
    missing = "" if programs() else "PostgreSQL is not installed"
    return [Contestant(NAME, lambda: measured(form.pick(2.0, 600.0)), missing)]


PART = Part(
    name="held",
    title="held: a snapshot is held for ten minutes (the quick form: 2 s), PostgreSQL",
    contestants=contestants,
    comparisons=(_comparison("claim", 99, 2.0), _comparison("claim", 50), _comparison("settle", 99)),
    watched=(),
    full_rounds=1,
    quick_rounds=1,
    shown=(
        "events",
        "dead",
        *(f"{verb}_{name}_p{p}_ms" for verb in SHOWN for name in ("calm", "held") for p in (50, 99)),
    ),
)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    print(measured(parser.parse_args().seconds, lambda line: print(line, flush=True)))
