"""Turning delivery: in threads until told to stop, or once until nothing is due."""

import threading
import time

from conversion_relay.delivery import Delivery, Report
from conversion_relay.errors import LeaseLost, OutboxUnavailable
from conversion_relay.outbox import Outbox
from conversion_relay.telemetry import logger

PRUNE_EVERY = 3_600.0
POLL_SECONDS = 1.0
"""Another process may have put something, and a clock may have been set."""


class Worker:
    """Turns `Delivery.step` in a few threads until `stop`."""

    def __init__(self, delivery: Delivery, outbox: Outbox, *, threads: int = 4) -> None:
        self._delivery, self._outbox = delivery, outbox
        self._stopping = threading.Event()
        self._woken = threading.Condition()
        self._puts = 0
        self._threads = [
            threading.Thread(target=self._run, args=(i == 0,), daemon=True, name=f"delivery-{i}")
            for i in range(threads)
        ]
        outbox.on_put(self.wake)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        with self._woken:
            self._puts += 1
            self._woken.notify()

    def stop(self, patience: float = 10.0) -> None:
        """What is in flight is finished and settled; nothing new is begun."""
        self._stopping.set()
        with self._woken:
            self._woken.notify_all()
        ends_at = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, ends_at - time.monotonic()))

    def _run(self, keeps_house: bool) -> None:
        next_prune = 0.0
        while not self._stopping.is_set():
            seen = self._puts
            try:
                if keeps_house and time.monotonic() >= next_prune:
                    self._outbox.prune(time.time())
                    next_prune = time.monotonic() + PRUNE_EVERY
                if self._delivery.step() is None:
                    self._sleep(seen, self._delivery.seconds_until_due(POLL_SECONDS))
            except LeaseLost:
                logger.warning("A lease ran out before it was settled; its events are sent again")
            except OutboxUnavailable as error:
                logger.error("The outbox cannot record, so nothing is sent", extra={"reason": str(error)})
                self._stopping.wait(1.0)
            except Exception:
                logger.exception("A turn of the delivery worker failed; its events are sent again")
                self._stopping.wait(1.0)

    def _sleep(self, seen: int, seconds: float) -> None:
        self._delivery.flush()
        with self._woken:
            if self._puts == seen and not self._stopping.is_set():
                self._woken.wait(max(seconds, 0.01))


def drain(delivery: Delivery) -> list[Report]:
    """Every event that is due now, once; for `deliver --once`."""
    reports = []
    while report := delivery.step():
        reports.append(report)
    return reports
