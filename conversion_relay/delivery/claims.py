"""Claims that are under way: a dataset has one at a time, so that none is begun only to find nothing.

What could go wrong. A claim runs in a thread, and until it has committed the outbox says that its events wait. The
dispatcher, which looks again at once, began a second turn for them: a fifth of all claims of a thousand datasets found
nothing. And whoever is told to wait for the end of a claim must hear of it, or new events lie until the turn ends.

The rule: while a claim of a dataset is under way, it gets no other turn with fresh events. If somebody asked meanwhile,
the end of the claim wakes the dispatcher. Many threads that claim of one dataset at once gained nothing: a claim takes
a thousand events in milliseconds, and calls, which take long, are made at the same time as before.
"""

import threading
from collections.abc import Callable


class Claims:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self.on_awaited: Callable[[], None] = lambda: None
        """Called when a claim has ended for whose end somebody waits."""
        self._lock = threading.Lock()
        self._under_way: dict[str, bool] = {}
        """By dataset, whether somebody waits for the end."""

    def begin(self, name: str) -> None:
        with self._lock:
            self._under_way[name] = False

    def is_under_way(self, name: str) -> bool:
        """True: the asker waits for its end."""
        with self._lock:
            if name in self._under_way:
                self._under_way[name] = True
                return True
            return False

    def end(self, name: str) -> None:
        with self._lock:
            is_awaited = self._under_way.pop(name, False)
        if is_awaited:
            self.on_awaited()
