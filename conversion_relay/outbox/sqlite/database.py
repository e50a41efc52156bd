"""One SQLite file kept usable: a thread that writes in groups, a connection that reads, and no trust after trouble.

When the file cannot be trusted any more (a failed fsync, damage, another file in its place) nothing is promised until
it was opened anew; the writing thread sees to that, while callers hear OutboxUnavailable at once.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import apsw

from conversion_relay.errors import LeaseLost, OutboxUnavailable, SettingsError
from conversion_relay.outbox.sqlite.books import read
from conversion_relay.outbox.sqlite.disk import Room
from conversion_relay.outbox.sqlite.file import (
    DAMAGE,
    PAGE,
    SCHEMA_VERSION,
    Damaged,
    Identity,
    Unusable,
    alone,
    explain,
    open_file,
    rescue,
)
from conversion_relay.outbox.sqlite.salvage import is_ours, salvage
from conversion_relay.telemetry import logger

BUSY_SECONDS = 2.0
"""A caller waits at most this long for a file that another process holds locked."""
REOPEN_EVERY = 0.5
GROUP = 512
"""Jobs in one transaction at most, so that the first of them is not kept waiting for the last."""
SHORT_OF_SPACE = "the disk is nearly full; nothing new is accepted until there is room, what is stored is delivered"
Result = TypeVar("Result")
Work = Callable[[apsw.Connection], Result]


class _Job(NamedTuple):
    work: Work[Any]
    future: "Future[Any]"
    adds: bool
    """It makes the file larger, so it is what a full disk refuses first."""
    since: float


class Database:
    """Safe to use from several threads, and on one machine from several processes."""

    def __init__(self, path: Path) -> None:
        """Raises Unusable, Damaged, SettingsError or OSError for a file that cannot be used from the start."""
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._reading = threading.Lock()
        self._trouble: str | None = None
        self._is_damaged = False
        self._empties_log = False
        self._open()
        self._room = Room(path)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True, name="outbox-writer")
        self._thread.start()

    def submit(self, work: Work[Result], *, adds: bool = False) -> "Future[Result]":
        """`work` is done in the writing thread; the future is done after the commit and its fsync."""
        future: Future[Result] = Future()
        if self._closed.is_set():
            future.set_exception(OutboxUnavailable("the outbox is closed"))
        elif self._trouble:
            future.set_exception(OutboxUnavailable(self._trouble))
        else:
            self._jobs.put(_Job(work, future, adds, time.monotonic()))
        return future

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if self._closed.is_set():
            raise OutboxUnavailable("the outbox is closed")
        try:
            with self._reading:
                return self.reader.execute(sql, values).fetchall()
        except apsw.Error as error:
            if isinstance(error, DAMAGE):
                self.submit(partial(_raise, error))  # the writer opens the file anew
            raise OutboxUnavailable(explain(self._path, error)) from None

    def probe(self) -> None:
        """Returns after a real commit that changed nothing; raises OutboxUnavailable when there is none to be had."""
        # Rewriting the header is a real write and a real fsync.
        self.submit(lambda db: db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}"), adds=True).result()

    def empty_log(self) -> None:
        """What was overwritten still stands in the write-ahead log; after this it does not."""
        self._empties_log = True
        self.probe()

    def lay_ballast(self) -> None:
        self._room.lay()

    def close(self) -> bool:
        """What was submitted is committed first. Whether it was open."""
        if self._closed.is_set():
            return False
        self._closed.set()
        self._jobs.put(None)
        self._thread.join()
        return True

    # -- the thread that writes ----------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Everything that waits goes into one transaction and one fsync."""
        open_for_work = True
        while open_for_work:
            group = [self._jobs.get()]
            while len(group) < GROUP and not self._jobs.empty():
                group.append(self._jobs.get())
            open_for_work = None not in group
            # From here on a caller cannot take its job back; one that went away before is not carried out.
            jobs = [job for job in group if job is not None and job.future.set_running_or_notify_cancel()]
            try:
                self._commit(jobs)
                if self._empties_log:
                    self._empties_log = not self._checkpoint()
            except Exception as error:
                self._give_up(error, jobs)
            if self._trouble:
                self._open_again()
        self._refuse_waiting("the outbox is closed")
        self._close_connections()

    def _commit(self, jobs: list[_Job]) -> None:
        """Every job gets its answer here: after the commit, or with the reason why there was none."""
        if self._room.is_short(self._free_inside):
            jobs = _refuse_additions(jobs)
        try:
            self._transaction(jobs)
        except apsw.FullError:
            self._roll_back()
            self._commit_on_a_full_disk(_refuse_additions(jobs))
        except apsw.BusyError as error:
            self._roll_back()
            _refuse(jobs, explain(self._path, error))

    def _commit_on_a_full_disk(self, jobs: list[_Job]) -> None:
        """What only settles may use the ballast, and the log's place, one after the other: else full stays full."""
        self._room.release()
        for job in jobs:
            self._checkpoint()
            try:
                self._transaction([job])
            except (apsw.FullError, apsw.BusyError) as error:
                self._roll_back()
                _refuse([job], explain(self._path, error))

    def _transaction(self, jobs: list[_Job]) -> None:
        if not jobs:
            return
        waited = time.monotonic() - jobs[0].since
        self.writer.set_busy_timeout(int(1000 * max(0.05, BUSY_SECONDS - waited)))
        self.writer.execute("BEGIN IMMEDIATE")
        results = [_attempt(job, self.writer) for job in jobs]
        self.writer.execute("COMMIT")
        if trouble := self._identity.trouble():
            raise Unusable(trouble)
        for job, (result, failure) in zip(jobs, results, strict=True):
            if failure is not None:
                job.future.set_exception(failure)
            else:
                job.future.set_result(result)

    def _checkpoint(self) -> bool:
        """Copy the log into the file and cut it to nothing; whether that could be done now."""
        with contextlib.suppress(apsw.BusyError, apsw.FullError):
            ((is_busy, _, _),) = read(self.writer, "PRAGMA wal_checkpoint(TRUNCATE)")
            return not is_busy
        return False

    def _free_inside(self) -> int:
        with contextlib.suppress(apsw.Error):
            ((pages,),) = read(self.writer, "PRAGMA freelist_count")
            return int(pages) * PAGE
        return 0

    def _roll_back(self) -> None:
        with contextlib.suppress(apsw.Error):
            if self.writer.in_transaction:
                self.writer.execute("ROLLBACK")

    # -- the file ------------------------------------------------------------------------------------------------------

    def _open(self, *, thoroughly: bool = False) -> None:
        """A damaged file is set aside first. Raises Unusable; Damaged for somebody else's file."""
        with alone(self._path):
            try:
                self.writer, self.reader = open_file(self._path, thoroughly=thoroughly)
            except Damaged:
                if not is_ours(self._path):
                    raise
                saved = salvage(self._path)
                logger.error(_SET_ASIDE, extra={"aside": saved.aside, "events": saved.events, "damaged": saved.damaged})
                self.writer, self.reader = open_file(self._path)
        self._identity = Identity(self._path)

    def _give_up(self, error: Exception, jobs: list[_Job]) -> None:
        """Nothing is promised any more until the file was opened anew."""
        if isinstance(error, apsw.Error):
            self._trouble = explain(self._path, error)
        else:
            self._trouble = str(error) if isinstance(error, Unusable) else f"{type(error).__name__}; it is opened anew"
        self._is_damaged = isinstance(error, DAMAGE)
        logger.error("The outbox cannot record", extra={"reason": self._trouble})
        _refuse([job for job in jobs if not job.future.done()], self._trouble)

    def _open_again(self) -> None:
        """Until the file is sound again. Meanwhile every caller hears at once what the trouble is."""
        if self._identity.is_missing:
            self._trouble = f"{self._trouble}; {rescue(self.writer, self._path)}"
            logger.error("The outbox file is gone", extra={"reason": self._trouble})
        while self._trouble:
            self._refuse_waiting(self._trouble)
            if not self._identity.is_missing and self._is_open_anew():
                self._trouble = None
                logger.info("The outbox records again")
            elif self._closed.wait(REOPEN_EVERY):
                return

    def _is_open_anew(self) -> bool:
        with self._reading:
            self._close_connections()
            try:
                self._open(thoroughly=self._is_damaged)
            except (Unusable, Damaged, SettingsError, OSError) as error:
                self._trouble = str(error)
                return False
        return True

    def _close_connections(self) -> None:
        for db in (self.writer, self.reader):
            with contextlib.suppress(apsw.Error):
                db.close()

    def _refuse_waiting(self, why: str) -> None:
        while not self._jobs.empty():
            if (job := self._jobs.get()) and job.future.set_running_or_notify_cancel():
                job.future.set_exception(OutboxUnavailable(why))


_SET_ASIDE = "The outbox file was damaged; it was set aside, and what could be read of it goes on in a new one"


def _attempt(job: _Job, db: apsw.Connection) -> tuple[Any, Exception | None]:
    """One job inside the shared transaction. A lease is looked at before anything is written, so one that is lost takes
    nothing back; a savepoint for each job would have every page that it changes copied first."""
    try:
        return job.work(db), None
    except LeaseLost as error:
        return None, error


def _raise(error: Exception, _: apsw.Connection) -> None:
    raise error


def _refuse_additions(jobs: list[_Job]) -> list[_Job]:
    _refuse([job for job in jobs if job.adds], SHORT_OF_SPACE)
    return [job for job in jobs if not job.adds]


def _refuse(jobs: list[_Job], why: str) -> None:
    for job in jobs:
        job.future.set_exception(OutboxUnavailable(why))
