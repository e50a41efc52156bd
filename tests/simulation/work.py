"""Work and memory are bounded: a loop that spins is found, and so is a memory that grows with the events that passed.

    steps   between two looks, tasks are switched to at most STEPS times a minute for each server, and PER_THING for
            each call and event there was, and each that waits for its time: an idle server costs a few looks and wakes
    writes  nor is the disk written to more often than that
    memory  after the calm, a service keeps no more than KEPT bytes for each dataset beside what one kept that had just
            started, KEPT_EVENT for each event, and KEPT_SHAPE for each that was refused with others or alone: shapes,
            samples and windows are bounded, and all else is let go

What never ends within one moment of virtual time is found by the scheduler itself (`MOST_STEPS_AT_ONCE`).

Where the numbers come from. Measured over 40 worlds: 31 steps and 61 writes in an idle minute of one server; 65 steps
and 81 writes for a call. The bounds are some ten times the first and twice the second. A service of 12 kB grew by up
to 85 kB, most of it shapes of refused events; where 422 of one dataset had been refused, by 173.
"""

import gc
import sys
import types

from conversion_relay.delivery.isolation import MOST_SHAPES
from tests.simulation.facts import Facts
from tests.simulation.health import Health
from tests.simulation.machine import Machine
from tests.simulation.scheduler import MICRO, Scheduler
from tests.simulation.witness import Call

STEPS = WRITES = 400
PER_THING = 200
KEPT, KEPT_EVENT, KEPT_SHAPE = 80_000, 20, 500


class Work:
    def __init__(self, world: Scheduler, machine: Machine, facts: Facts, health: Health) -> None:
        self.world, self.machine, self.facts, self.health = world, machine, facts, health
        self._things = 0
        self._last = (0, 0, 0, 0, 0)
        self._was_well, self._is_there = True, False
        self._kept_at_first: int | None = None

    def at_begin(self, _: Call) -> None:
        self._things += 1

    def look(self) -> None:
        """A minute or so after the last look."""
        if self._kept_at_first is None:
            self._kept_at_first = self._weigh()
        self._things += sum(fact.owed_from > self.world.now for fact in self.facts.open_events())
        now = (self.world.now, self.world.steps, self.machine.disk.writes, self._things + self.world.given)
        passed, steps, writes, things = (a - b for a, b in zip(now, self._last, strict=False))
        acts, before = self.health.acts(), self._last[4]
        self._last = *now, acts
        # While its file is away a process looks for it once a second.
        was_there, self._is_there = self._is_there, self.machine.outbox.exists()
        was_well, self._was_well = self._was_well, self.health.disk_is_well() and self._is_there >= was_there
        if acts != before or not (was_well and self._was_well) or self.machine.is_in_work:
            return
        share = len(self.machine.servers) * max(1.0, passed / (60 * MICRO))
        for what, n, most in (("steps", steps, STEPS), ("writes", writes, WRITES)):
            if n > most * share + PER_THING * things:
                self.world.fail(
                    f"{n} {what} in {passed / MICRO:.0f} s, with {things} calls and events: something spins"
                )

    def weigh_after_the_calm(self) -> None:
        if self._kept_at_first is None or (kept := self._weigh()) is None:
            return
        more = kept - self._kept_at_first
        shapes = min(len(self.facts.graph.refused_together), MOST_SHAPES)
        most = KEPT * len(self.health.datasets) + KEPT_EVENT * len(self.facts.known) + KEPT_SHAPE * shapes
        self.world.mark("a service was weighed")
        if more > most:
            self.world.fail(
                f"a service keeps {more} bytes more than at its start, after {len(self.facts.known)} events"
            )

    def _weigh(self) -> int | None:
        server = self.machine.servers[0]
        return kept(server.service) if server.service is not None and server.process.is_alive else None


def kept(root: object) -> int:
    """Bytes of what an object holds, and what that holds, and so on; without code, and without the world's own."""
    seen: set[int] = set()
    waiting, total = [root], 0
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, _CODE) or type(thing).__module__.startswith("tests."):
            continue
        seen.add(id(thing))
        total += sys.getsizeof(thing)
        waiting += gc.get_referents(thing)
    return total


_CODE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.FrameType)
