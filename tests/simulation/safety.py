"""What may never happen at Meta's door, whatever goes wrong behind it. Asked at the beginning of each call.

    fenced      no event is in two calls at once, unless the process of the first call is dead
    once        what the outbox says is delivered is never sent again, unless its row is gone
    confirmed   what Meta confirmed to a process that went on, on a good disk, is never sent again either
    gone        what was taken back or erased is not sent after it, nor what nobody agreed to while that is asked for
    not late    a Purchase that Meta may have had for 48 hours is not sent again before a person said so
    not old     what Meta would refuse for its age is not sent

A lease lasts 60 s and is extended before a call that could outlast it; a call lasts 5 s. So no call is under way when
its lease is lost, unless its process stood still: then it may last OUTLASTS and more, and another may have the event.
"""

from collections.abc import Callable
from typing import NamedTuple

from tests.simulation.facts import Facts
from tests.simulation.health import Health
from tests.simulation.meta import WEEK, Key
from tests.simulation.scheduler import MICRO, START, Process, Scheduler
from tests.simulation.witness import Call

LATE = 48 * 3_600 * MICRO
"""Meta forgets an event id after that; the product stops ten minutes before."""
OUTLASTS = 10 * MICRO
"""Twice the deadline of a call."""
CLOCKS_APART = 2 * 3_600
"""Seconds. The product stops an hour before the week is over, by Meta's clock as it last heard of it."""
SETTLED = 2 * MICRO
"""On a good disk an answer is written down within this time."""


class Confirmed(NamedTuple):
    """Meta's word that it has an event, to whom, and how many acts of the operator there were by then."""

    at: int
    process: Process
    acts: int


class Safety:
    """`at_begin` and `at_end` belong to `Calls`. `has_ended`: whether the outbox was seen to call it delivered."""

    def __init__(self, world: Scheduler, facts: Facts, health: Health, has_ended: Callable[[Key], bool]) -> None:
        self.world, self.facts, self.health, self.has_ended = world, facts, health, has_ended
        self._under_way: dict[Key, Call] = {}
        self._confirmed: dict[Key, Confirmed] = {}
        self._maybe_since: dict[Key, int] = {}
        """Since when Meta may have an event without having said so."""
        self._holders: dict[Key, Process] = {}
        self._times_forgiven = 0

    def at_begin(self, call: Call) -> None:
        if self.facts.times_forgiven != self._times_forgiven:
            self._times_forgiven = self.facts.times_forgiven
            self._confirmed.clear()
        for key in call.keys:
            self._is_fenced(key, call)
            self._was_not_confirmed(key, call)
            self._is_not_gone(key)
            self._is_not_late(key)
            self._is_not_old(key)
            self._under_way[key] = call

    def at_end(self, call: Call) -> None:
        for key in call.keys:
            if self._under_way.get(key) is call:
                del self._under_way[key]
        now = self.world.now
        if call.was_taken:
            confirmed = Confirmed(now, call.process, self.health.acts()) if self.health.disk_is_well() else None
            for key in call.keys:
                self._maybe_since.pop(key, None)
                if confirmed:
                    self._confirmed[key] = confirmed
        elif call.came_to == "trouble":
            for key in call.keys:
                self.facts.in_doubt.setdefault(key, now)
                if key in self.facts.graph.taken:
                    self._maybe_since.setdefault(key, now)

    # -- the rules ----------------------------------------------------------------------------------------------------

    def _is_fenced(self, key: Key, call: Call) -> None:
        other = self._under_way.get(key)
        if other is not None and other.is_under_way and self.world.now - other.began_at < OUTLASTS:
            self.world.fail(f"{key} is in two calls at once, of {other.process.name} and {call.process.name}")
        if self._holders.setdefault(key, call.process) is not call.process:
            self.world.mark("an event had two holders, one after the other")
            self._holders[key] = call.process

    def _was_not_confirmed(self, key: Key, call: Call) -> None:
        if self.has_ended(key):
            self.world.fail(f"{key} is delivered in the outbox, and is sent again")
        if key not in self._confirmed:
            return
        confirmed = self._confirmed.pop(key)
        is_past = self.world.now - confirmed.at > SETTLED and confirmed.acts == self.health.acts()
        if confirmed.process.is_alive and is_past:
            names = f"{confirmed.process.name}, which lives, and is sent again by {call.process.name}"
            self.world.fail(f"{key} was confirmed to {names}")

    def _is_not_gone(self, key: Key) -> None:
        fact = self.facts.known.get(key)
        if fact is None:
            self.world.fail(f"{key} is sent, and nobody gave it to us")
        elif fact.gone_at is not None and fact.gone_at < self.world.now:
            late = (self.world.now - fact.gone_at) / MICRO
            self.world.fail(f"{key} is sent {late:.3f} s after it was taken back")
        elif fact.is_silent and (self.facts.withheld_from or self.world.now) < self.world.now:
            self.world.fail(f"{key} is sent, though its visitor did not agree")

    def _is_not_late(self, key: Key) -> None:
        since = self._maybe_since.get(key)
        if since is None or key[1] != "Purchase":
            return
        if self.world.now - since > LATE and not self.facts.clock_was_wrong:
            self.world.fail(f"{key} is sent again, though Meta may have had it for 48 hours and forgotten it")

    def _is_not_old(self, key: Key) -> None:
        """By any clock that may be right: Meta's is ahead or behind by some hours at most."""
        fact, graph = self.facts.known.get(key), self.facts.graph
        if fact is None or fact.is_stamped or self.facts.clock_was_wrong:
            return
        if fact.event_time < min(graph.now(), START + self.world.now / MICRO) - WEEK - CLOCKS_APART:
            self.world.fail(f"{key} is sent, and is more than a week old")
