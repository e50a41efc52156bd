"""Requests that arrive while the outbox commits become one job, one wake-up of the loop, and one turn for all answers.

What could go wrong. A put costs little, but what surrounds it costs as much as the event: a future that two threads
share, a write into the loop's socket to wake it, a dozen statements. And each time that two threads hand the
interpreter to each other, both wait. With a job for each request a busy door spent half of its time on that.

The rules.
1. *One job at a time.* What arrives while a job is under way waits for its end, and is then the next job. So the
   slower the disk, the more requests share a job; a request alone waits for nobody. A job has at most MOST_EVENTS
   (or one request's), so that the first of them is not kept waiting for the last, and a worker's claim gets its turn.
2. *No answer before the commit.* The outbox's future is done after the fsync, and only then each request is told.
3. *A request that fails, fails alone.* Where the outbox itself is well (any error but OutboxUnavailable), each request
   of the job is put by itself. The outbox knows what was stored before, so nothing is stored twice.
4. *A loop of its own.* An answer is written on the loop that its request came by, so each loop has its own Gather.

Rejected: a timer that collects for some milliseconds (a request alone would wait for nothing); a task for each job
(one more turn of the loop).
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from conversion_relay.collector.unhandled import note_failure
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.relay import Relay
from conversion_relay.settings import Dataset

MOST_EVENTS = 2_000
Count = Callable[[Sequence[SealedEvent], Sequence[Receipt]], None]
Then = Callable[[list[Receipt] | Exception], None]
"""Called once. OutboxUnavailable: nothing is promised."""


class _Asked(NamedTuple):
    """One request's events."""

    events: Sequence[SealedEvent]
    then: Then


class Gather:
    """Of one event loop; called on it."""

    def __init__(self, relay: Relay, loop: asyncio.AbstractEventLoop, count: Count) -> None:
        """`count` is called once for each job that was committed."""
        self.loop = loop
        self._relay, self._count = relay, count
        self._waiting: list[_Asked] = []
        self._reported: dict[str, tuple[Dataset, list[tuple[str, str]]]] = {}
        self._is_under_way = False

    def put(self, events: Sequence[SealedEvent], then: Then) -> None:
        """`then` is called on the loop, after the commit and its fsync."""
        self._waiting.append(_Asked(events, then))
        self._begin()

    async def durable(self, events: Sequence[SealedEvent]) -> list[Receipt]:
        """The same for a coroutine. Raises OutboxUnavailable."""
        done: asyncio.Future[list[Receipt]] = self.loop.create_future()
        self.put(events, partial(_settle, done))
        return await done

    def note_pixel(self, dataset: Dataset, pairs: Sequence[tuple[str, str]]) -> None:
        """Counted with the next job. Nobody waits for it, and no request fails because it could not be counted."""
        self._reported.setdefault(dataset.pixel_id, (dataset, []))[1].extend(pairs)
        self._begin()

    def _begin(self) -> None:
        if not self._is_under_way:
            self._is_under_way = True
            self.loop.call_soon(self._next)  # what else arrived in this turn of the loop comes along

    def _next(self) -> None:
        taken = self._take()
        if taken:
            self._send(taken, self._finish)
        else:
            self._is_under_way = False
        reported, self._reported = self._reported, {}
        for dataset, pairs in reported.values():
            with contextlib.suppress(OutboxUnavailable):
                self._relay.note_pixel(dataset, pairs)

    def _take(self) -> list[_Asked]:
        room, n = MOST_EVENTS, 0
        for asked in self._waiting:
            room -= len(asked.events)
            if room < 0 and n:
                break
            n += 1
        taken, self._waiting = self._waiting[:n], self._waiting[n:]
        return taken

    def _send(self, taken: list[_Asked], then: "Callable[[list[_Asked], Future[list[Receipt]]], None]") -> None:
        try:
            put = self._relay.put_soon([event for asked in taken for event in asked.events])
        except Exception as error:  # the outbox is opened when it is first needed
            put = Future()
            put.set_exception(error)
        put.add_done_callback(partial(self._wake, then, taken))

    def _wake(
        self,
        then: "Callable[[list[_Asked], Future[list[Receipt]]], None]",
        taken: list[_Asked],
        put: "Future[list[Receipt]]",
    ) -> None:
        """In the thread that committed; where nothing could be submitted, on the loop itself."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits
            self.loop.call_soon_threadsafe(then, taken, put)

    def _finish(self, taken: list[_Asked], put: "Future[list[Receipt]]") -> None:
        error = put.exception()
        if error is None or isinstance(error, OutboxUnavailable) or len(taken) == 1:
            self._answer(taken, put)
        else:
            for asked in taken:
                self._send([asked], self._answer)
        self._next()

    def _answer(self, taken: list[_Asked], put: "Future[list[Receipt]]") -> None:
        error = put.exception()
        receipts = [] if error else put.result()
        if not error:
            self._count([event for asked in taken for event in asked.events], receipts)
        at = 0
        for events, then in taken:
            own, at = receipts[at : at + len(events)], at + len(events)
            try:
                then(_exception(error) if error else own)
            except Exception as fault:  # the others are answered all the same
                note_failure(fault)


def _exception(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else OutboxUnavailable(type(error).__name__)


def _settle(done: "asyncio.Future[list[Receipt]]", told: list[Receipt] | Exception) -> None:
    if done.done():  # its request was given up
        return
    if isinstance(told, Exception):
        done.set_exception(told)
    else:
        done.set_result(told)
