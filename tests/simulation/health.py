"""Since when all is well with the machine and with each dataset, as far as that can be seen from outside.

What is demanded depends on it: a good event of a well dataset on a well machine comes through in time, a confirmed
event on a well disk is not sent again. A dataset is judged by its calls alone. While no call meets Meta's bad mood, the
mood delays nobody; so a rule changed, a token that ended, or a mood that somebody adds later needs no word here.
"""

from tests.simulation.facts import Facts
from tests.simulation.machine import Machine
from tests.simulation.plan import ACTS
from tests.simulation.scheduler import MICRO, Scheduler
from tests.simulation.witness import Call

HARMLESS = ("replay", "replay_some", "erase", "erase_in_flight", "renew_token")
HARMFUL = tuple(f"operator: {act}" for act in ACTS if act not in HARMLESS)
"""Every other act of the operator may stop delivery for a while."""
SLOW = 2 * MICRO
"""From here on the product counts an answer as slow, and makes fewer calls."""
SHORT_PAUSE, LONG_PAUSE = 60 * MICRO, 1800 * MICRO
"""The longest pause of a dataset after trouble (a dead token: one look a minute), and after an answer whose headers ask
for one: at most 15 minutes, and as much again of jitter."""
MANY_REFUSALS = 32
"""In a row, with nothing taken between them: the dataset is "all refused", and its suspects rest."""


class AtMeta:
    """One dataset. Times are virtual microseconds."""

    def __init__(self) -> None:
        self.well_since = 0
        self.opens_by = 0
        """By then every pause is over that an earlier answer began."""
        self.refused_in_a_row = 0
        self.under_way: list[Call] = []

    @property
    def is_all_refused(self) -> bool:
        return self.refused_in_a_row >= MANY_REFUSALS


class Health:
    def __init__(self, world: Scheduler, machine: Machine, facts: Facts) -> None:
        self.world, self.machine, self.facts = world, machine, facts
        self._short_pause = max(SHORT_PAUSE, round((machine.plan.longest_pause or 0) * MICRO))
        self.datasets = {name: AtMeta() for name in machine.graph.datasets}
        self._acts = 0
        self._quiet_since = 0
        """No act of the operator, the disk well, the clock right."""
        self._up_since: dict[int, int] = {}
        """Of the processes that deliver, by their number."""

    # -- what is seen -------------------------------------------------------------------------------------------------

    def at_begin(self, call: Call) -> None:
        dataset = self.datasets[call.dataset]
        dataset.under_way = [other for other in dataset.under_way if other.is_under_way] + [call]

    def at_end(self, call: Call) -> None:
        dataset, now = self.datasets[call.dataset], self.world.now
        is_trouble = call.came_to == "trouble" or now - call.began_at > SLOW
        if call.was_refused and all(self._is_good(key) for key in call.keys):
            is_trouble = True  # a rule changed
        if is_trouble or call.pauses:
            dataset.opens_by = max(dataset.opens_by, now + (LONG_PAUSE if call.pauses else self._short_pause))
        if is_trouble:
            dataset.well_since = now
        if call.was_taken:
            if dataset.is_all_refused:
                self.world.mark("a dataset was all refused, until Meta took something")
                dataset.well_since = now
            dataset.refused_in_a_row = 0
        elif call.was_refused:
            dataset.refused_in_a_row += 1

    def _is_good(self, key: tuple[str, str, str]) -> bool:
        fact = self.facts.known.get(key)
        return fact is not None and not fact.is_broken

    def look(self) -> None:
        """From time to time."""
        now, acts, machine = self.world.now, self.acts(), self.machine
        if acts != self._acts or not self.disk_is_well() or machine.clock_offset or machine.is_in_work:
            self._acts, self._quiet_since = acts, now
        if machine.clock_offset:
            self.facts.clock_was_wrong = True
        up = [
            server.process.number
            for server in machine.servers[: machine.plan.workers]
            if server.service is not None and server.process.is_alive
        ]
        for dataset in self.datasets.values():
            if any(call.is_under_way and now - call.began_at > SLOW for call in dataset.under_way):
                dataset.well_since = now
        self._up_since = {number: self._up_since.get(number, now) for number in up}

    # -- what is asked ------------------------------------------------------------------------------------------------

    def acts(self) -> int:
        """How many acts of the operator there were that may stop delivery."""
        return sum(self.world.marks[act] for act in HARMFUL)

    def disk_is_well(self) -> bool:
        disk = self.machine.disk
        return not (
            disk.sync_fails
            or disk.write_fails
            or disk.read_fails
            or disk.filled
            or disk.bad
            or disk.sync_seconds > 0.01
        )

    def machine_since(self) -> int | None:
        """Since when at least one process delivers, on a good disk, under a right clock; None: not now."""
        if not self._up_since:
            return None
        return max(self._quiet_since, min(self._up_since.values()))
