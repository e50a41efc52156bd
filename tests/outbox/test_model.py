"""Each outbox against the model of `machine.py`. A file can suffer more: a full disk, a lock, a kill."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.sqlite import delivered
from conversion_relay.outbox.verdict import Delivered
from tests.outbox.backends import MemoryBackend, SqliteBackend, locked
from tests.outbox.expected import DAY
from tests.outbox.machine import DATASETS, PERSONS, OutboxMachine, runs

RUNS = runs()


class MemoryMachine(OutboxMachine):
    backend = MemoryBackend()


class SqliteMachine(OutboxMachine):
    backend = SqliteBackend()

    @rule(dataset=st.sampled_from(DATASETS), n=st.integers(0, 30), person=st.sampled_from(PERSONS))
    def put_on_a_full_disk(self, dataset: str, n: int, person: str) -> None:
        """Taken whole or refused whole; and what was stored before is settled as ever, once there is room."""
        event = self.sealed(dataset, f"e{n}", self.wall + DAY, person, padding=200_000)
        with self.backend.full_disk(self.place):
            try:
                self.outbox.put([event], self.wall)
            except OutboxUnavailable:
                return
        self.expected.add(event, person)

    @rule(token=OutboxMachine.leases)
    def settle_what_cannot_be_recorded(self, token: str) -> None:
        held = self.held[token]
        if not held.rest:
            return
        events = [event for event in held.lease.events if event.key in held.rest]
        with locked(self.place / "outbox.db"), pytest.raises(OutboxUnavailable):
            self.outbox.settle(held.lease, [(Delivered(), events)], None, self.wall)

    @rule()
    def the_process_is_killed(self) -> None:
        """The next one finds what was on the disk at that moment."""
        dead, self.place = self.place, Path(tempfile.mkdtemp())
        # Locked, or a checkpoint between the two copies would empty the log that the first one needs.
        with locked(dead / "outbox.db"):
            for file in self.backend.files(dead):
                shutil.copyfile(file, self.place / file.name)
        self.outbox.close()
        shutil.rmtree(dead)
        self.process += 1
        self.outbox = self.backend.open(self.place)


class ApartMachine(SqliteMachine):
    """Whatever is delivered lies apart in the file, and is written up later."""

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(delivered, "FEWEST", 1)
        self.patch.setattr(delivered, "APART", 0)
        super().begin()

    def teardown(self) -> None:
        super().teardown()
        self.patch.undo()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """A locked file is given up at once, so that a run of many steps takes seconds."""
    monkeypatch.setattr("conversion_relay.outbox.sqlite.group.BUSY_SECONDS", 0.05)


MemoryMachine.TestCase.settings = SqliteMachine.TestCase.settings = RUNS
ApartMachine.TestCase.settings = runs(2)
TestSqliteModel = SqliteMachine.TestCase
TestSqliteApartModel = ApartMachine.TestCase
TestMemoryModel = MemoryMachine.TestCase
