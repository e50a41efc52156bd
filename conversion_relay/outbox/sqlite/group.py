"""One group of jobs: one transaction, one fsync, and an answer for each job.

What could go wrong. An fsync costs between 0.1 and 20 ms. If every event had its own, a busy shop would wait for the
disk; if there were none, a power cut would lose events that were answered with 202. And jobs that share a transaction
share its fate: one caller's mistake must not refuse the events of all others.

The rules.
1. *Group commit.* Everything that waits goes into one transaction, and the futures are completed after its commit. The
   file's identity is looked at before and after it. The slower the disk, the larger the groups.
2. *A job that fails, fails alone.* LeaseLost is raised before anything is written, so it is simply the job's answer.
   For any other error that does not concern the file (a constraint, a TypeError) the whole transaction is rolled back
   and run a second time with a savepoint for each job. So a job must be repeatable: it changes nothing but the
   database.
3. *An error that concerns the file is not handled here* but in `writer.py`, which opens the file anew. Two are:
   a locked file refuses the group after BUSY_SECONDS; a full disk refuses what adds, and does what settles one job at a
   time (`disk.py`).
4. *The log is copied after the answers.* SQLite by itself copies it inside of the commit that makes it too long, so
   that every now and then a caller waits for the copying of 16 MB. Here it is copied between two groups, and early,
   a little at a time: whoever comes meanwhile waits for about two fsyncs.

Rejected: a savepoint for each job from the start (each page that a job changes would be copied first, in every
transaction, for an error that almost never happens); a connection for each caller (SQLite has one writer at a time
anyway, and each commit would have its own fsync).
"""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal, NamedTuple, TypeVar

import apsw

from conversion_relay.errors import LeaseLost, OutboxUnavailable
from conversion_relay.outbox.sqlite.books import read
from conversion_relay.outbox.sqlite.connections import Connections
from conversion_relay.outbox.sqlite.disk import Room
from conversion_relay.outbox.sqlite.file import Unusable, concerns_file
from conversion_relay.outbox.sqlite.one_at_a_time import begin
from conversion_relay.outbox.sqlite.told import explain, is_full

BUSY_SECONDS = 2.0
"""A caller waits at most this long for a file that another process holds locked."""
LOG_PAGES = 1_000
"""At this length the log is copied; at less, where the file's own limit is lower."""
SHORT_OF_SPACE = "the disk is nearly full; nothing new is accepted until there is room, what is stored is delivered"
Result = TypeVar("Result")
Work = Callable[[apsw.Connection], Result]
Answer = tuple[Any, Exception | None]


class Job(NamedTuple):
    work: Work[Any]
    future: "Future[Any]"
    adds: bool
    """It makes the file larger, so it is what a full disk refuses first."""
    since: float


class Groups:
    """Commits groups of jobs into an open file."""

    def __init__(self, file: Connections, room: Room) -> None:
        self._file, self._room = file, room
        self._log_pages = self._most_log_pages = 0
        self._watched: apsw.Connection | None = None

    def commit(self, jobs: list[Job]) -> None:
        """Every job gets its answer here, after the commit or with the reason why there was none; unless an error that
        concerns the file is raised, which leaves some unanswered."""
        self._watch_log()
        if self._room.is_short(self._free_inside):
            jobs = _refuse_additions(jobs)
        try:
            self._transaction(jobs)
        except apsw.FullError:
            self.roll_back()
            self._commit_on_a_full_disk(_refuse_additions(jobs))
        except apsw.BusyError as error:
            self.roll_back()
            refuse(jobs, explain(self._file.path, error))

    def _commit_on_a_full_disk(self, jobs: list[Job]) -> None:
        """What only settles may use the ballast, and the log's place, one after the other: else full stays full."""
        self._room.release()
        for job in jobs:
            self.checkpoint()
            try:
                self._transaction([job])
            except (apsw.FullError, apsw.BusyError) as error:
                self.roll_back()
                refuse([job], explain(self._file.path, error))

    def _transaction(self, jobs: list[Job]) -> None:
        if not jobs:
            return
        self._refuse_another_file()  # its log may stand where ours did: what we wrote into that would spoil the file
        try:
            answers = self._attempt(jobs, apart=False) or self._attempt(jobs, apart=True) or []
        except apsw.IOError as error:
            raise (apsw.FullError() if is_full(error, self._file.writer) else error) from None
        self._refuse_another_file()
        for job, (result, failure) in zip(jobs, answers, strict=True):
            if failure is not None:
                job.future.set_exception(failure)
            else:
                job.future.set_result(result)

    def _attempt(self, jobs: list[Job], *, apart: bool) -> list[Answer] | None:
        """Committed answers; None when all was taken back because of one job. `apart`: a savepoint for each."""
        db = self._file.writer
        answers: list[Answer] = []
        begin(db, self._file.path, max(jobs[0].since + BUSY_SECONDS, time.monotonic() + 0.05))
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

    def _refuse_another_file(self) -> None:
        if trouble := self._file.trouble():
            raise Unusable(trouble)

    def checkpoint(self, how: Literal["TRUNCATE", "PASSIVE"] = "TRUNCATE") -> bool:
        """Copy the log into the file and cut it to nothing; whether that could be done now. PASSIVE: as much as can be
        copied without waiting for readers, and the next commit begins the log anew."""
        try:
            ((is_busy, _, _),) = read(self._file.writer, f"PRAGMA wal_checkpoint({how})")
        except (apsw.BusyError, apsw.FullError):
            return False
        except apsw.IOError as error:
            if is_full(error, self._file.writer):
                return False
            raise
        return not is_busy

    @property
    def log_is_long(self) -> bool:
        return 0 < self._most_log_pages <= self._log_pages

    def copy_log(self) -> None:
        """When it is long; between two groups."""
        if self.log_is_long:
            self._log_pages = 0
            self._refuse_another_file()
            self.checkpoint("PASSIVE")

    def _watch_log(self) -> None:
        """Of each connection, since the file may have been opened anew. https://sqlite.org/c3ref/wal_hook.html: with a
        hook of ours SQLite no longer copies by itself."""
        db = self._file.writer
        if db is not self._watched:
            ((most,),) = read(db, "PRAGMA wal_autocheckpoint")
            self._watched, self._most_log_pages = db, min(most, LOG_PAGES)
            db.set_wal_hook(self._note_log)

    def _note_log(self, _: apsw.Connection, name: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _free_inside(self) -> int:
        with contextlib.suppress(apsw.Error):
            ((free,),) = read(self._file.writer, _FREE_BYTES)
            return int(free)
        return 0

    def roll_back(self) -> None:
        """What was begun and not committed, if anything was."""
        with contextlib.suppress(apsw.Error):
            if self._file.writer.in_transaction:
                self._file.writer.execute("ROLLBACK")


_FREE_BYTES = "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size"


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
    refuse([job for job in jobs if job.adds], SHORT_OF_SPACE)
    return [job for job in jobs if not job.adds]


def refuse(jobs: list[Job], why: str) -> None:
    for job in jobs:
        job.future.set_exception(OutboxUnavailable(why))
