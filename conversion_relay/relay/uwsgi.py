"""uWSGI forks its workers in C, and Python's hooks do not run.

What could go wrong. uWSGI loads the program in its first process and forks the workers after that. An outbox that was
opened, or a delivery that was started while the program was loaded, is copied as it was: its thread is missing in every
worker, so each request that tracks waits for ever; and SQLite believes that the worker holds the locks of the first
process (`outbox/sqlite/fork.py`). With `py-call-osafterfork` the hook in the child runs, and the one before the fork
still does not, so nothing could be closed in time.

The rule. The process that is going to fork opens nothing. Delivery that it asks for begins in each worker, after the
fork; an event that it tracks is refused with the remedy. Whoever loads the program in each worker (`lazy-apps`), a
mule, and a single process without a master fork nothing later, and everything is as anywhere else.

Rejected: a comparison of process ids in each call (it finds out when the connections are inherited already); opening
and closing the file around each event of the first process (for events that nearly no program has).
"""

import os
import sys
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conversion_relay.relay import Relay

NOT_YET = "uWSGI forks this process later, and an open outbox would not survive it; track in a worker, or set lazy-apps"


def forks_later() -> bool:
    """Whether this process is uWSGI's, and its workers do not exist yet. The module `uwsgi` exists inside uWSGI only.

    >>> forks_later()
    False
    """
    server: Any = sys.modules.get("uwsgi")
    if not hasattr(server, "masterpid"):
        return False
    if master := server.masterpid():
        return bool(master == os.getpid())
    return bool(server.worker_id() == 0 and server.numproc > 1)


class Later:
    """Stands where a Relay's `Background` will stand: the first event in a worker starts it, if the hook did not."""

    def __init__(self, relay: "Relay", watches: bool) -> None:
        self._relay, self._watches, self._is_over = weakref.ref(relay), watches, False
        _after_fork(self.ensure)

    def ensure(self) -> None:
        relay = self._relay()
        if relay is not None and not self._is_over and not forks_later():
            relay.start_delivery(watches=self._watches)

    def stop(self) -> None:
        self._is_over = True

    def after_fork_in_child(self) -> None:
        """Nothing runs yet."""


def _after_fork(begin: Callable[[], None]) -> None:
    """uWSGI calls one function after its fork; one that stands there already goes first."""
    server: Any = sys.modules["uwsgi"]
    before = getattr(server, "post_fork_hook", None)

    def hook() -> None:
        if before is not None:
            before()
        begin()

    server.post_fork_hook = hook
