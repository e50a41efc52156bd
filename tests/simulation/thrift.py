"""Calls to Meta stay near the least: none is made in vain again and again, and none is made that another could replace.

    pauses   a process has a credit of calls to each dataset. A call that ends no event spends one; one that does earns
             EARNED; one for events that Meta has, of which nobody had heard, does neither. Each PACE seconds earn one,
             and there are never more than MOST. So a process that is told nothing new makes at most MOST calls, and
             one in PACE seconds from then on.
    kept     when Meta asked for a pause, that process calls again after it, or after a quarter of an hour.
    groups   while a dataset is well, and nothing is left from before, its calls are at most as many as groups of events
             came, and as parting the refused ones takes (PARTING for each), and FEW.

Where the numbers come from. After the n-th failure in a row delivery waits for 0 to 2^n s, from the fifth on for 15 s
on average, and 300 s for what is about one event: PACE is a third of the first. Where Meta answers one call in five,
four calls in vain stand between two others: EARNED. Finding one bad event among 1,000 takes 21 calls, most of them
refused: MOST holds two such searches, and PARTING is one (`delivery/isolation.py`, ADR 15). What a group of events is:
those that were made by one visit.
"""

from tests.simulation.facts import Facts
from tests.simulation.health import Health
from tests.simulation.scheduler import MICRO, Scheduler
from tests.simulation.witness import Call

PACE = 5 * MICRO
EARNED = 6
MOST = 42
PARTING = 21
FEW = 8
LONGEST_PAUSE = 900.0


class Credit:
    """Of one process with one dataset."""

    def __init__(self, now: int) -> None:
        self.calls, self.at = float(MOST), now

    def left_after(self, now: int, change: int) -> float:
        self.calls = min(float(MOST), self.calls + (now - self.at) / PACE) + change
        self.calls, self.at = min(float(MOST), self.calls), now
        return self.calls


class Phase:
    """Calls to one dataset while all is well."""

    def __init__(self, since: int) -> None:
        self.since, self.calls, self.bad = since, 0, 0
        self.groups: set[int] = set()
        self._is_parting = False

    def note(self, call: Call, made_at: list[int]) -> None:
        self.calls += 1
        self.groups.update(made_at)
        self._is_parting = call.came_to == "refused together" or (self._is_parting and not call.ended_one)
        self.bad += call.ended_one

    @property
    def most(self) -> int:
        return FEW + len(self.groups) + PARTING * (self.bad + self._is_parting)


class Thrift:
    def __init__(self, world: Scheduler, facts: Facts, health: Health) -> None:
        self.world, self.facts, self.health = world, facts, health
        self._credits: dict[tuple[int, str], Credit] = {}
        self._phases: dict[str, Phase] = {}
        self._closed: dict[tuple[int, str], tuple[int, int]] = {}
        """By process and dataset: when Meta asked for a pause, and when that is over."""

    def at_begin(self, call: Call) -> None:
        left = self._closed.get((call.process.number, call.dataset), (0, 0))[1] - self.world.now
        if left > MICRO:
            self.world.fail(
                f"{call.process.name} calls {call.dataset} {left / MICRO:.0f} s before Meta's pause is over"
            )

    def at_end(self, call: Call) -> None:
        world = self.world
        place = (call.process.number, call.dataset)
        if call.was_taken and call.began_at >= self._closed.get(place, (0, 0))[0]:
            self._closed.pop(place, None)
        elif call.asked_pause and call.came_to == "trouble":
            world.mark("a process was asked to pause")
            self._closed[place] = world.now, world.now + round(min(LONGEST_PAUSE, call.asked_pause) * MICRO)
        credit = self._credits.setdefault((call.process.number, call.dataset), Credit(world.now))
        is_useful = call.came_to == "delivered" or call.ended_one
        was_in_vain = not is_useful and call.came_to != "delivered again"
        left = credit.left_after(world.now, EARNED if is_useful else -1 if was_in_vain else 0)
        if left < MOST - EARNED:
            world.mark("a process called Meta in vain for a while")
        if left < 0:
            world.fail(f"{call.process.name} calls {call.dataset} again and again: the last one came to {call.came_to}")
        if phase := self._phases.get(call.dataset):
            phase.note(call, [self.facts.known[key].made_at for key in call.new if key in self.facts.known])

    def look(self) -> None:
        """A phase begins when a dataset is well and nothing is left from before; it ends when something is not well."""
        machine_since, now = self.health.machine_since(), self.world.now
        left = {fact.key[0] for fact in self.facts.open_events()}
        for name, dataset in self.health.datasets.items():
            since = now if machine_since is None else max(machine_since, dataset.well_since, dataset.opens_by)
            phase = self._phases.get(name)
            if since >= now or (phase and since != phase.since):
                self._phases.pop(name, None)
            elif phase is None and name not in left:
                self._phases[name] = Phase(since)
            elif phase:
                self._judge(name, phase)

    def _judge(self, name: str, phase: Phase) -> None:
        if phase.calls > FEW / 2:
            self.world.mark("calls to a well dataset were counted")
        if phase.calls > phase.most:
            self.world.fail(
                f"{phase.calls} calls to {name} while all was well: {len(phase.groups)} groups of events and"
                f" {phase.bad} bad ones need at most {phase.most}"
            )
