"""Who writes: a thread, or a caller by itself; and how the file is opened again after any trouble.

What could go wrong. An fsync that fails does not fail twice, and the data may be gone (`file.py`). A caller whose
future is never completed waits for ever. An error that nobody thought of ends the thread, and every caller from then
on waits.

The rules.
1. *Each submitted future is answered.* A job is put into the queue under the same lock under which the queue is
   closed, so none can arrive behind the last one that the thread sees. Should the thread itself end, what waits is
   refused, and so is what comes later.
2. *After any error of the file it is opened anew before anything else is promised.* Until that succeeds every caller
   hears at once what the trouble is (OutboxUnavailable), and it is tried again every half second. No error while
   opening ends the thread.
3. *A deleted file is not begun anew.* What it held is copied while the connections still hold it, and it is used again
   when it is put back.
4. *The thread stands still while the process forks* (`fork.py`): what was submitted is committed, and the file is
   closed.
5. *A caller that has to wait anyway, and finds nobody before it, commits by itself* (`write_lock.py`): no hand-over
   between threads is in its way. Trouble and the copying of the log stay the thread's.

Rejected: ending the process on an I/O error, since not everybody has a supervisor (ADR 7); opening the file again in
the caller's thread (callers would wait for each other, and an event loop must not wait at all).
"""

import contextlib
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import apsw

from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.outbox.answer import Then, answer_of
from conversion_relay.outbox.sqlite.connections import Connections
from conversion_relay.outbox.sqlite.disk import Room
from conversion_relay.outbox.sqlite.file import DAMAGE, Damaged, Unusable, rescue
from conversion_relay.outbox.sqlite.group import Groups, Job, Result, Work, refuse
from conversion_relay.outbox.sqlite.told import BY_ITSELF, explain
from conversion_relay.outbox.sqlite.write_lock import WriteLock, handles_signals
from conversion_relay.telemetry import logger

REOPEN_EVERY = 0.5
GROUP = 512
"""Jobs in one transaction at most, so that the first of them is not kept waiting for the last."""
CLOSED = "the outbox is closed"
ENDED = "the thread that writes has ended; start the process again"
WITHIN = "this thread is in the middle of keeping something else, for which a finalizer or a callback cannot wait"


