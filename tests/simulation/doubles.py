"""Doubles for what the product takes from Python: threads, locks, queues, clocks, chance.

`install` puts them into the standard library's modules. It must run before the product is imported, so a simulation
has an OS process of its own. `concurrent.futures` is not doubled: its pools and futures are Python code over
`threading` and `queue`, and so run on these.

Only what the product uses is here, with the semantics of the standard library's documentation; anything else that it
begins to use would fail loudly or be real, and a real one that waits stops the whole world at once.
"""

import importlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.simulation.scheduler import MICRO, Task, Waiters, current


def install() -> None:
    """Into the modules of this OS process, for good."""
    # These make locks of their own when they are imported, for which the real ones are right.
    for name in ("concurrent.futures.thread", "logging", "uuid", "litestar"):
        importlib.import_module(name)
    threading.Lock = Lock  # type: ignore[misc, assignment]
    threading.RLock = RLock  # type: ignore[misc, assignment]
    threading.Condition = Condition  # type: ignore[misc, assignment]
    threading.Event = Event  # type: ignore[misc, assignment]
    threading.Semaphore = Semaphore  # type: ignore[misc, assignment]
    threading.Thread = Thread  # type: ignore[misc, assignment]
    threading.current_thread = current_thread  # type: ignore[assignment]
    threading.main_thread = lambda: _outside  # type: ignore[assignment, return-value]
    queue.SimpleQueue = SimpleQueue  # type: ignore[misc, assignment]
    from tests.simulation import clocks

    clocks.install()


class Lock:
    """Taken and given back a hundred thousand times an hour, and hardly ever waited for: that comes first."""

    def __init__(self) -> None:
        self._owner: Task | None = None
        self._waiters = Waiters()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._owner is not None and self._owner.process.is_alive and not self._wait(blocking, timeout):
            return False
        self._owner = current().task
        return True

    def _wait(self, blocking: bool, timeout: float) -> bool:
        ends_at = None if timeout < 0 else current().now + round(timeout * MICRO)
        while self._owner is not None and self._owner.process.is_alive:
            if not blocking:
                return False
            left = None if ends_at is None else (ends_at - current().now) / MICRO
            if left is not None and left <= 0:
                return False
            self._waiters.wait(left)
        return True

    def release(self) -> None:
        if self._owner is None:
            raise RuntimeError("release unlocked lock")
        self._owner = None
        if self._waiters.waits:
            self._waiters.wake()

    def locked(self) -> bool:
        return self._owner is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class RLock(Lock):
    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._owner is not current().task and not super().acquire(blocking, timeout):
            return False
        self._depth += 1
        return True

    def release(self) -> None:
        if self._owner is not current().task:
            raise RuntimeError("cannot release un-acquired lock")
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            if self._waiters.waits:
                self._waiters.wake()

    def let_go(self) -> int:
        depth, self._depth = self._depth, 0
        super().release()
        return depth

    def take_again(self, depth: int) -> None:
        super().acquire()
        self._depth = depth


class Condition:
    def __init__(self, lock: Lock | RLock | None = None) -> None:
        self._lock = lock or RLock()
        self._waiters = Waiters()
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        depth = self._lock.let_go() if isinstance(self._lock, RLock) else self._lock.release()
        try:
            return self._waiters.wait(timeout)
        finally:
            if isinstance(self._lock, RLock):
                self._lock.take_again(depth or 1)
            else:
                self._lock.acquire()

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        ends_at = None if timeout is None else current().now + round(timeout * MICRO)
        while not (result := predicate()):
            left = None if ends_at is None else (ends_at - current().now) / MICRO
            if left is not None and left <= 0:
                break
            self.wait(left)
        return result

    def notify(self, n: int = 1) -> None:
        self._waiters.wake(n)

    def notify_all(self) -> None:
        self._waiters.wake(len(self._waiters))


class Event:
    def __init__(self) -> None:
        self._is_set = False
        self._waiters = Waiters()

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self._waiters.wake(len(self._waiters))

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        if not self._is_set and (timeout is None or timeout > 0):
            self._waiters.wait(timeout)
        return self._is_set


class Semaphore:
    def __init__(self, value: int = 1) -> None:
        self._value = value
        self._waiters = Waiters()

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        ends_at = None if timeout is None else current().now + round(timeout * MICRO)
        while self._value <= 0:
            left = None if ends_at is None else (ends_at - current().now) / MICRO
            if not blocking or (left is not None and left <= 0):
                return False
            self._waiters.wait(left)
        self._value -= 1
        return True

    __enter__ = acquire

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self, n: int = 1) -> None:
        self._value += n
        self._waiters.wake(n)


class SimpleQueue:
    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._waiters = Waiters()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        self._items.append(item)
        self._waiters.wake()

    put_nowait = put

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        ends_at = None if timeout is None else current().now + round(timeout * MICRO)
        while not self._items:
            left = None if ends_at is None else (ends_at - current().now) / MICRO
            if not block or (left is not None and left <= 0):
                raise queue.Empty
            self._waiters.wait(left)
        return self._items.popleft()

    def get_nowait(self) -> Any:
        return self.get(block=False)

    def empty(self) -> bool:
        return not self._items

    __class_getitem__ = classmethod(lambda cls, _: cls)  # type: ignore[assignment]


class Thread:
    """`daemon` means nothing here: the world ends when it says so."""

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        daemon: bool | None = None,
    ) -> None:
        self._target, self._args, self._kwargs = target, args, kwargs or {}
        self.name, self.daemon = name or "thread", daemon
        self.ident: int | None = None
        self._ended = Event()

    def start(self) -> None:
        self.ident = id(self)
        task = current().spawn(self._run, self.name)
        _threads[task] = self

    def _run(self) -> None:
        try:
            self.run()
        finally:
            _threads.pop(current().task, None)
            self._ended.set()

    def run(self) -> None:
        if self._target:
            self._target(*self._args, **self._kwargs)

    def join(self, timeout: float | None = None) -> None:
        self._ended.wait(timeout)

    def is_alive(self) -> bool:
        return self.ident is not None and not self._ended.is_set()


_threads: dict[Task, Thread] = {}
_outside = Thread(name="MainThread")


def current_thread() -> Thread:
    return _threads.get(current().task, _outside)
