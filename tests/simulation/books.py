"""What the outbox holds, looked at from outside while the world runs: its rows tell whether a rule was broken.

The file is read over SQLite's own VFS by a connection that lives for one look, between two steps of the scheduler. So
nobody waits for it, no fault meets it, and it draws nothing from chance. It looks only while a server is up: whoever
opens a file first recovers it, and that shall be the product. Nothing is read where nothing was written since the last
look.

    counted     the books are the sum of what is there: pending in the queue, leased in leases, ended as rows
    one place   what waits stands in exactly one place, the queue or one lease
    one row     an id has one row
    the end     what ended stays as it is, unless a person replays or erases it
    kept        what was acknowledged has a row, until long after it ended
    the truth   delivered: Meta has it. dead: Meta refused it by itself. expired: a week old at Meta, less an hour
"""

from array import array
from collections import Counter
from typing import Any

import apsw

from tests.simulation.facts import MARGIN, WEEK, Facts, replays
from tests.simulation.machine import Machine
from tests.simulation.meta import Key
from tests.simulation.scheduler import MICRO, START, Scheduler

Rows = list[tuple[Any, ...]]
MAY_FOLLOW = {
    "delivered": {"erased"},
    "dead": {"waiting", "delivered", "expired", "erased"},
    "expired": {"erased"},
    "erased": {"erased"},
}
"""States after each end. What was dead lives again by a replay only."""
EVERY = 300 * MICRO
"""Between two readings: one costs as much as ten virtual seconds of a world."""
A_COMMAND = 180 * MICRO
"""So long a replay that a person began may run."""
LEDGER = 8 * 86_400 * MICRO
"""So long the outbox remembers what has ended; a clock that was days ahead lets it forget early."""


