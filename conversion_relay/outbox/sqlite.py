"""The embedded outbox: one SQLite file, fsynced before anybody is told "accepted".

WAL with synchronous=FULL: in simulated power cuts NORMAL lost every acknowledged event, FULL none. What makes FULL
quick is group commit: one thread owns the writing connection and puts everything that waits for it into one
transaction, so a hundred requests share one fsync. SQLite comes with APSW because releases up to 3.51.2 can corrupt a
WAL written by two connections (https://sqlite.org/wal.html#walresetbug) and Python's own is older.
"""

import os
import queue
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import apsw

from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox import Attempt, Counts, Lease, Settlement, Story
from conversion_relay.outbox import sqlite_rows as rows
from conversion_relay.outbox.owner import Owner

SCHEMA_VERSION = 1
BUSY_MILLISECONDS = 2_000
LEDGER_SECONDS = 8 * 86_400
"""A duplicate is known this long after its twin was settled: longer than Meta's own 48 h and any webhook's retries."""
GROUP = 512
"""Jobs in one transaction at most, so that the first of them is not kept waiting for the last."""
Result = TypeVar("Result")
Work = Callable[[apsw.Connection], Any]


class SqliteOutbox:
    """Safe to use from several threads and several processes of one machine."""

    survives_restart = True
    shared_between_machines = False

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._wakers: list[Callable[[], None]] = []
        self._jobs: queue.SimpleQueue[tuple[Work, Future[Any]] | None] = queue.SimpleQueue()
        self._reading = threading.Lock()
        self._writer = _connect(self._path)
        self._reader = _connect(self._path, writer=False)
        self._owner = Owner(self._path)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True, name="outbox-writer")
        self._thread.start()

    # -- putting ---------------------------------------------------------------------------------------------------

    def put(self, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
        return self.put_soon(events, now).result()

    def put_soon(self, events: Sequence[SealedEvent], now: float) -> "Future[list[Receipt]]":
        future = self._submit(lambda db: rows.insert(db, events, now))
        future.add_done_callback(self._tell)
        return future

    def _tell(self, put: "Future[list[Receipt]]") -> None:
        if put.exception() is None and not all(receipt.duplicate for receipt in put.result()):
            for wake in self._wakers:
                wake()

    def on_put(self, wake: Callable[[], None]) -> None:
        self._wakers.append(wake)

    # -- leasing ---------------------------------------------------------------------------------------------------

    def claim(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        token, until = secrets.token_hex(8), now + lease_seconds

        def work(db: apsw.Connection) -> Lease | None:
            events = rows.claim(db, token, self._owner.name, until, dataset, now, limit)
            return Lease(token=token, dataset=dataset, until=until, events=events) if events else None

        return self._submit(work).result()

    def extend(self, lease: Lease, lease_seconds: float, now: float) -> Lease:
        until = now + lease_seconds

        self._submit(lambda db: rows.extend(db, lease, until)).result()
        return Lease(token=lease.token, dataset=lease.dataset, until=until, events=lease.events)

    def settle(self, lease: Lease, settlements: Sequence[Settlement], attempt: Attempt | None, now: float) -> None:
        self._submit(lambda db: rows.settle(db, lease, settlements, attempt, now)).result()

    def waiting(self, now: float) -> dict[str, float]:
        self._submit(lambda db: self._take_back_from_the_dead(db, now)).result()
        return {dataset: due for dataset, due in self._read(rows.WAITING) if due is not None}

    def _take_back_from_the_dead(self, db: apsw.Connection, now: float) -> None:
        """A process that is gone freed its lock, so nobody will settle what it leased."""
        rows.take_back(db, "leased_until <= ?", now)
        for (owner,) in rows.read(db, "SELECT DISTINCT owner FROM event WHERE state = 'leased'"):
            if owner != self._owner.name and self._owner.is_gone(owner):
                rows.take_back(db, "owner = ?", owner)

    # -- looking ---------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, Counts]:
        books: dict[str, dict[str, Any]] = {}
        for dataset, state, n in self._read("SELECT dataset, state, n FROM tally"):
            books.setdefault(dataset, {})[state] = n
        for dataset, accepted_at, expires_at in self._read(rows.AGES):
            books[dataset] |= {"oldest_pending_at": accepted_at, "nearest_expiry_at": expires_at}
        return {dataset: Counts(**book) for dataset, book in sorted(books.items())}

    def find(self, event_id: str) -> list[Story]:
        return self._stories("WHERE event_id = ?", (event_id,))

    def dead(self, limit: int = 100) -> list[Story]:
        return self._stories("WHERE state = 'dead' ORDER BY settled_at DESC LIMIT ?", (limit,))

    def recent(self, limit: int = 50) -> list[Story]:
        """The newest events, for the dashboard."""
        return self._stories("ORDER BY key DESC LIMIT ?", (limit,))

    def _stories(self, where: str, values: tuple[Any, ...]) -> list[Story]:
        found = self._read(f"SELECT {rows.STORY} FROM event {where}", values)
        return [rows.story(row, self._read(rows.HISTORY, (row[0], row[-1]))) for row in found]

    # -- the operator's hand ---------------------------------------------------------------------------------------

    def replay(self, now: float, event_ids: Sequence[str] | None = None) -> int:
        return self._submit(lambda db: rows.replay(db, now, event_ids)).result()

    def erase(self, digests: Sequence[str], now: float) -> int:
        return self._submit(lambda db: rows.erase(db, digests, now)).result()

    def prune(self, now: float) -> int:
        return self._submit(lambda db: rows.prune(db, now - LEDGER_SECONDS)).result()

    def probe(self) -> None:
        # Rewriting the header is a real write and a real fsync, and changes nothing.
        self._submit(lambda db: db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")).result()

    def close(self) -> None:
        """What was submitted is committed first; leased events are free for others at once."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._jobs.put(None)
        self._thread.join()
        with self._reading:
            self._reader.close()
        self._owner.release()

    # -- one writer ------------------------------------------------------------------------------------------------

    def _submit(self, work: Callable[[apsw.Connection], Result]) -> "Future[Result]":
        future: Future[Result] = Future()
        if self._closed.is_set():
            future.set_exception(OutboxUnavailable("the outbox is closed"))
        else:
            self._jobs.put((work, future))
        return future

    def _write(self) -> None:
        """The writer thread: everything that waits goes into one transaction and one fsync."""
        open_for_work = True
        while open_for_work:
            group = [self._jobs.get()]
            while len(group) < GROUP and not self._jobs.empty():
                group.append(self._jobs.get())
            open_for_work = None not in group
            # From here on a caller cannot take its job back; one that went away before is not carried out.
            jobs = [job for job in group if job is not None and job[1].set_running_or_notify_cancel()]
            if jobs:
                self._commit(jobs)
        while not self._jobs.empty():
            if (job := self._jobs.get()) and job[1].set_running_or_notify_cancel():
                job[1].set_exception(OutboxUnavailable("the outbox is closed"))
        self._writer.close()

    def _commit(self, jobs: list[tuple[Work, "Future[Any]"]]) -> None:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            results = [self._attempt(work) for work, _ in jobs]
            self._writer.execute("COMMIT")
        except apsw.Error as error:
            self._roll_back()
            for _, future in jobs:
                future.set_exception(OutboxUnavailable(type(error).__name__))
            return
        for (_, future), (result, failure) in zip(jobs, results, strict=True):
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(result)

    def _attempt(self, work: Work) -> tuple[Any, Exception | None]:
        """One job inside the shared transaction; its own failure takes back only what it did."""
        self._writer.execute("SAVEPOINT job")
        try:
            result = work(self._writer)
        except apsw.Error:
            raise
        except Exception as error:
            self._writer.execute("ROLLBACK TO job; RELEASE job")
            return None, error
        self._writer.execute("RELEASE job")
        return result, None

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def _read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if self._closed.is_set():
            raise OutboxUnavailable("the outbox is closed")
        try:
            with self._reading:
                return self._reader.execute(sql, values).fetchall()
        except apsw.Error as error:
            raise OutboxUnavailable(type(error).__name__) from None


def _connect(path: Path, *, writer: bool = True) -> apsw.Connection:
    """Created readable by its owner alone. Raises SettingsError that says what is wrong with the place."""
    try:
        if writer:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        db.set_busy_timeout(BUSY_MILLISECONDS)
        if writer:
            # fetchall: APSW runs a text of several statements only as far as its rows are read.
            db.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON").fetchall()
            _migrate(db)
        else:
            # Only the writer checkpoints: two connections that do are what the WAL-reset bug needed.
            db.execute("PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0").fetchall()
    except OSError as error:
        raise SettingsError(f"RELAY_OUTBOX: {path.name} cannot be opened for writing: {error.strerror}") from None
    except apsw.Error as error:
        raise SettingsError(f"RELAY_OUTBOX: {path.name} is not usable as an outbox: {error}") from None
    return db


def _migrate(db: apsw.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]  # type: ignore[index]
        if version == 0:
            schema = resources.files("conversion_relay.outbox").joinpath("schema_sqlite.sql").read_text("utf-8")
            db.execute(f"{schema}; PRAGMA user_version = {SCHEMA_VERSION}")
        elif version != SCHEMA_VERSION:
            raise SettingsError(f"RELAY_OUTBOX: the file is of schema {version}, this version reads {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
