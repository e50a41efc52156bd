"""Plays one world from its seed, and says how it ended.

    faults    hours in which Meta has moods, operators act and disks fail; safety is checked all the time
    calm      everything is healed: processes run, Meta is healthy, clocks are right, tokens are good
    demands   what was promised is demanded: everything good arrives, fresh events at once, the books balance

`stage.py` has put the doubles in place before, since the product is imported here.
"""

import io
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from conversion_relay.cli import serve
from conversion_relay.collector import app
from conversion_relay.delivery import retry, worker
from tests.simulation.demands import Demands
from tests.simulation.ending import Ending, digest
from tests.simulation.facts import Facts
from tests.simulation.machine import Machine
from tests.simulation.meta import Graph
from tests.simulation.operators import Operator
from tests.simulation.people import Site
from tests.simulation.plan import Plan
from tests.simulation.scheduler import MICRO, Deadlock, Scheduler, begin
from tests.simulation.watch import Watch
from tests.simulation.witness import WatchedTransport

CALM_SECONDS = 2400.0
"""After the faults: the longest pause is 900 s, and a parked dataset is looked at once a quarter of an hour."""


class Log(io.TextIOBase):
    """What the processes write to stderr."""

    def __init__(self, world: Scheduler) -> None:
        self.world = world

    def write(self, text: str) -> int:
        if not self.world.task.process.is_alive:
            return len(text)
        if "canary" in text:
            self.world.fail(f"personal data in the log: {text[:200]}")
        try:
            line = json.loads(text)
        except ValueError:
            return len(text)
        message = line.get("message", "")
        if not message.startswith("Meta Conversions API") or line["level"] != "INFO":
            reason = line.get("reason", "")
            self.world.note(f"log {self.world.task.process.name}: {message} {reason}")
            self.world.mark(f"log: {message}")
            if message.startswith(("Failed", "Error", "Events")):
                self.world.mark(f"reason: {reason}")
            if "exception" in line:
                self.world.fail(f"a traceback in the log: {line['exception'][-600:]}")
        return len(text)


class World:
    def __init__(self, plan: Plan, files: Any) -> None:
        self.world = begin(plan.seed)
        self.plan = plan
        self.graph = Graph(self.world, plan)
        self.graph.canaries = (b"canary", b"example.org")
        WatchedTransport.graph = self.graph
        self.folder = Path(tempfile.mkdtemp(prefix="simulation-", dir="/dev/shm"))
        self.machine = Machine(self.folder, self.graph, plan)
        files.disks[:] = [self.machine.disk]
        self.facts = Facts(self.world, self.graph)
        self.sites = [Site(self.world, self.machine, self.facts, site) for site in plan.sites]
        self.operator = Operator(self.world, self.machine, self.facts, plan)
        self.watch = Watch(self.world, self.graph, self.machine, self.facts)
        self.operator.at_erased = self.watch.files.at_erased
        WatchedTransport.calls = self.watch.calls
        self.is_over = False

    def play(self) -> Ending:
        before, sys.stderr = sys.stderr, Log(self.world)  # type: ignore[assignment]
        why = None
        try:
            self.world.spawn(self._story, "world")
            self.world.run(lambda: self.is_over)
        except Deadlock as error:
            why = f"deadlock: {error}"
        except BaseException as error:
            why = f"{type(error).__name__}: {error}"
        finally:
            sys.stderr = before
        calls = sum(self.graph.calls.values())
        hours = self.world.now / MICRO / 3600
        self._end()
        return Ending(
            seed=self.plan.seed,
            why=why,
            virtual_hours=round(hours, 3),
            history=self.world.history,
            digest=digest(self.world.history),
            marks=dict(sorted(self.world.marks.items())),
            events=len(self.facts.known),
            calls=calls,
        )

    def _end(self) -> None:
        sys.stderr, kept = io.StringIO(), sys.stderr
        # All of them, or a greenlet that is collected later would run its last lines in another world.
        self.world.kill(self.world.outside)
        for process in self.world.processes:
            if process.is_alive:
                self.world.kill(process)
        sys.stderr = kept
        begin(0)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _story(self) -> None:
        world = self.world
        self.machine.settle_environment()
        self.machine.write_settings()
        self.machine.start()
        for site in self.sites:
            world.spawn(site.live, "site")
            world.spawn(lambda name=site.dataset: self.graph.changes_its_mood(name), "moods")
        world.spawn(self.operator.live, "operator")
        ends_at = world.now + round(self.plan.hours * 3600 * MICRO)
        while world.now < ends_at:
            world.sleep(60)
            self.watch.look()
        self._calm()
        Demands(self).make()
        self.is_over = True

    def _calm(self) -> None:
        world = self.world
        self.operator.is_done = True
        for site in self.sites:
            site.is_closed = True
        self.graph.calm_down()
        self.machine.disk.heal()
        self.machine.set_clock(0)
        self.machine.write_settings()
        world.note("calm")
        world.sleep(300)  # what an operator or a visitor had begun ends
        self.operator.supervise()
        ends_at = world.now + round(CALM_SECONDS * MICRO)
        while world.now < ends_at and self.facts.missing():
            world.sleep(10)
            self.watch.look()
        if missing := self.facts.missing():
            world.fail(f"{len(missing)} good events did not arrive within {CALM_SECONDS:.0f} s, first {missing[0].key}")


def play(plan: Plan, files: Any) -> Ending:
    serve.GraphTransport = WatchedTransport  # type: ignore[misc, assignment]
    serve.spare_memory = lambda: None
    # The routes that only show something are not played, and building them takes longer than a virtual hour.
    app._rest = lambda *_: None  # type: ignore[assignment]
    # An idle second costs as much as a busy one; what is put in another process may wait a little longer.
    worker.POLL_SECONDS = worker.HOUSE_SECONDS = plan.poll_seconds
    retry.LONGEST_OUTAGE_DELAY = plan.longest_pause or 30.0
    retry.PROBE_EVERY = plan.longest_pause or 60.0
    before = os.times()
    ending = World(plan, files).play()
    after = os.times()
    spent = after.user + after.system - before.user - before.system
    return msgspec.structs.replace(ending, core_seconds=round(spent, 3))
