"""What the scheduler schedules: tasks in processes, and their waits."""

from collections.abc import Callable
from typing import Any

import greenlet


class Killed(BaseException):
    """The process of this task is gone. Not an Exception, so no `except Exception` of the product keeps it."""


class Deadlock(Exception):
    """Nobody can run and nothing will happen any more."""


class Broken(Exception):
    """Something that must hold does not."""


class Process:
    """A group of tasks that lives and dies together; `clock_offset` is how wrong its wall clock is, in microseconds."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number
        self.is_alive = True
        self.clock_offset = 0
        self.tasks: list[Task] = []
        self.connections: list[Any] = []
        """Of SQLite; the kernel would close them with the process."""
        self.at_kill: list[Callable[[], None]] = []
        self.held: list[Task] | None = None
        """Its tasks that could run, while it stands still."""


class Task:
    """A thread of the simulated world."""

    def __init__(self, body: Callable[[], object], process: Process, name: str) -> None:
        self.process, self.name = process, name
        self.greenlet = greenlet.greenlet(body)
        self.is_queued = False
        self.wait: Wait | None = None
        self.loop: Any = None
        """The asyncio loop that runs in this task; asyncio keeps it by OS thread, and there is one."""


class Wait:
    """One stay in a queue of waiters; ended once, by a waker or by the clock."""

    __slots__ = ("is_over", "task", "was_woken")

    def __init__(self, task: Task) -> None:
        self.task, self.is_over, self.was_woken = task, False, False
