"""Who commits now: the writing thread, or a caller that need not wait for it.

What could go wrong. Each hand-over between threads is a wait for a processor and for the interpreter: where other
threads compute, each of them is up to 5 ms (`sys.getswitchinterval`), many times what the commit takes. But a caller
that commits by itself may be interrupted in the middle of it: by a signal handler, by a finalizer. If those keep an
event of their own, they wait for a lock that their own thread holds, for ever.

The rules.
1. A caller commits by itself only where nobody holds the lock and nobody waits for it. Else it queues, and the writing
   thread is next (`as_next`), so that callers who find the lock free cannot pass by what waits, and groups form.
2. Never in the thread of the signal handlers: there an event goes through the queue.
3. What a finalizer asks for in a thread that holds the lock is refused at once (`is_mine`).
"""

import contextlib
import os
import threading
from collections.abc import Iterator


class WriteLock:
    """Held by whoever commits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: int | None = None
        self._has_next = False

    @property
    def is_mine(self) -> bool:
        return self._holder == threading.get_ident()

    def take_if_free(self) -> bool:
        """And if the writing thread does not wait for it."""
        if self._has_next or not self._lock.acquire(blocking=False):
            return False
        self._holder = threading.get_ident()
        return True

    def release(self) -> None:
        self._holder = None
        self._lock.release()

    @contextlib.contextmanager
    def as_next(self) -> Iterator[None]:
        """For the writing thread: it waits, and no caller passes it."""
        self._has_next = True
        with self._lock:
            self._has_next, self._holder = False, threading.get_ident()
            try:
                yield
            finally:
                self._holder = None


def handles_signals() -> bool:
    """Whether this is the thread that Python runs signal handlers in (https://docs.python.org/3/library/signal.html).
    The kernel's word counts too: where greenlets stand in for threads (gevent), all of them are in that one."""
    return threading.get_ident() == threading.main_thread().ident or threading.get_native_id() == os.getpid()
