"""An asyncio loop that waits in virtual time. One OS thread runs the loops of all processes; each is a task of the
world.

Only the selector differs from asyncio's own: nothing here has a file descriptor, so `select` is a stay among waiters
that a call from another task ends.
"""

import asyncio
from asyncio import base_events
from typing import Any

from tests.simulation.doubles import Event


class Selector:
    """What `BaseEventLoop._run_once` asks."""

    def __init__(self) -> None:
        self.woken = Event()

    def select(self, timeout: float | None = None) -> list[Any]:
        self.woken.wait(timeout)
        self.woken.clear()
        return []


class Loop(base_events.BaseEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self._selector = Selector()

    def _process_events(self, events: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        self._selector.woken.set()


class Running:
    """A loop that runs in a task of its own, and takes coroutines from others."""

    def __init__(self) -> None:
        self.loop = Loop()

    def run(self) -> None:
        self.loop.run_forever()

    def call(self, coroutine: Any, seconds: float) -> Any:
        """Its result, from a task that is not the loop's. TimeoutError when there is none within that time."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(seconds)
