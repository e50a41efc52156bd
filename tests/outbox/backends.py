"""The stores that the suite and the model are run against, with the test's hooks on each."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from tests.outbox.memory import MemoryOutbox
from tests.outbox.memory_store import Store
from tests.outbox.suite import Backend


class Clock:
    """A clock that nobody sets, and that a test moves on."""

    def __init__(self) -> None:
        self.seconds = 5_000.0

    def __call__(self) -> float:
        return self.seconds


class SqliteBackend(Backend):
    clock = Clock()

    def open(self, place: Path) -> SqliteOutbox:
        return SqliteOutbox(str(place / "outbox.db"), boot_clock=self.clock)

    def pass_time(self, seconds: float) -> None:
        self.clock.seconds += seconds

    def files(self, place: Path) -> list[Path]:
        """What a killed process leaves behind, the database first."""
        return [file for suffix in ("", "-wal") if (file := place / f"outbox.db{suffix}").exists()]

    @contextlib.contextmanager
    def full_disk(self, outbox: SqliteOutbox) -> Iterator[None]:
        """The file cannot grow."""
        writer = outbox._database.writer
        ((pages,),) = writer.execute("PRAGMA page_count").fetchall()
        writer.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        try:
            yield
        finally:
            writer.execute("PRAGMA max_page_count = 1000000000").fetchall()


class MemoryBackend(Backend):
    clock = Clock()
    stores: ClassVar[dict[Path, Store]] = {}

    @pytest.fixture(autouse=True)
    def forget(self):
        """Another test may be given the same place."""
        self.stores.clear()

    def open(self, place: Path) -> MemoryOutbox:
        return MemoryOutbox(self.stores.setdefault(place, Store(self.clock)))

    def pass_time(self, seconds: float) -> None:
        self.clock.seconds += seconds
