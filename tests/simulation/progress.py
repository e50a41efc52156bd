"""Progress: while all is well, what is good comes through in time, whatever is refused, hung or parked beside it.

Asked all the time, of each event by itself. `Health` knows since when its dataset and the machine are well; whatever
was bad before ended then, and the clock of the promise begins:

    fresh    acknowledged while all is well: due within FRESH + 2 POLL + BESIDE for each unfinished event of its dataset
    backlog  acknowledged before: due within BACKLOG + BESIDE for each, from the moment on at which all is well

and never before the pauses that Meta's answers began are over (`AtMeta.opens_by`), nor before dead owners' leases are
(LEASE). Other datasets are in neither formula: none may delay another.

Where the numbers come from. FRESH: another process may have stored the event, and a worker looks every POLL seconds
(`Plan.poll_seconds`); a second look, and FRESH for its calls. BESIDE: suspects have one call of four while fresh events
wait; parting n of them takes at most 2 n calls; a well dataset answers within 0.3 s: 2 x 4/3 x 0.3. While everything is
refused, ten suspects are looked at in a minute: 6 s. BACKLOG: what Meta once found to lie in the future waits for half
an hour; whatever else an event waits for by itself is shorter.
"""

from tests.simulation.facts import Fact, Facts
from tests.simulation.health import Health
from tests.simulation.scheduler import MICRO, Scheduler

FRESH = 10 * MICRO
BACKLOG = 1_800 * MICRO
BESIDE, BESIDE_ALL_REFUSED = 800_000, 6 * MICRO
LEASE = 60 * MICRO
"""Also the least time between two looks at the machine's health, which may have missed a short fault's end."""


class Progress:
    def __init__(self, world: Scheduler, facts: Facts, health: Health) -> None:
        self.world, self.facts, self.health = world, facts, health
        poll = round(health.machine.plan.poll_seconds * MICRO)
        self._fresh, self._lease = FRESH + 2 * poll, max(LEASE, poll)
        self._beside: dict[str, int] = {}

    def look(self) -> None:
        for fact, due_at in self.overdue():
            late = (self.world.now - due_at) / MICRO
            self.world.fail(f"{fact.key} is overdue by {late:.0f} s: its dataset and the machine are well")

    def overdue(self) -> list[tuple[Fact, int]]:
        """Good events that Meta should have by now, and since when."""
        open_now = self.facts.open_events()
        self._count(open_now)
        machine_since, now = self.health.machine_since(), self.world.now
        if machine_since is None:
            return []
        found = []
        for fact in open_now:
            if fact.acknowledged_at is None or self.facts.may_be_held(fact) or not self.facts.is_owed(fact):
                continue
            due_at = self._due_at(fact, fact.acknowledged_at, machine_since)
            if due_at < now:
                found.append((fact, due_at))
        return found

    def _due_at(self, fact: Fact, acknowledged_at: int, machine_since: int) -> int:
        dataset = self.health.datasets[fact.key[0]]
        well_since = max(machine_since, dataset.well_since)
        beside = self._beside[fact.key[0]] * (BESIDE_ALL_REFUSED if dataset.is_all_refused else BESIDE)
        begins_at = max(acknowledged_at, well_since + self._lease, dataset.opens_by, fact.owed_from)
        is_fresh = acknowledged_at >= well_since + self._lease and not fact.owed_from
        if is_fresh:
            self.world.mark("a fresh event was owed at once")
        return begins_at + (self._fresh if is_fresh else BACKLOG) + beside

    def _count(self, open_now: list[Fact]) -> None:
        """Unfinished events of each dataset; as many as there were until none was left."""
        counts: dict[str, int] = {}
        for fact in open_now:
            counts[fact.key[0]] = counts.get(fact.key[0], 0) + (fact.acknowledged_at is not None)
        self._beside = {name: max(n, self._beside.get(name, 0) if n else 0) for name, n in counts.items()}