class Writer:
    """One thread and its queue. Over 150 lines, since the thread's states are one story: it commits, it opens the
    file again after trouble, it stands still while the process forks, it ends.

    The queue holds jobs; an Event asks for the file to be closed (`stand_still`); None only wakes the thread up."""

    def __init__(self, file: Connections, room: Room) -> None:
        self.file = file
        self.empties_log = False
        self._groups = Groups(file, room)
        self._queue: queue.SimpleQueue[Job | threading.Event | None] = queue.SimpleQueue()
        # Re-entrant, for a signal handler that submits or forks while its thread is in here.
        self._entry = threading.RLock()
        self._closed = threading.Event()
        self._trouble: str | None = None
        self._is_damaged = False
        self._thread: threading.Thread | None = None
        self._in_hand: list[Job] = []
        self._lock = WriteLock()
        self._held: list[Any] = []

    def submit(self, work: Work[Result], *, adds: bool = False, then: Sequence[Then[Result]] = ()) -> "Future[Result]":
        job = _job(work, adds, then)
        with self._entry:
            refusal = self._refusal()
            if refusal is None:
                self._queue.put(job)
                return job.future
        job.future.set_exception(OutboxUnavailable(refusal))
        return job.future

    def _refusal(self) -> str | None:
        return CLOSED if self._closed.is_set() else self._trouble or self.start()

    def carry_out(self, work: Work[Result], *, adds: bool = False, then: Sequence[Then[Result]] = ()) -> Result:
        """`submit`, and waits for it."""
        if self._lock.is_mine:
            raise OutboxUnavailable(WITHIN)
        if handles_signals() or not self._may_commit():
            return answer_of(lambda done: self.submit(work, adds=adds, then=(*then, done)))
        job = _job(work, adds, then)
        try:
            self._commit([job])
        except BaseException:  # raised into this thread from outside
            self._groups.roll_back()
            raise
        finally:
            self._lock.release()
            if self._trouble or self._groups.log_is_long:
                self._queue.put(None)  # the rest is the thread's
        result: Result = job.future.result()
        return result

    def _may_commit(self) -> bool:
        """This caller by itself, with the lock from here on."""
        with self._entry:
            is_ready = self._refusal() is None and self.file.is_open and not self.empties_log
            return is_ready and self._queue.empty() and self._lock.take_if_free()

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
        if self._thread is not None and not self._lock.is_mine and self._thread is not threading.current_thread():
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
            refuse([job for job in self._in_hand if not job.future.done()], ended)
            with self._lock:
                self.file.close()

    def _take_group(self) -> None:
        """Everything that waits goes into one transaction and one fsync."""
        group = [self._queue.get()]
        with self._lock:
            self._carry_out_group(group)

    def _carry_out_group(self, group: "list[Job | threading.Event | None]") -> None:
        while len(group) < GROUP and not self._queue.empty():
            group.append(self._queue.get())
        # From here on a caller cannot take its job back; one that went away before is not carried out.
        jobs = [job for job in group if isinstance(job, Job) and job.future.set_running_or_notify_cancel()]
        self._in_hand = jobs
        self._commit(jobs)
        self._in_hand = []  # or the last request, with the person in it, would stay in memory until the next one
        if not self._trouble:
            self._look_after_log()
        if self._trouble:
            self._open_again()
        self._close_for_fork([word for word in group if isinstance(word, threading.Event)])

    def _commit(self, jobs: list[Job]) -> None:
        try:
            if jobs:
                self._open()
                self._groups.commit(jobs)
        except Exception as error:
            self._give_up(error, jobs)

    def _look_after_log(self) -> None:
        try:
            if self.file.is_open:
                self._groups.copy_log()
                self.empties_log = self.empties_log and not self._groups.checkpoint()
        except Exception as error:
            self._give_up(error, [])

    def _close_for_fork(self, asked: list[threading.Event]) -> None:
        for closed in asked:
            self.file.close()
            closed.set()

    def _open(self) -> None:
        """Where it is closed after a fork: in good order, so it must be where it was and needs no check."""
        if self._trouble:  # the outbox was closed while the file was in trouble; this job came in between
            raise Unusable(self._trouble)
        if self.file.is_open:
            return
        if self.file.is_missing():
            raise Unusable(f"{self.file.path.name} was deleted or moved away while in use")
        self.file.open("none")

    # -- trouble -------------------------------------------------------------------------------------------------------

    def _give_up(self, error: Exception, jobs: list[Job]) -> None:
        """Nothing is promised any more until the file was opened anew."""
        self._trouble = self._describe(error)
        self._is_damaged = isinstance(error, DAMAGE)
        logger.error("The outbox cannot record", extra={"reason": self._trouble})
        refuse([job for job in jobs if not job.future.done()], self._trouble)

    def _describe(self, error: Exception) -> str:
        match error:
            case apsw.Error():
                return explain(self.file.path, error)
            case Unusable() | Damaged() | SettingsError():
                return str(error)
            case OSError():
                return f"{self.file.path.name}: {error.strerror}; {BY_ITSELF}"
        return f"{type(error).__name__}; it is opened anew"

    def _open_again(self) -> None:
        """Until the file is sound again. Meanwhile every caller hears at once what the trouble is."""
        with contextlib.suppress(Exception):  # the copy is a help; without it the trouble is told all the same
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
            self.file.open("full" if self._is_damaged else "quick")
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


def _job(work: Work[Any], adds: bool, then: Sequence[Then[Any]]) -> Job:
    future: Future[Any] = Future()
    for call in then:
        future.add_done_callback(call)
    return Job(work, future, adds, time.monotonic())
