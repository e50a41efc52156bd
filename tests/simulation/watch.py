"""All that is checked while a world runs, in one place.

    at each call to Meta     safety, health of its dataset, thrift
    at each event it takes   fidelity
    at each write of SQLite  no person in it (disk.py)
    at each look             health of the machine, books, progress, thrift, work, size of the log

A look comes once a minute of virtual time, drawn from nothing and leaving nothing behind, so that a world with checks
has the history of one without.
"""

from tests.simulation.books import Books
from tests.simulation.facts import Facts
from tests.simulation.fidelity import Fidelity
from tests.simulation.files import Files
from tests.simulation.health import Health
from tests.simulation.machine import Machine
from tests.simulation.meta import Graph
from tests.simulation.progress import Progress
from tests.simulation.safety import Safety
from tests.simulation.scheduler import MICRO, Scheduler
from tests.simulation.thrift import Thrift
from tests.simulation.witness import Calls
from tests.simulation.work import Work

EVERY = 60 * MICRO


class Watch:
    def __init__(self, world: Scheduler, graph: Graph, machine: Machine, facts: Facts) -> None:
        self.world = world
        self.health = Health(world, machine, facts)
        self.books = Books(world, machine, facts)
        self.safety = Safety(world, facts, self.health, self.books.has_ended)
        self.progress = Progress(world, facts, self.health)
        self.thrift = Thrift(world, facts, self.health)
        self.work = Work(world, machine, facts, self.health)
        self.files = Files(world, machine, facts, self.health)
        self.calls = Calls(world, graph)
        graph.at_take = Fidelity(world, facts).at_take
        self.calls.at_begin += [self.safety.at_begin, self.health.at_begin, self.thrift.at_begin, self.work.at_begin]
        self.calls.at_end += [self.safety.at_end, self.health.at_end, self.thrift.at_end]
        machine.disk.canaries = graph.canaries
        self._looked_at = 0
        self._every = max(EVERY, round(machine.plan.poll_seconds * MICRO))

    def look(self) -> None:
        """Whoever waits calls this often; it looks once a minute, or as often as a worker does."""
        if self.world.now - self._looked_at < self._every:
            return
        self._looked_at = self.world.now
        for look in (
            self.health.look,
            self.books.look,
            self.progress.look,
            self.thrift.look,
            self.work.look,
            self.files.look,
        ):
            look()
