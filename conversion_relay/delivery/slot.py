"""A call's place among those that a dataset may have in flight.

Writing down what Meta answered takes a fsync, and Meta could be answering the next request meanwhile. So a sitting
frees its place when it has made its last call and Meta took the events. What could go wrong: the disk is full, nothing
can be written down, and call after call is made all the same. So a sitting that cannot record takes its place again,
and keeps it until it can: then only what was claimed already may still be sent, as before.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

from conversion_relay.delivery.pace import Paces
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.telemetry import logger

RECORD_AGAIN_EVERY = 0.5
Result = TypeVar("Result")


class Slot:
    """Of one sitting, which has it from `Paces.begin` on."""

    def __init__(self, paces: Paces, name: str, stopping: threading.Event) -> None:
        self._paces, self._name, self._stopping, self._is_held = paces, name, stopping, True

    def free(self) -> None:
        """Another call may begin. Nothing if it is free already."""
        if self._is_held:
            self._is_held = False
            self._paces.end(self._name)

    def take(self) -> None:
        """Again, and at once, although another call may have begun."""
        if not self._is_held:
            self._is_held = True
            self._paces.take(self._name)

    def surely(self, work: Callable[[], Result], trouble: str) -> Result:
        """Tried until the outbox can do it; meanwhile the sitting keeps its place and sends nothing more."""
        is_first = True
        while True:
            try:
                return work()
            except OutboxUnavailable as error:
                if is_first:
                    self.take()
                    logger.error(trouble, extra={"reason": str(error)})
                is_first = False
                if self._stopping.wait(RECORD_AGAIN_EVERY):
                    raise
