"""What the outbox's files may hold: only who still waits, and no more of the past than a log of bounded size.

    erased     when `erase` has returned, the person's digest stands neither in the file nor in its log
    delivered  when all is settled and closed, the digest of an event that Meta has stands in the file no more, unless
               the site sent it again by a clock that ran ahead, or another dataset has not got its copy: these wait.
               Of one in MOVED SQLite may have left a copy where other rows wait (outbox/sqlite/traces.py)
    small      on a good disk the log stays under MOST_LOG
    kept       where a damaged file was set aside, it stands beside the new one

What damaged files that were set aside hold is not looked at: the product says that it cannot reach them.
"""

from tests.simulation.facts import Fact, Facts
from tests.simulation.health import Health
from tests.simulation.machine import Machine
from tests.simulation.scheduler import Scheduler

MOST_LOG = 12 * 1_048_576
"""Four times the hundredth of the disk at which the log is copied into the file: a reader may hold that up."""

MOVED = 50
"""One of 300 was measured; few worlds have as many events."""

SET_ASIDE = "log: The outbox file was damaged; it was set aside, and what could be read of it goes on in a new one"


class Files:
    def __init__(self, world: Scheduler, machine: Machine, facts: Facts, health: Health) -> None:
        self.world, self.facts, self.health = world, facts, health
        self._file = machine.outbox
        self._log = self._file.with_name(f"{self._file.name}-wal")

    def look(self) -> None:
        if self.health.disk_is_well() and self._log.exists() and (size := self._log.stat().st_size) > MOST_LOG:
            self.world.fail(f"the log has {size} bytes")

    def at_erased(self, fact: Fact) -> None:
        for path in (self._file, self._log):
            if path.exists() and fact.digest.encode() in path.read_bytes():
                self.world.fail(f"{fact.key} was erased, and its person stands in {path.name}")

    def at_end(self) -> None:
        """After the last process has closed the file."""
        if self.world.marks[SET_ASIDE] and not list(self._file.parent.glob(f"{self._file.name}.damaged-*")):
            self.world.fail("a damaged file was set aside, and is gone")
        content, graph = self._file.read_bytes(), self.facts.graph
        kept = {fact.digest for key, fact in self.facts.known.items() if key not in graph.taken}
        left = [
            key
            for key, fact in self.facts.known.items()
            if key in graph.taken and key not in graph.refused_alone and fact.owed_from <= self.world.now
            and fact.digest not in kept and fact.digest.encode() in content
        ]  # fmt: skip
        if len(left) > len(self.facts.known) // MOVED:
            self.world.fail(f"{left[0]} was delivered, and its person stands in {self._file.name}")
