"""The thread that writes: group commit, and the file opened again after any trouble.

What could go wrong. An fsync costs between 0.1 and 20 ms. If every event had its own, a busy shop would wait for the
disk; if there were none, a power cut would lose events that were answered with 202. And an fsync that fails does not
fail twice: the kernel may mark the unwritten pages as clean, so the next fsync succeeds although the data is gone
(https://wiki.postgresql.org/wiki/Fsync_Errors).

The rules.
1. *Group commit.* Callers hand in jobs and get futures. One thread takes everything that waits (at most GROUP jobs),
   runs it in one transaction, commits, and only then completes the futures. The slower the disk, the larger the groups.
2. *Each submitted future is answered.* A job is put into the queue under the same lock under which the queue is closed,
   so none can arrive behind the last one that the thread sees. Should the thread itself end, what waits is refused, and
   so is what comes later.
3. *A job that fails, fails alone.* LeaseLost is raised before anything is written, so it is simply the job's answer.
   For any other error that does not concern the file (a constraint, a TypeError) the whole transaction is rolled back
   and run a second time with a savepoint for each job. So a job must be repeatable: it changes nothing but the
   database. Savepoints from the start were rejected: each page that a job changes would be copied first, in every
   transaction, for an error that almost never happens.
4. *After any error of the file it is opened anew before anything else is promised.* Opening copies the log into the
   database and empties it, so that nothing rests on pages that an fsync did not bring to the disk (`file.py`). Until
   that succeeds every caller hears at once what the trouble is (OutboxUnavailable), and it is tried every half second.
   No error while opening ends the thread.
5. *A full disk refuses what adds, not what settles* (`disk.py`). A locked file refuses the group after two seconds, and
   is not opened anew.

Rejected: a connection for each caller (SQLite has one writer at a time anyway, and each commit would have its own
fsync); ending the process on EIO, since not everybody has a supervisor (ADR 7).
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

import apsw

from conversion_relay.errors import LeaseLost, OutboxUnavailable, SettingsError
from conversion_relay.outbox.sqlite.books import read
from conversion_relay.outbox.sqlite.connections import Connections
from conversion_relay.outbox.sqlite.disk import Room
from conversion_relay.outbox.sqlite.file import DAMAGE, PAGE, Damaged, Unusable, concerns_file, explain, rescue
from conversion_relay.telemetry import logger

BUSY_SECONDS = 2.0
"""A caller waits at most this long for a file that another process holds locked."""
REOPEN_EVERY = 0.5
GROUP = 512
"""Jobs in one transaction at most, so that the first of them is not kept waiting for the last."""
SHORT_OF_SPACE = "the disk is nearly full; nothing new is accepted until there is room, what is stored is delivered"
CLOSED = "the outbox is closed"
ENDED = "the thread that writes has ended; start the process again"
Result = TypeVar("Result")
Work = Callable[[apsw.Connection], Result]
Answer = tuple[Any, Exception | None]


class Job(NamedTuple):
    work: Work[Any]
    future: "Future[Any]"
    adds: bool
    """It makes the file larger, so it is what a full disk refuses first."""
    since: float


class Writer:
    """One thread and its queue. Longer than most classes here, since the thread's states are one story: it commits,
    it opens the file again after trouble, it stands still while the process forks, it ends.

    The queue holds jobs; an Event asks for the file to be closed (`stand_still`); None only wakes the thread up."""

    def __init__(self, file: Connections, room: Room) -> None:
        self.file = file
        self.empties_log = False
        self._room = room
        self._queue: queue.SimpleQueue[Job | threading.Event | None] = queue.SimpleQueue()
        # Re-entrant, for a signal handler that submits or forks while its thread is in here.
        self._entry = threading.RLock()
        self._closed = threading.Event()
        self._trouble: str | None = None
        self._is_damaged = False
        self._thread: threading.Thread | None = None
        self._in_hand: list[Job] = []
        self._held: list[Any] = []

    def submit(self, work: Work[Result], *, adds: bool = False) -> "Future[Result]":
        future: Future[Result] = Future()
        with self._entry:
            refusal = CLOSED if self._closed.is_set() else self._trouble or self.start()
            if refusal is None:
                self._queue.put(Job(work, future, adds, time.monotonic()))
                return future
        future.set_exception(OutboxUnavailable(refusal))
        return future

    def start(self) -> str | None:
        """The thread, unless it runs already. Why it cannot."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, daemon=True, name="outbox-writer")
            try:
                thread.start()
            except RuntimeError:
                return "no thread can be started to write; end some, or start the process again"
            self._thread = thread
        return None

    def refuse(self, why: str) -> None:
        """From now on, for good."""
        self._trouble = why

    @property
    def is_closed(self) -> bool:
        return self._closed.is_set()

    def close(self) -> bool:
        """What was submitted is committed first. Whether it was open."""
        with self._entry:
            if self._closed.is_set():
                return False
            self._closed.set()
            self._queue.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self.file.close()
        return True

    # -- around a fork -------------------------------------------------------------------------------------------------

    def stand_still(self, seconds: float) -> None:
        """Commit what was submitted and close the file, within that time. Nobody gets in until `go_on`."""
        ends_at = time.monotonic() + seconds
        self._hold(self._entry, seconds)
        if self._held and self._thread is None:
            self.file.close()
        elif self._held and self._thread is not threading.current_thread():
            closed = threading.Event()
            self._queue.put(closed)
            closed.wait(seconds if self._is_running() else 0)
        # Even in trouble the thread cannot open the file now; opening takes this lock.
        self._hold(self.file.lock, ends_at - time.monotonic())

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _hold(self, lock: Any, seconds: float) -> None:
        if lock.acquire(timeout=max(0.0, seconds)):
            self._held.append(lock)

    def go_on(self) -> None:
        while self._held:
            self._held.pop().release()

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        ended = ENDED
        try:
            while not (self._closed.is_set() and self._queue.empty()):
                self._take_group()
            ended = CLOSED
        finally:
            with self._entry:
                self._trouble = ended
                self._refuse_waiting(ended)
            _refuse([job for job in self._in_hand if not job.future.done()], ended)
            self.file.close()

    def _take_group(self) -> None:
        """Everything that waits goes into one transaction and one fsync."""
        group = [self._queue.get()]
        while len(group) < GROUP and not self._queue.empty():
            group.append(self._queue.get())
        # From here on a caller cannot take its job back; one that went away before is not carried out.
        jobs = [job for job in group if isinstance(job, Job) and job.future.set_running_or_notify_cancel()]
        self._in_hand = jobs
        try:
            if jobs:
                self._commit(jobs)
            if self.empties_log:
                self.empties_log = not self._checkpoint()
        except Exception as error:
            self._give_up(error, jobs)
        if self._trouble:
            self._open_again()
        self._close_for_fork([word for word in group if isinstance(word, threading.Event)])

    def _close_for_fork(self, asked: list[threading.Event]) -> None:
        for closed in asked:
            self.file.close()
            closed.set()

    def _commit(self, jobs: list[Job]) -> None:
        """Every job gets its answer here: after the commit, or with the reason why there was none."""
        if not self.file.is_open:
            self._open()
        if self._room.is_short(self._free_inside):
            jobs = _refuse_additions(jobs)
        try:
            self._transaction(jobs)
        except apsw.FullError:
            self._roll_back()
            self._commit_on_a_full_disk(_refuse_additions(jobs))
        except apsw.BusyError as error:
            self._roll_back()
            _refuse(jobs, explain(self.file.path, error))

    def _open(self) -> None:
        """After a fork: it was closed in good order, and must be where it was."""
        if self.file.is_missing():
            raise Unusable(f"{self.file.path.name} was deleted or moved away while in use")
        self.file.open()

    def _commit_on_a_full_disk(self, jobs: list[Job]) -> None:
        """What only settles may use the ballast, and the log's place, one after the other: else full stays full."""
        self._room.release()
        for job in jobs:
            self._checkpoint()
            try:
                self._transaction([job])
            except (apsw.FullError, apsw.BusyError) as error:
                self._roll_back()
                _refuse([job], explain(self.file.path, error))

    def _transaction(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        waited = time.monotonic() - jobs[0].since
        self.file.writer.set_busy_timeout(int(1000 * max(0.05, BUSY_SECONDS - waited)))
        answers = self._attempt(jobs, apart=False) or self._attempt(jobs, apart=True) or []
        if trouble := self.file.trouble():
            raise Unusable(trouble)
        for job, (result, failure) in zip(jobs, answers, strict=True):
            if failure is not None:
                job.future.set_exception(failure)
            else:
                job.future.set_result(result)

    def _attempt(self, jobs: list[Job], *, apart: bool) -> list[Answer] | None:
        """Committed answers; None when all was taken back because of one job. `apart`: a savepoint for each."""
        db = self.file.writer
        answers: list[Answer] = []
        db.execute("BEGIN IMMEDIATE")
        for job in jobs:
            try:
                answers.append((_work_apart(job, db) if apart else job.work(db), None))
            except LeaseLost as error:  # nothing was written
                answers.append((None, error))
            except Exception as error:
                if concerns_file(error):
                    raise
                if not apart:
                    db.execute("ROLLBACK")
                    return None
                answers.append((None, error))
        db.execute("COMMIT")
        return answers

    def _checkpoint(self) -> bool:
        """Copy the log into the file and cut it to nothing; whether that could be done now."""
        with contextlib.suppress(apsw.BusyError, apsw.FullError):
            ((is_busy, _, _),) = read(self.file.writer, "PRAGMA wal_checkpoint(TRUNCATE)")
            return not is_busy
        return False

    def _free_inside(self) -> int:
        with contextlib.suppress(apsw.Error):
            ((pages,),) = read(self.file.writer, "PRAGMA freelist_count")
            return int(pages) * PAGE
        return 0

    def _roll_back(self) -> None:
        with contextlib.suppress(apsw.Error):
            if self.file.writer.in_transaction:
                self.file.writer.execute("ROLLBACK")

    # -- trouble -------------------------------------------------------------------------------------------------------

    def _give_up(self, error: Exception, jobs: list[Job]) -> None:
        """Nothing is promised any more until the file was opened anew."""
        self._trouble = self._describe(error)
        self._is_damaged = isinstance(error, DAMAGE)
        logger.error("The outbox cannot record", extra={"reason": self._trouble})
        _refuse([job for job in jobs if not job.future.done()], self._trouble)

    def _describe(self, error: Exception) -> str:
        match error:
            case apsw.Error():
                return explain(self.file.path, error)
            case Unusable() | Damaged() | SettingsError():
                return str(error)
            case OSError():
                return f"{self.file.path.name}: {error.strerror}; it is tried again by itself"
        return f"{type(error).__name__}; it is opened anew"

    def _open_again(self) -> None:
        """Until the file is sound again. Meanwhile every caller hears at once what the trouble is."""
        with contextlib.suppress(Exception):  # what cannot be saved is still in the hands of who deleted it
            self._save_deleted()
        while self._trouble:
            self._refuse_waiting(self._trouble)
            began = time.monotonic()
            if not self.file.is_missing() and self._is_open_anew():
                self._trouble = None
                logger.info("The outbox records again")
            # An attempt that took long, salvaging perhaps, is not repeated at once.
            elif self._closed.wait(max(REOPEN_EVERY, time.monotonic() - began)):
                return

    def _save_deleted(self) -> None:
        if self.file.is_open and self.file.is_missing():
            self._trouble = f"{self._trouble}; {rescue(self.file.writer, self.file.path)}"
            logger.error("The outbox file is gone", extra={"reason": self._trouble})

    def _is_open_anew(self) -> bool:
        try:
            self.file.open(thoroughly=self._is_damaged)
        except Exception as error:  # whatever it is: without this thread nothing is ever recorded again
            self._trouble = self._describe(error)
            return False
        return True

    def _refuse_waiting(self, why: str) -> None:
        while not self._queue.empty():
            word = self._queue.get()
            if isinstance(word, threading.Event):
                word.set()  # whoever asked looks whether the file is closed
            elif word is not None and word.future.set_running_or_notify_cancel():
                word.future.set_exception(OutboxUnavailable(why))


def _work_apart(job: Job, db: apsw.Connection) -> Any:
    """With its own writes taken back when it fails."""
    db.execute("SAVEPOINT job")
    try:
        result = job.work(db)
    except Exception as error:
        if not concerns_file(error):
            db.execute("ROLLBACK TO job; RELEASE job").fetchall()
        raise
    db.execute("RELEASE job")
    return result


def _refuse_additions(jobs: list[Job]) -> list[Job]:
    _refuse([job for job in jobs if job.adds], SHORT_OF_SPACE)
    return [job for job in jobs if not job.adds]


def _refuse(jobs: list[Job], why: str) -> None:
    for job in jobs:
        job.future.set_exception(OutboxUnavailable(why))
