"""Runs delivery: a dispatcher begins turns in threads until it is told to stop, or until nothing is due.

One thread, the dispatcher, asks `Delivery.next_turn` and hands each turn to a pool. A turn waits for Meta nearly all of
its time, so threads are enough, and the core stays synchronous: Lambda and the command line use the same code. The pool
is large (64 threads, started when they are needed); how many of them one dataset may have is decided in `pace.py`, so
that those that hang leave some for the others.

The dispatcher sleeps on a condition. `wake` (something was put), the end of a claim that somebody waits for
(`claims.py`) and the end of a turn count a signal. The count is read before the look for work and compared before the
sleep, so a signal in between is not lost. Every second it looks all the same, since another process may have put
something, and a clock may have been set. While no dataset could claim whatever is put (`Delivery.rests_for`), only the
end of a claim or a turn wakes it.

A turn that raises ends alone: nothing is claimed for a second, and the lease runs out. Each failure is logged; of an
outbox that cannot record, each new reason is.
House-keeping has a thread of its own, so that pruning never delays a claim.

Where the system gives no more threads (a limit of processes, of memory), the dispatcher carries out the turn itself, so
that events go one call after the other. A pool has queued such a turn all the same, and would begin it with its next
thread: so each turn is taken once, and another pool follows, in whose queue nothing is left behind.

Rejected: asyncio (a second copy of outbox and transport), a thread for each dataset (a thousand datasets), polling
alone (a second of delay for every event).
"""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from conversion_relay.delivery.dataset_pace import MOST_TURNS
from conversion_relay.delivery.report import Report
from conversion_relay.delivery.turn import Delivery, Turn
from conversion_relay.errors import OutboxUnavailable, without_variables
from conversion_relay.outbox import Housekeeping, Queue
from conversion_relay.telemetry import logger

PRUNE_EVERY, PRUNE_SECONDS = 600.0, 30.0
POLL_SECONDS = 1.0
"""Another process may have put something, and a clock may have been set."""
HOUSE_SECONDS = 1.0
"""Between two looks of the house-keeping."""
REST_SECONDS = 1.0


