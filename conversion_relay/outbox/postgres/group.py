"""Group commit: what is put at the same time by several callers of this process goes into one transaction.

What could go wrong. A commit costs a flush of the server's log and three round trips; with a commit for each event a
busy shop waits for them. Many connections instead of groups are no help: 24 connections with one event each reached
twice the throughput of one, with 45 times its p99; groups of 300 on one connection reached eleven times.

The rules.
1. One thread with one connection commits; the next group gathers meanwhile. A second one helps while a backlog stands.
2. A group has at most MOST_EVENTS, so that the first of it is not kept waiting for the last.
3. Callers that share a transaction do not share an error of one of them: after an error that is not the server's, each
   put of the group is done by itself.
4. Each future is answered: what waits when the outbox closes is committed first.

NOTIFY is not in the transaction: it takes a lock of the whole server until the commit is flushed, which halved the
throughput of eight connections. It follows by itself, at most ten times a second.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox.answer import Then
from conversion_relay.outbox.postgres.database import CLOSED

MOST_EVENTS = 300
WRITERS = 2
NO_THREAD = "no thread can be started to write; end some, or start the process again"


class Job(NamedTuple):
    events: Sequence[SealedEvent]
    now: float
    future: "Future[list[Receipt]]"


class Groups:
    """`commit` stores the events of these jobs in one transaction and returns a list of receipts for each; `wake` is
    called after each commit that stored something."""

    def __init__(
        self, commit: Callable[[Sequence[Job]], list[list[Receipt]]], wake: Callable[[], None] = lambda: None
    ) -> None:
        self._commit, self._wake = commit, wake
        self._begin()

    def _begin(self) -> None:
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._entry = threading.RLock()
        self._is_closed = False
        self._threads: list[threading.Thread] = []

    def submit(
        self, events: Sequence[SealedEvent], now: float, then: Sequence[Then[list[Receipt]]] = ()
    ) -> "Future[list[Receipt]]":
        future: Future[list[Receipt]] = Future()
        for call in then:
            future.add_done_callback(call)
        with self._entry:
            refusal = CLOSED if self._is_closed else self._start()
            if refusal is None:
                self._queue.put(Job(events, now, future))
                return future
        future.set_exception(OutboxUnavailable(refusal))
        return future

    def _start(self) -> str | None:
        """Another thread when there is none, or when a whole group waits behind the one that is committed."""
        wanted = 1 if self._queue.qsize() < MOST_EVENTS else WRITERS
        if len(self._threads) < wanted:
            thread = threading.Thread(target=self._run, daemon=True, name="outbox-writer")
            try:
                thread.start()
            except RuntimeError:
                return NO_THREAD if not self._threads else None
            self._threads.append(thread)
        return None

    def _run(self) -> None:
        while self._take_group():
            pass

    def _take_group(self) -> bool:
        """In a call of its own, which ends with the group: or the last request, with the person in it, would stay in
        memory until the next one. False when it is over."""
        jobs = self._next_group()
        if not jobs:
            return False
        # From here on a caller cannot take its job back: a future that is cancelled while it is answered would
        # end this thread. One that was cancelled before is not carried out.
        self._answer([job for job in jobs if job.future.set_running_or_notify_cancel()])
        return True

    def _next_group(self) -> list[Job]:
        """Empty when it is over."""
        job = self._queue.get()
        if job is None:
            return []
        jobs, n = [job], len(job.events)
        while n < MOST_EVENTS:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._queue.put(None)
                break
            jobs.append(job)
            n += len(job.events)
        return jobs

    def _answer(self, jobs: list[Job]) -> None:
        try:
            receipts = self._commit(jobs)
        except OutboxUnavailable as error:
            _refuse(jobs, error)
        except Exception as error:
            if len(jobs) == 1:
                _refuse(jobs, error)
            for job in jobs if len(jobs) > 1 else ():
                self._answer([job])
        else:
            for job, told in zip(jobs, receipts, strict=True):
                job.future.set_result(told)
            if not all(receipt.duplicate for told in receipts for receipt in told):
                self._wake()

    def close(self) -> None:
        with self._entry:
            if self._is_closed:
                return
            self._is_closed = True
            threads = list(self._threads)
        for _ in threads:
            self._queue.put(None)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()

    def after_fork(self) -> None:
        """In the child: the threads are the parent's, and so is what they were given."""
        was_closed = self._is_closed
        self._begin()
        self._is_closed = was_closed


def _refuse(jobs: Sequence[Job], error: Exception) -> None:
    for job in jobs:
        with contextlib.suppress(Exception):
            job.future.set_exception(error)
