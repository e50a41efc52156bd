"""The stores that the suite and the model are run against, with the test's hooks on each."""

import contextlib
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import apsw
import pytest

from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from tests.outbox.memory import MemoryOutbox
from tests.outbox.memory_store import Store
from tests.outbox.suite import Backend
from tests.processes import until

OPENED: "weakref.WeakKeyDictionary[apsw.Connection, str]" = weakref.WeakKeyDictionary()
apsw.connection_hooks.append(lambda db: OPENED.update({db: db.filename}))


def connections(path: Path) -> list[apsw.Connection]:
    """Those that this process opened to this file, whoever did it."""
    return [db for db, name in list(OPENED.items()) if name == str(path)]


def set_most_pages(db: apsw.Connection, pages: str) -> None:
    """Waits while the outbox uses this connection; one that it closed needs nothing."""

    def is_set() -> bool:
        with contextlib.suppress(apsw.ConnectionClosedError):
            try:
                db.execute(f"PRAGMA max_page_count = {pages}").fetchall()
            except apsw.ThreadingViolationError:
                return False
        return True

    until(is_set, every=0.001)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else is writing to this file."""
    other = apsw.Connection(str(path))
    other.set_busy_timeout(5_000)  # a commit just made may still be checkpointing
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


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
    def full_disk(self, place: Path) -> Iterator[None]:
        """The file cannot grow."""
        opened = connections(place / "outbox.db")
        for db in opened:
            set_most_pages(db, "1")  # SQLite takes the number of pages that there are
        try:
            yield
        finally:
            for db in opened:
                set_most_pages(db, "1000000000")


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
