"""Who commits now: the writing thread, or a caller that need not wait for it.

What could go wrong. Each hand-over between threads is a wait for a processor and for the interpreter: where other
threads compute, each of them is up to 5 ms (`sys.getswitchinterval`), many times what the commit takes. But a caller
that commits by itself may be interrupted in the middle of it: by a signal handler, by a finalizer. If those keep an
event of their own, they wait for a lock that their own thread holds, for ever. And one that keeps event after event
leaves hardly a gap between two commits: other processes, where they cannot keep their order (`one_at_a_time.py`), find
SQLite's lock held each time until they give up.

The rules.
1. A caller commits by itself only where nobody holds the lock and nobody waits for it. Else it queues, and the writing
   thread is next (`with`), so that callers who find the lock free cannot pass by what waits, and groups form.
2. Never in the thread of the signal handlers: there an event goes through the queue.
3. Not within REST_SECONDS of the last commit: who comes so soon is handed over, and meanwhile others get in.
4. What a finalizer asks for in a thread that holds the lock is refused at once (`is_mine`).
"""

import os
import threading
import time

REST_SECONDS = 0.001


class WriteLock:
    """Held by whoever commits. In a `with` it is the writing thread's, which waits for it, and no caller passes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rests_until = time.monotonic()
        self._holder: threading.Thread | None = None
        self._has_next = False

    @property
    def is_mine(self) -> bool:
        return self._holder is threading.current_thread()

    def take_if_free(self) -> bool:
        """And if it was for a moment, and the writing thread does not wait for it."""
        if self._has_next or time.monotonic() < self._rests_until or not self._lock.acquire(blocking=False):
            return False
        self._holder = threading.current_thread()
        return True

    def release(self) -> None:
        self._holder, self._rests_until = None, time.monotonic() + REST_SECONDS
        self._lock.release()

    def __enter__(self) -> None:
        self._has_next = True
        self._lock.acquire()
        self._has_next, self._holder = False, threading.current_thread()

    def __exit__(self, *_: object) -> None:
        self.release()


def handles_signals() -> bool:
    """Whether this is the thread that Python runs signal handlers in (https://docs.python.org/3/library/signal.html).
    The kernel's word counts too: where greenlets stand in for threads (gevent), all of them are in that one."""
    return threading.current_thread() is threading.main_thread() or threading.get_native_id() == os.getpid()
