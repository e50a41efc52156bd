"""Delivery in threads of the program's own process: `Relay.from_env(deliver=True)`.

What could go wrong. A fork copies the worker and none of its threads: the child believes that somebody delivers. Locks
that the worker's threads held stay locked in the child, and the outbox of the child still calls the worker's `wake`.
A program that ends while a call to Meta is under way would cut it off; one that waits for Meta would not end.

The rules.
- The child of a fork forgets the worker (`Worker.after_fork_in_child`), and starts one of its own when it first puts
  something. A child that tracks nothing needs none: its parent's worker goes on. Several workers share one outbox.
- At the end of the interpreter nothing new is begun, what is under way is finished and settled, and the outbox is
  closed. A program that is killed loses nothing: what was tracked is in the file, and whoever opens it next delivers.
- The worker is a guest: it sets no signal handler and leaves the program's logging alone.
- Where the system gives no thread for it, what is tracked is kept all the same, and the next event tries again. The
  same worker is started then: each one that is made hears of every put for as long as the outbox is open.

Rejected: a process of its own for delivery (a program that has two lines of ours would have to watch over it), asyncio
tasks (delivery is synchronous, and a loop that is blocked would block delivery).
"""

import threading
from collections.abc import Callable

from conversion_relay.delivery.notify import Notifier
from conversion_relay.delivery.sign_of_life import SignsOfLife
from conversion_relay.delivery.transport import GraphTransport
from conversion_relay.delivery.turn import Delivery
from conversion_relay.delivery.worker import Worker
from conversion_relay.outbox import Leases, Outbox, unsupported
from conversion_relay.relay.threads import SHORT_OF_THREADS, is_short_of_threads
from conversion_relay.settings import Settings
from conversion_relay.settings_watch import SettingsWatch
from conversion_relay.telemetry import logger

PATIENCE = 3.0
"""Seconds that the end of a program waits for calls under way; what they carried is sent again by whoever is next."""


class Background:
    """A worker for this process, and another one in the child of a fork."""

    def __init__(
        self,
        settings: Settings,
        outbox: Outbox,
        clock: Callable[[], float],
        *,
        watches: bool,
        use: Callable[[Settings], None] = lambda _: None,
    ) -> None:
        """`watches`: the settings come from the environment, so files that it names are read again when they change;
        `use` gets the new ones, too. Raises UnsupportedByOutbox for a store whose events others deliver."""
        if not isinstance(outbox, Leases):
            raise unsupported(outbox, "waiting")
        self._settings, self._outbox, self._leases, self._clock = settings, outbox, outbox, clock
        self._watches, self._use = watches, use
        self._starting = threading.RLock()
        self._running: tuple[Worker, SignsOfLife, GraphTransport] | None = None
        self._delivers = self._lacks_threads = False
        self._is_over = False

    def ensure(self) -> None:
        """Somebody delivers from here on; costs nothing where somebody does already."""
        if not (self._delivers or self._is_over):
            with self._starting:
                self._begin()

    def _begin(self) -> None:
        if self._delivers or self._is_over:
            return  # another thread was quicker
        self._running = self._running or self._made()
        self._start(self._running[0])

    def _start(self, worker: Worker) -> None:
        try:
            worker.start()
            self._delivers = True
        except RuntimeError as error:
            if not is_short_of_threads(error):
                raise
            if not self._lacks_threads:
                logger.error("Nobody delivers here yet; the next event tries again", extra={"reason": SHORT_OF_THREADS})
            self._lacks_threads = True

    def _made(self) -> tuple[Worker, SignsOfLife, GraphTransport]:
        from conversion_relay import __version__  # it imports this module

        transport = GraphTransport()
        delivery = Delivery(self._leases, transport, self._settings, clock=self._clock)
        signs = SignsOfLife(self._outbox, delivery.paces, self._clock, hear=delivery.hear, version=__version__)
        notifier = Notifier(self._outbox, self._settings, self._clock)
        jobs: list[Callable[[], None]] = [signs, notifier]

        def use(settings: Settings) -> None:
            self._settings = settings
            for one in (delivery.use, notifier.use, self._use):
                one(settings)

        if self._watches:
            jobs.append(SettingsWatch(use, self._settings, is_guest=True))

        def every_second() -> None:
            for job in jobs:
                job()

        return Worker(delivery, self._outbox, every_second=every_second), signs, transport

    def stop(self, patience: float = PATIENCE) -> None:
        """What is in flight is finished and settled, as far as patience goes. Again: nothing."""
        with self._starting:
            self._is_over, running, self._running = True, self._running, None
        if running is not None:
            worker, signs, transport = running
            worker.stop(patience)
            signs.stop()
            transport.close()

    def after_fork_in_child(self) -> None:
        """No other thread exists yet; locks may be held by threads that do not exist here."""
        self._starting = threading.RLock()
        if self._running is not None:
            self._running[0].after_fork_in_child()
            self._running, self._delivers = None, False