class Worker:
    """Delivers in the background from `start` to `stop`; `drain` does it here and now.

    Over 150 lines: dispatcher, turns and house-keeping share one signal and one end."""

    def __init__(self, delivery: Delivery, outbox: Queue, *, every_second: Callable[[], None] = lambda: None) -> None:
        """`every_second` is called about that often, for what has to be looked at from time to time."""
        self._delivery, self._every_second = delivery, every_second
        self._store = outbox if isinstance(outbox, Housekeeping) else None
        self._stopping = threading.Event()
        self._signal = threading.Condition()
        self._signals = 0
        self._rests = False
        self._running = 0
        self._rests_until = 0.0
        self._trouble: str | None = None
        self._reports: list[Report] | None = None
        self._turns = _pool()
        self._lacks_threads = False
        self._dispatcher = threading.Thread(target=self._run, daemon=True, name="delivery-dispatcher")
        self._house = threading.Thread(target=self._keep_house, daemon=True, name="delivery-house")
        outbox.on_put(self.wake)
        delivery.claims.on_awaited = self._claimed

    def start(self) -> None:
        """Raises RuntimeError where the system gives no thread; called again, it starts what does not run yet."""
        for thread in (self._dispatcher, self._house):
            if not thread.is_alive():
                thread.start()

    def wake(self) -> None:
        """Something was put, or the settings changed."""
        with self._signal:
            self._signals += 1
            if not self._rests:
                self._signal.notify()

    def _claimed(self) -> None:
        """A claim has ended, and there may be more of its dataset."""
        with self._signal:
            self._signals += 1
            self._signal.notify_all()

    def tell_to_stop(self) -> None:
        """Nothing new is begun from here on; returns at once."""
        self._stopping.set()
        self._delivery.stop()
        with self._signal:
            self._signal.notify_all()

    def stop(self, patience: float = 8.0) -> None:
        """What is in flight is finished and settled."""
        self.tell_to_stop()
        ends_at = time.monotonic() + patience
        # First who begins turns: one that it was choosing just now would run into an outbox that is closed next.
        if self._dispatcher.is_alive():
            self._dispatcher.join(max(0.1, patience))
        with self._signal:
            while self._running and time.monotonic() < ends_at:
                self._signal.wait(max(0.0, ends_at - time.monotonic()))
        self._turns.shutdown(wait=False, cancel_futures=True)
        self._delivery.flush()

    def after_fork_in_child(self) -> None:
        """Its threads stayed with the parent. The outbox still calls `wake`, which must not wait for one of them."""
        self._signal = threading.Condition()
        self._stopping.set()

    def drain(self) -> list[Report]:
        """Every event that is due now; returns when none is left, or when those that are left have to wait. Then what
        is too old is dropped."""
        self._reports = []
        while not self._stopping.wait(max(0.0, self._rests_until - time.monotonic())):
            seen = self._signals
            if self._has_room() and (turn := self._delivery.next_turn()) is not None:
                self._begin(turn)
                continue
            with self._signal:
                idle = not self._running
                if not idle and self._signals == seen:
                    self._signal.wait(POLL_SECONDS)
            if idle and self._delivery.seconds_until_due(POLL_SECONDS) >= POLL_SECONDS:
                break
            if idle:
                self._stopping.wait(self._delivery.seconds_until_due(POLL_SECONDS))
        self._drop_old()
        return self._reports

    def _drop_old(self) -> None:
        """Where a timer delivers, nobody else does: a visitor's address and browser would be kept for good. What takes
        longer than PRUNE_SECONDS is left to the next run."""
        ends_at = time.monotonic() + PRUNE_SECONDS
        with contextlib.suppress(OutboxUnavailable):  # the next run does it
            while not self._stopping.is_set() and time.monotonic() < ends_at and self._prune():
                pass

    def _run(self) -> None:
        """The dispatcher. Whatever a turn runs into, the next one gets its chance."""
        while not self._stopping.wait(max(0.0, self._rests_until - time.monotonic())):
            seen = self._signals
            try:
                if not self._has_room():
                    self._sleep(seen, POLL_SECONDS)
                elif (turn := self._delivery.next_turn()) is None:
                    if rest := self._delivery.rests_for():
                        self._sleep(seen, min(rest, POLL_SECONDS), rests=True)
                    else:
                        self._sleep(seen, self._delivery.seconds_until_due(POLL_SECONDS))
                else:
                    self._begin(turn)
            except Exception as error:
                self._rest(error)

    def _rest(self, error: BaseException) -> None:
        """Nothing is claimed for a moment; said once for each new reason."""
        self._rests_until = time.monotonic() + REST_SECONDS
        if isinstance(error, OutboxUnavailable):
            if self._trouble != str(error):
                logger.error("The outbox cannot record, so nothing is sent", extra={"reason": str(error)})
            self._trouble = str(error)
        else:
            without_variables(error)  # or a report of errors shows the token, and what is sent
            logger.error("A turn of the delivery worker failed; its events are sent again", exc_info=error)

    def _has_room(self) -> bool:
        """A turn that waits for a thread has claimed nothing, so its dataset would be given turn after turn."""
        with self._signal:
            return self._running < MOST_TURNS

    def _begin(self, turn: Turn) -> None:
        with self._signal:
            self._running += 1
        is_free = threading.Lock()
        try:
            self._turns.submit(self._carry_out, turn, is_free)
            self._lacks_threads = False
        except RuntimeError as error:
            if "shutdown" not in str(error):
                self._do_without_thread()
                self._carry_out(turn, is_free)
                return
            with self._signal:  # the interpreter ends, and no thread begins anything any more
                self._running -= 1
            self.tell_to_stop()

    def _do_without_thread(self) -> None:
        self._turns.shutdown(wait=False)
        self._turns = _pool()
        if not self._lacks_threads:
            logger.error("No thread can be started, so one call to Meta waits for the other", extra={"remedy": _RAISE})
        self._lacks_threads = True

    def _carry_out(self, turn: Turn, is_free: threading.Lock) -> None:
        """Once: in a thread of the pool, or in the dispatcher."""
        if not is_free.acquire(blocking=False):
            return
        report, failure = None, None
        try:
            report = self._delivery.deliver(turn)
        except BaseException as error:
            failure = error
        with self._signal:
            self._running -= 1
            self._signals += 1
            self._signal.notify_all()
        if failure is not None:
            self._rest(failure)
            return
        self._trouble = None
        if self._reports is not None and report:
            self._reports.append(report)

    def _sleep(self, seen: int, seconds: float, *, rests: bool = False) -> None:
        """`rests`: whatever is put meanwhile could not be claimed, so that only the end of a turn wakes it."""
        self._delivery.flush()
        with self._signal:
            if self._signals == seen and not self._stopping.is_set():
                self._rests = rests
                self._signal.wait(max(seconds, 0.005))
                self._rests = False

    def _keep_house(self) -> None:
        next_prune = 0.0
        while not self._stopping.wait(HOUSE_SECONDS):
            try:
                self._every_second()
                if self._store is None:
                    continue
                self._store.tidy(time.time())
                if time.monotonic() >= next_prune:
                    next_prune = time.monotonic() + (1.0 if self._prune() else PRUNE_EVERY)
            except OutboxUnavailable:
                continue  # the dispatcher says so
            except Exception as error:
                without_variables(error)
                logger.exception("The delivery worker's house-keeping failed; it goes on")

    def _prune(self) -> int:
        """Some of what is too old; how many."""
        if self._store is None:
            return 0
        return self._delivery.expire_stranded() + self._store.prune(time.time())


def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MOST_TURNS, thread_name_prefix="delivery")


_RAISE = "raise this process's limit of processes (TasksMax, --pids-limit, ulimit -u) or of memory, or end others"
