"""What happens to an open outbox when its process forks.

What could go wrong. `gunicorn --preload`, `multiprocessing` and many scripts open the outbox, then call `os.fork`. The
child gets a copy of everything but the threads:
- the writing thread is gone, so a `put` in the child would wait for ever;
- locks stay locked when a thread held them that the child does not have;
- SQLite's own memory is copied too. It knows a file by its inode and believes that this process holds the locks of the
  connections that it remembers. A second connection in the child therefore takes no lock of its own: it reads and
  writes without any, or finds the file "locked" for ever when the parent was writing at that moment (both were seen
  with SQLite 3.54). Closing an inherited connection is no better, since that may truncate the log under the parent:
  https://sqlite.org/howtocorrupt.html#_carrying_an_open_database_across_a_fork_
- file locks belong to the open file, not to the process: while the child keeps the parent's descriptor, the lock of a
  parent that died is not freed.

The rule. No connection is open while the process forks. Before the fork the outbox lets nobody in, commits what was
submitted, and closes its two connections. After it, in the parent, the same writing thread opens the file again when
the next job comes. In the child everything that belongs to a process (queue, locks, thread, connections, owner) is
made anew, and the file is opened in the same way: when the first job comes. Inherited descriptors that hold locks are
closed.

When the connections cannot be closed within FORK_WAIT (a hanging disk, a fork from inside the writing thread), the fork
goes on all the same. The child's copy of that outbox then refuses everything at once and says what to do.

Why hooks and not a comparison of `os.getpid()` in each call: a call would find out too late, when the connections are
inherited already; and the comparison costs 50 to 300 ns each time, the hooks nothing. Rejected: opening anew in the
child without closing in the parent (the two faults above); `apsw.fork_checker`, which only reports the misuse, slows
down every call into SQLite of the whole program, and is not in every build of APSW; refusing all work in the child,
since `gunicorn --preload` is a common and reasonable way to start.

`subprocess` does not come here: without `preexec_fn` it runs no hooks, and Python's descriptors are closed on exec.
"""

import contextlib
import os
import threading
import weakref
from typing import Protocol

FORK_WAIT = 5.0
"""Seconds that a fork waits at most for the commits under way."""


class Forkable(Protocol):
    """What must not be in use while the process forks."""

    def before_fork(self, seconds: float) -> None:
        """Close what a child must not inherit, within that time, and let nobody in."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Begin anew. No other thread exists yet; locks may be held by threads that do not exist here."""


LOCKS: set[int] = set()
"""Descriptors that hold a file lock for this process; a child closes them."""
_living: "weakref.WeakSet[Forkable]" = weakref.WeakSet()
_stopped: list[Forkable] = []
_kept: list[object] = []
_one_at_a_time = [threading.RLock()]
"""Two threads that fork could each wait for what the other one stopped. In a list, since a child needs a new one."""


def follow(forkable: Forkable) -> None:
    """From now on it is told about each fork, as long as it lives."""
    _living.add(forkable)


def _before() -> None:
    _one_at_a_time[0].acquire()
    _stopped[:] = list(_living)
    for forkable in _stopped:
        forkable.before_fork(FORK_WAIT)


def _in_parent() -> None:
    for forkable in _stopped:
        forkable.after_fork_in_parent()
    _stopped.clear()
    _one_at_a_time[0].release()


def _in_child() -> None:
    _one_at_a_time[0] = threading.RLock()
    for descriptor in LOCKS:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    LOCKS.clear()
    for forkable in _stopped:
        forkable.after_fork_in_child()
    _stopped.clear()


def never_free(value: object) -> None:
    """One reference more than anybody can drop, so that not even the end of the interpreter closes it."""
    try:
        import ctypes
    except ImportError:  # Python was built where libffi was missing; until that end, then
        _kept.append(value)
    else:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
