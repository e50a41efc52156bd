"""The embedded outbox: one SQLite file, fsynced before anybody is told "accepted".

WAL with synchronous=FULL: in simulated power cuts NORMAL lost every acknowledged event, FULL none. What makes FULL
quick is group commit: one thread owns the writing connection and puts everything that waits for it into one
transaction, so a hundred requests share one fsync. SQLite comes with APSW because releases up to 3.51.2 can corrupt a
WAL written by two connections (https://sqlite.org/wal.html#walresetbug) and Python's own is older.

When the file cannot be trusted any more (a failed fsync, damage, another file in its place) nothing is promised until
it was opened anew; the same thread sees to that, while callers hear OutboxUnavailable at once.
"""

import contextlib
import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import apsw

from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox import Attempt, Counts, Lease, Settlement, Story, sqlite_look
from conversion_relay.outbox import sqlite_rows as rows
from conversion_relay.outbox.disk import Room
from conversion_relay.outbox.owner import Owner
from conversion_relay.outbox.salvage import is_ours, salvage
from conversion_relay.outbox.sqlite_file import (
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
from conversion_relay.telemetry import logger

BUSY_SECONDS = 2.0
"""A caller waits at most this long for a file that another process holds locked."""
REOPEN_EVERY = 0.5
LEDGER_SECONDS = 8 * 86_400
"""A duplicate is known this long after its twin was settled: longer than Meta's own 48 h and any webhook's retries."""
GROUP = 512
"""Jobs in one transaction at most, so that the first of them is not kept waiting for the last."""
ERASE_STEP = 20_000
SHORT_OF_SPACE = "the disk is nearly full; nothing new is accepted until there is room, what is stored is delivered"
Result = TypeVar("Result")
Work = Callable[[apsw.Connection], Any]


class _Job(NamedTuple):
    work: Work
    future: "Future[Any]"
    adds: bool
    """It makes the file larger, so it is what a full disk refuses first. It does all or nothing by itself."""
    since: float


class SqliteOutbox:
    """Safe to use from several threads and several processes of one machine."""

    survives_restart = True
    shared_between_machines = False

    def __init__(self, path: str, *, boot_clock: Callable[[], float] | None = None) -> None:
        """`boot_clock`: seconds on a clock that nobody sets; leases are counted on it."""
        self._path = Path(path)
        self._boot_clock = boot_clock or _seconds_since_boot
        self._wakers: list[Callable[[], None]] = []
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._reading = threading.Lock()
        self._trouble: str | None = None
        self._is_damaged = False
        self._empties_log = False
        self._open_or_explain()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True, name="outbox-writer")
        self._thread.start()

    def _open_or_explain(self) -> None:
        try:
            self._open()
            self._owner = Owner(self._path)
            self._room = Room(self._path)
        except (Unusable, Damaged) as error:
            raise SettingsError(f"RELAY_OUTBOX: {error}") from None
        except OSError as error:
            raise SettingsError(
                f"RELAY_OUTBOX: the folder of {self._path.name} is not writable: {error.strerror}"
            ) from None

    # -- putting ---------------------------------------------------------------------------------------------------

    def put(self, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
        return self.put_soon(events, now).result()

    def put_soon(self, events: Sequence[SealedEvent], now: float) -> "Future[list[Receipt]]":
        future = self._submit(lambda db: rows.insert(db, events, now), adds=True)
        future.add_done_callback(self._tell)
        return future

    def _tell(self, put: "Future[list[Receipt]]") -> None:
        if not put.cancelled() and put.exception() is None and not all(receipt.duplicate for receipt in put.result()):
            for wake in self._wakers:
                wake()

    def on_put(self, wake: Callable[[], None]) -> None:
        self._wakers.append(wake)

    # -- leasing ---------------------------------------------------------------------------------------------------

    def claim(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        token, until = secrets.token_hex(8), self._boot_clock() + lease_seconds
        found = self._submit(lambda db: rows.claim(db, token, self._owner.name, dataset, now, until, limit)).result()
        return Lease(token=token, dataset=dataset, events=rows.leased_events(found)) if found else None

    def extend(self, lease: Lease, lease_seconds: float) -> None:
        until = self._boot_clock() + lease_seconds
        self._submit(lambda db: rows.extend(db, lease, until)).result()

    def release(self, lease: Lease) -> None:
        self._submit(lambda db: rows.take_back(db, lease.token, unsent=True)).result()

    def settle(self, lease: Lease, settlements: Sequence[Settlement], attempt: Attempt | None, now: float) -> None:
        groups = rows.by_verdict(settlements)
        self._submit(lambda db: rows.settle(db, lease.token, groups, attempt, now)).result()

    def waiting(self, now: float) -> dict[str, float]:
        for token, owner, until in self._read("SELECT token, owner, until FROM lease"):
            if self._is_lost(owner, until):
                self._take_back(token)
        return sqlite_look.waiting(self._read)

    def _take_back(self, token: str) -> None:
        self._submit(lambda db: rows.take_back(db, token)).result()

    def _is_lost(self, owner: str, until: float) -> bool:
        """A process that is gone freed its lock, so nobody will settle what it leased."""
        return until <= self._boot_clock() or (owner != self._owner.name and self._owner.is_gone(owner))

    # -- looking ---------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, Counts]:
        return sqlite_look.counts(self._read)

    def find(self, event_id: str) -> list[Story]:
        return self._stories("WHERE event_id = ?", (event_id,))

    def dead(self, limit: int = 100) -> list[Story]:
        return self._stories("WHERE state = 'dead' ORDER BY settled_at DESC LIMIT ?", (limit,))

    def held(self, limit: int = 100) -> list[Story]:
        return self._stories(f"WHERE event.key IN ({rows.HELD_KEYS} LIMIT ?)", (limit,))

    def recent(self, limit: int = 50) -> list[Story]:
        """The newest events, for the dashboard."""
        return self._stories("ORDER BY event.key DESC LIMIT ?", (limit,))

    def _stories(self, where: str, values: tuple[Any, ...]) -> list[Story]:
        return sqlite_look.stories(self._read, where, values)

    # -- the operator's hand ---------------------------------------------------------------------------------------

    def replay(self, now: float, event_ids: Sequence[str] | None = None) -> int:
        dead = self._read(rows.DEAD_OR_HELD, (now,))
        keys = [key for key, event_id in dead if event_ids is None or event_id in event_ids]
        steps = [keys[first : first + rows.CHUNK] for first in range(0, len(keys), rows.CHUNK)]
        replayed = sum(self._submit(partial(rows.replay, now=now, keys=step)).result() for step in steps)
        if replayed:
            for wake in self._wakers:
                wake()
        return replayed

    def erase(self, digests: Sequence[str], now: float) -> int:
        """A whole scan, in steps: it happens rarely, and an index over digests would be a list of persons."""
        ((last,),) = self._read("SELECT coalesce(max(key), 0) FROM event")
        erased = 0
        for after in range(0, last, ERASE_STEP):
            found: set[int] = set()
            for digest in digests:
                held = self._read(rows.HOLDS_DIGEST, (after, after + ERASE_STEP, digest.encode(), digest))
                found.update(key for (key,) in held)
            if found:
                work = partial(rows.erase, keys=tuple(found), digests=digests, now=now)
                erased += self._submit(work).result()
        self._empties_log = True  # what was overwritten still stands in the log
        self.probe()
        return erased

    def tidy(self, now: float) -> int:
        datasets = self._read("SELECT dataset FROM tally WHERE state = 'pending' AND n > 0")
        return sum(self._submit(partial(rows.shift_lanes, dataset=d, now=now)).result() for (d,) in datasets)

    def prune(self, now: float) -> int:
        self._room.lay()
        return self._submit(lambda db: rows.prune(db, now, LEDGER_SECONDS)).result()

    def probe(self) -> None:
        # Rewriting the header is a real write and a real fsync, and changes nothing.
        self._submit(lambda db: db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}"), adds=True).result()

    def close(self) -> None:
        """What was submitted is committed first; leased events are free for others at once."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._jobs.put(None)
        self._thread.join()
        self._owner.release()

    # -- one writer ------------------------------------------------------------------------------------------------

    def _submit(self, work: Callable[[apsw.Connection], Result], *, adds: bool = False) -> "Future[Result]":
        future: Future[Result] = Future()
        if self._closed.is_set():
            future.set_exception(OutboxUnavailable("the outbox is closed"))
        elif self._trouble:
            future.set_exception(OutboxUnavailable(self._trouble))
        else:
            self._jobs.put(_Job(work, future, adds, time.monotonic()))
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
            jobs = [job for job in group if job is not None and job.future.set_running_or_notify_cancel()]
            if jobs:
                self._commit(jobs)
            if self._empties_log:
                self._empty_log()
            if self._trouble:
                self._open_again()
        self._refuse_waiting("the outbox is closed")
        self._close_connections()

    def _commit(self, jobs: list[_Job]) -> None:
        """Every job gets its answer here: after the commit, or with the reason why there was none."""
        if self._room.is_short(self._free_inside):
            jobs = _refuse_additions(jobs)
        try:
            try:
                self._transaction(jobs)
            except apsw.FullError:
                self._roll_back()
                self._room.release()  # what only settles may use the ballast
                jobs = _refuse_additions(jobs)
                self._transaction(jobs)
        except (apsw.BusyError, apsw.FullError) as error:
            self._roll_back()
            _refuse(jobs, explain(self._path, error))
        except apsw.Error as error:
            self._give_up(explain(self._path, error), damaged=isinstance(error, DAMAGE))
            _refuse(jobs, explain(self._path, error))

    def _transaction(self, jobs: list[_Job]) -> None:
        if not jobs:
            return
        waited = time.monotonic() - jobs[0].since
        self._writer.set_busy_timeout(int(1000 * max(0.05, BUSY_SECONDS - waited)))
        self._writer.execute("BEGIN IMMEDIATE")
        results = [_attempt(job, self._writer) for job in jobs]
        self._writer.execute("COMMIT")
        if trouble := self._identity.trouble():
            self._give_up(trouble)
            _refuse(jobs, trouble)
            return
        for job, (result, failure) in zip(jobs, results, strict=True):
            if failure is not None:
                job.future.set_exception(failure)
            else:
                job.future.set_result(result)

    def _empty_log(self) -> None:
        with contextlib.suppress(apsw.BusyError):  # a neighbour reads; its pages are overwritten soon
            self._empties_log = False
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _free_inside(self) -> int:
        with contextlib.suppress(apsw.Error):
            ((pages,),) = rows.read(self._writer, "PRAGMA freelist_count")
            return int(pages) * PAGE
        return 0

    def _roll_back(self) -> None:
        with contextlib.suppress(apsw.Error):
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")

    def _read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if self._closed.is_set():
            raise OutboxUnavailable("the outbox is closed")
        try:
            with self._reading:
                return self._reader.execute(sql, values).fetchall()
        except apsw.Error as error:
            if isinstance(error, DAMAGE):
                self._submit(partial(_raise, error))  # the writer opens the file anew
            raise OutboxUnavailable(explain(self._path, error)) from None

    # -- the file ------------------------------------------------------------------------------------------------------

    def _open(self, *, thoroughly: bool = False) -> None:
        """A damaged file is set aside first. Raises Unusable; Damaged for somebody else's file."""
        with alone(self._path):
            try:
                self._writer, self._reader = open_file(self._path, thoroughly=thoroughly)
            except Damaged:
                if not is_ours(self._path):
                    raise
                saved = salvage(self._path)
                logger.error(_SET_ASIDE, extra={"aside": saved.aside, "events": saved.events, "damaged": saved.damaged})
                self._writer, self._reader = open_file(self._path)
        self._identity = Identity(self._path)

    def _give_up(self, trouble: str, *, damaged: bool = False) -> None:
        """Nothing is promised any more until the file was opened anew."""
        self._trouble, self._is_damaged = trouble, damaged
        logger.error("The outbox cannot record", extra={"reason": trouble})

    def _open_again(self) -> None:
        """Until the file is sound again. Meanwhile every caller hears at once what the trouble is."""
        if self._identity.is_missing:
            self._trouble = f"{self._trouble}; {rescue(self._writer, self._path)}"
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
        for db in (self._writer, self._reader):
            with contextlib.suppress(apsw.Error):
                db.close()

    def _refuse_waiting(self, why: str) -> None:
        while not self._jobs.empty():
            if (job := self._jobs.get()) and job.future.set_running_or_notify_cancel():
                job.future.set_exception(OutboxUnavailable(why))


_SET_ASIDE = "The outbox file was damaged; it was set aside, and what could be read of it goes on in a new one"


def _attempt(job: _Job, db: apsw.Connection) -> tuple[Any, Exception | None]:
    """One job inside the shared transaction; its own failure takes back only what it did."""
    if job.adds:
        return job.work(db), None
    db.execute("SAVEPOINT job")
    try:
        result = job.work(db)
    except apsw.Error:
        raise
    except Exception as error:
        db.execute("ROLLBACK TO job; RELEASE job").fetchall()
        return None, error
    db.execute("RELEASE job")
    return result, None


def _raise(error: Exception, _: apsw.Connection) -> None:
    raise error


def _refuse_additions(jobs: list[_Job]) -> list[_Job]:
    _refuse([job for job in jobs if job.adds], SHORT_OF_SPACE)
    return [job for job in jobs if not job.adds]


def _refuse(jobs: list[_Job], why: str) -> None:
    for job in jobs:
        job.future.set_exception(OutboxUnavailable(why))


def _seconds_since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