class Books:
    def __init__(self, world: Scheduler, machine: Machine, facts: Facts) -> None:
        self.world, self.machine, self.facts = world, machine, facts
        self.ended: dict[Key, str] = {}
        """Events that were seen to have ended, with their state."""
        self._seen_writes = -1
        self._replays = self._times_forgiven = 0
        self._replayed_at = -A_COMMAND
        self._read_at = self._read_before = 0

    def has_ended(self, key: Key) -> bool:
        self._forget_what_was_lost()
        return self.ended.get(key) == "delivered"

    def _forget_what_was_lost(self) -> None:
        if self.facts.times_forgiven != self._times_forgiven:
            self._times_forgiven = self.facts.times_forgiven
            self.ended.clear()

    def look(self) -> None:
        """Reads what changed; nothing while no server is up, or while the file is damaged."""
        if replays(self.world) != self._replays:
            self._replays, self._replayed_at = replays(self.world), self.world.now
        self._forget_what_was_lost()
        if self.world.now - self._read_at < EVERY:
            return
        if not any(server.service is not None and server.process.is_alive for server in self.machine.servers):
            return
        if self.machine.disk.writes == self._seen_writes:
            return
        self._seen_writes = self.machine.disk.writes
        self._read_before, self._read_at = self._read_at, self.world.now
        read = self._read()
        if read is None:
            self.world.mark("the outbox could not be looked at")
            return
        rows, queue, leases, noted, tally = read
        self.world.mark("the outbox was looked at")
        self.judge(rows, queue, leases, noted, tally)

    def _read(self) -> tuple[Rows, Rows, Rows, Rows, Rows] | None:
        hooks, apsw.connection_hooks[:] = list(apsw.connection_hooks), []
        try:
            db = apsw.Connection(str(self.machine.outbox), flags=apsw.SQLITE_OPEN_READONLY, vfs="unix")
            try:
                db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                db.execute("BEGIN")
                return tuple(db.execute(sql).fetchall() for sql in _READ)  # type: ignore[return-value]
            finally:
                db.close(True)
        except apsw.Error:
            return None
        finally:
            apsw.connection_hooks[:] = hooks

    def judge(self, rows: Rows, queue: Rows, leases: Rows, noted: Rows, tally: Rows) -> None:
        """`rows`: key, dataset, event name, event id, state, event time. `queue`: key. `leases`, `noted`: packed keys,
        of leases and of batches that are delivered and not written up. `tally`: dataset, state, number."""
        places = Counter(key for (key,) in queue)
        leased, delivered = _unpacked(leases), _unpacked(noted)
        written_up = delivered.keys() - places.keys() - leased.keys()
        rows = [
            (*row[:4], "delivered", row[5]) if row[4] == "waiting" and row[0] in written_up else row for row in rows
        ]
        self._are_counted(rows, places + delivered, leased, tally)
        self._ended_as_it_should(rows)
        self._are_kept({row[1:4] for row in rows}, len(rows))

    # -- the rules ----------------------------------------------------------------------------------------------------

    def _are_counted(self, rows: Rows, places: Counter[int], leased: Counter[int], tally: Rows) -> None:
        is_there: Counter[tuple[str, str]] = Counter()
        for key, dataset, name, event_id, state, _ in rows:
            if state != "waiting":
                is_there[dataset, state] += 1
                continue
            stands_in = places[key] + leased[key]
            if stands_in != 1:
                where = f"{places[key]} times in the queue and in {leased[key]} leases"
                self.world.fail(f"{(dataset, name, event_id)} waits {where}")
            is_there[dataset, "leased" if leased[key] else "pending"] += 1
        books: dict[str, dict[str, int]] = {}
        for dataset, state, n in tally:
            books.setdefault(dataset, {})[state] = n
        for dataset, book in books.items():
            accepted = book.pop("accepted", 0)
            if accepted != sum(book.values()):
                self.world.fail(f"the books of {dataset} are off by {accepted - sum(book.values())}")
            for state in ("pending", "leased", *MAY_FOLLOW):
                n, told = is_there[dataset, state], book.get(state, 0)
                # What ended long ago is counted, and has no row any more.
                if n > told or (n < told and state in ("pending", "leased")):
                    self.world.fail(f"the books of {dataset} say {told} {state}, and there are {n}")

    def _ended_as_it_should(self, rows: Rows) -> None:
        world, graph = self.world, self.facts.graph
        for _, dataset, name, event_id, state, event_time in rows:
            key = dataset, name, event_id
            before = self.ended.get(key)
            if before == state or (before is None and state == "waiting"):
                continue
            if before is not None and not self._may_follow(before, state):
                world.fail(f"{key} was {before} and is {state}")
            if state == "waiting":
                world.mark("a person gave a dead event a new life")
                del self.ended[key]
                continue
            self.ended[key] = state
            world.mark(f"seen as {state}")
            if state == "delivered" and key not in graph.taken:
                world.fail(f"{key} is called delivered, and Meta does not have it")
            if state == "dead" and key not in graph.refused_alone and key not in graph.may_differ:
                world.fail(f"{key} is called dead, and Meta never refused it by itself")
            if state == "expired" and event_time + WEEK - MARGIN > START + world.now / MICRO + graph.most_ahead:
                world.fail(f"{key} is called expired, and is younger than a week")

    def _are_kept(self, found: set[Key], n_rows: int) -> None:
        world, facts = self.world, self.facts
        if len(found) != n_rows:
            world.fail(f"{n_rows - len(found)} ids have two rows")
        for key, fact in facts.known.items():
            if fact.acknowledged_at is None or key in found or fact.is_gone:
                continue
            is_old = fact.event_time < START + world.now / MICRO + MARGIN - WEEK
            is_done = is_old or key in facts.graph.taken or key in facts.graph.refused_alone
            was_long_ago = world.now - fact.acknowledged_at > LEDGER
            if not is_done or not (was_long_ago or facts.clock_was_wrong):
                world.fail(f"{key} was acknowledged, and the outbox does not have it")
            self.ended.pop(key, None)
            world.mark("the ledger dropped what had ended")

    def _may_follow(self, before: str, state: str) -> bool:
        was_replayed = self._replayed_at > self._read_before - A_COMMAND
        return state in MAY_FOLLOW[before] and (before != "dead" or state == "erased" or was_replayed)


def _unpacked(packed: Rows) -> Counter[int]:
    return Counter(key for (keys,) in packed for key in array("q", keys))


_EVENTS = "SELECT key, name, event_name, event_id, state, event_time FROM event JOIN dataset ON id = dataset"
_QUEUE = "SELECT key FROM queue"
_LEASES = "SELECT keys FROM lease"
_NOTED = "SELECT keys FROM delivered"
_TALLY = "SELECT name, state, n FROM tally JOIN dataset ON id = dataset"
_READ = (_EVENTS, _QUEUE, _LEASES, _NOTED, _TALLY)
