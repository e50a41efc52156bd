"""Histories that somebody made up, each of which breaks one rule; the checks must say so.

`python -m tests.simulation.broken_histories` plays all of them and prints, as JSON, what each check said. It is for
`test_properties.py`, which cannot do this in its own process, since the doubles take the place of threads for good.
"""

import json
import os
from array import array
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import apsw

from conversion_relay.http_client import Response
from conversion_relay.meta.graph import Unreachable
from tests.simulation import stage
from tests.simulation.plan import Plan, SitePlan
from tests.simulation.scheduler import MICRO, START, Broken, begin

PLAN = Plan(seed=1, hours=0.1, sites=(SitePlan("100", 1, 0.0), SitePlan("101", 1, 0.0)), servers=1, workers=1)
KEY = ("100", "Purchase", "100-1")
OK = Response(200, {}, b'{"events_received": 1}')
LOST = Unreachable("timeout", sent=True)
REFUSED = Response(400, {}, b'{"error": {"code": 100, "error_subcode": 2804008}}')
MINUTE, HOUR = 60 * MICRO, 3_600 * MICRO


class Stand:
    """A world in which nothing runs: a well machine with one server that does nothing, and two datasets."""

    def __init__(self) -> None:
        self.of = stage.run.World(PLAN, stage._files)
        self.world, self.watch, self.facts, self.graph = self.of.world, self.of.watch, self.of.facts, self.of.graph
        self.process, self.other = self.world.process("serve 0"), self.world.process("serve 1")
        self.service: object = SimpleNamespace()
        self.of.machine.servers = [SimpleNamespace(process=self.process, service=self.service)]
        self.watch.health.look()

    def pass_time(self, microseconds: int) -> None:
        self.world.now += microseconds

    def event(self, key: tuple[str, str, str] = KEY, *, is_broken: bool = False) -> Any:
        fact = self.facts.new(key, is_broken=is_broken, event_time=START)
        fact.acknowledged_at = self.world.now
        return fact

    def begin_call(self, *keys: tuple[str, str, str], by: Any = None) -> Any:
        outside, self.world.task = self.world.task, SimpleNamespace(process=by or self.process)  # type: ignore[assignment]
        try:
            return self.watch.calls.begin(keys[0][0], list(keys))
        finally:
            self.world.task = outside

    def call(self, *keys: tuple[str, str, str], answer: Any = OK, by: Any = None) -> None:
        """One that takes a tenth of a second."""
        call = self.begin_call(*keys, by=by)
        self.pass_time(MICRO // 10)
        if answer is OK or answer is LOST:
            self.graph.taken.update(dict.fromkeys(keys, 0.0))
        self.watch.calls.end(call, answer)

    def judge(self, *, rows: Any = (), queue: Any = (), leases: Any = (), noted: Any = (), tally: Any = ()) -> None:
        packed, batches = ([(array("q", keys).tobytes(),) for keys in all_keys] for all_keys in (leases, noted))
        told = [(1, *KEY, row, START) for row in rows]
        self.watch.books.judge(told, [(key,) for key in queue], packed, batches, list(tally))

    def look(self, minutes: int = 1) -> None:
        for _ in range(minutes):
            self.pass_time(MINUTE)
            self.watch.look()


def two_holders(stand: Stand) -> None:
    stand.event()
    stand.begin_call(KEY)
    stand.begin_call(KEY, by=stand.other)


def delivered_and_sent(stand: Stand) -> None:
    stand.event()
    stand.graph.taken[KEY] = 0.0
    stand.judge(rows=["delivered"], tally=[("100", "accepted", 1), ("100", "delivered", 1)])
    stand.begin_call(KEY)


def confirmed_and_sent(stand: Stand) -> None:
    stand.event()
    stand.call(KEY)
    stand.pass_time(MINUTE)
    stand.begin_call(KEY)


def taken_back_and_sent(stand: Stand) -> None:
    stand.event().taken_back_at = stand.world.now
    stand.pass_time(MICRO)
    stand.begin_call(KEY)


def nobody_gave_it(stand: Stand) -> None:
    stand.begin_call(KEY)


def another_person(stand: Stand) -> None:
    _take_another(stand, em=["0" * 64])


def another_body(stand: Stand) -> None:
    _take_another(stand, content_category="gift")


def another_time(stand: Stand) -> None:
    _take_another(stand, event_time=START + 3_600)


def _take_another(stand: Stand, **other: Any) -> None:
    fact = stand.event()
    fact.digest, fact.template = "1" * 64, "good"
    stand.graph.at_take(
        KEY,
        {
            "event_time": other.get("event_time", START),
            "user_data": {"em": other.get("em", [fact.digest])},
            "custom_data": {"content_category": other.get("content_category", "good")},
        },
    )


def late_purchase(stand: Stand) -> None:
    stand.event()
    stand.call(KEY, answer=LOST)
    stand.pass_time(49 * HOUR)
    stand.begin_call(KEY)


def in_two_places(stand: Stand) -> None:
    stand.judge(rows=["waiting"], queue=[1], leases=[[1]], tally=[("100", "accepted", 1), ("100", "pending", 1)])


def in_no_place(stand: Stand) -> None:
    stand.judge(rows=["waiting"], tally=[("100", "accepted", 1), ("100", "pending", 1)])


def miscounted(stand: Stand) -> None:
    stand.judge(rows=["waiting"], queue=[1], tally=[("100", "accepted", 2), ("100", "pending", 1)])


def counted_as_another(stand: Stand) -> None:
    stand.judge(rows=["waiting"], queue=[1], tally=[("100", "accepted", 1), ("100", "leased", 1)])


def alive_again(stand: Stand) -> None:
    stand.graph.refused_alone.add(KEY)
    stand.judge(rows=["dead"], tally=[("100", "accepted", 1), ("100", "dead", 1)])
    stand.pass_time(HOUR)
    stand.watch.books.look()
    stand.judge(rows=["waiting"], queue=[1], tally=[("100", "accepted", 1), ("100", "pending", 1)])


def lost(stand: Stand) -> None:
    stand.event()
    stand.judge()


def two_rows(stand: Stand) -> None:
    stand.judge(rows=["waiting", "waiting"], queue=[1], tally=[("100", "accepted", 2), ("100", "pending", 2)])


def not_delivered(stand: Stand) -> None:
    stand.judge(rows=["delivered"], tally=[("100", "accepted", 1), ("100", "delivered", 1)])


def not_refused(stand: Stand) -> None:
    stand.judge(rows=["dead"], tally=[("100", "accepted", 1), ("100", "dead", 1)])


def not_old(stand: Stand) -> None:
    stand.judge(rows=["expired"], tally=[("100", "accepted", 1), ("100", "expired", 1)])


def fresh_waits(stand: Stand) -> None:
    """Another dataset is in trouble all the time, which is no excuse."""
    stand.event(("101", "Lead", "101-1"))
    stand.look(3)
    stand.event()
    for _ in range(3):
        stand.call(("101", "Lead", "101-1"), answer=Unreachable("connect", sent=False))
        stand.look()


def backlog_waits(stand: Stand) -> None:
    stand.event()
    stand.call(KEY, answer=Unreachable("connect", sent=False))
    stand.look(40)


def no_pause(stand: Stand) -> None:
    stand.event()
    for _ in range(60):
        stand.call(KEY, answer=Unreachable("connect", sent=False))


def refused_for_ever(stand: Stand) -> None:
    stand.event(is_broken=True)
    for _ in range(60):
        stand.call(KEY, answer=REFUSED)


def one_by_one(stand: Stand) -> None:
    """A hundred events of one visit, each in a call of its own."""
    stand.look(40)
    keys = [("100", "Lead", f"100-{n}") for n in range(100)]
    for key in keys:
        stand.event(key)
    for key in keys:
        stand.call(key)
    stand.look(3)


def spins(stand: Stand) -> None:
    stand.look(2)
    stand.world.steps += 5_000
    stand.look()


def writes_for_nothing(stand: Stand) -> None:
    stand.look(2)
    stand.of.machine.disk.writes += 5_000
    stand.look()


def keeps_events(stand: Stand) -> None:
    stand.look()
    stand.service.memory = [f"event {n}" for n in range(10_000)]  # type: ignore[attr-defined]
    stand.watch.work.weigh_after_the_calm()


def a_person_on_the_disk(stand: Stand) -> None:
    stand.of.machine.disk.sync_seconds = 0
    db = apsw.Connection(str(stand.of.folder / "other.db"))
    db.execute("CREATE TABLE t (x); INSERT INTO t VALUES ('canary.1@example.org')")
    db.close()


def an_erased_person(stand: Stand) -> None:
    fact = stand.event()
    fact.digest = "1" * 64
    stand.of.machine.outbox.with_name("outbox.db-wal").write_text(f"..{fact.digest}..")
    stand.watch.files.at_erased(fact)


def a_delivered_person(stand: Stand) -> None:
    fact = stand.event()
    fact.digest = "1" * 64
    stand.call(KEY)
    stand.of.machine.outbox.write_text(f"..{fact.digest}..")
    stand.watch.files.at_end()


def a_log_without_end(stand: Stand) -> None:
    stand.of.machine.outbox.with_name("outbox.db-wal").write_bytes(bytes(13 * 1_048_576))
    stand.of.machine.disk.sync_seconds = 0
    stand.look()


def a_loop_in_no_time(stand: Stand) -> None:
    def spin() -> None:
        while True:
            stand.world.yield_()

    stand.world.spawn(spin, "a loop", stand.process)
    stand.world.run(lambda: False)


HISTORIES: tuple[Callable[[Stand], None], ...] = (
    two_holders, delivered_and_sent, confirmed_and_sent, taken_back_and_sent, nobody_gave_it, late_purchase,
    another_person, another_body, another_time,
    in_two_places, in_no_place, miscounted, counted_as_another, alive_again, lost, two_rows, not_delivered, not_refused,
    not_old, fresh_waits, backlog_waits, no_pause, refused_for_ever, one_by_one, spins, writes_for_nothing,
    keeps_events, a_person_on_the_disk, an_erased_person, a_delivered_person, a_log_without_end, a_loop_in_no_time,
)  # fmt: skip


def what_breaks(history: Callable[[Stand], None]) -> str:
    """What the first check said; empty where none found anything."""
    stand = Stand()
    try:
        history(stand)
    except Broken as error:
        return str(error)
    finally:
        stand.of.machine.servers = []
        begin(0)
    return str(stand.world.failure or "")


if __name__ == "__main__":
    print(json.dumps({history.__name__: what_breaks(history) for history in HISTORIES}), flush=True)
    os._exit(0)
