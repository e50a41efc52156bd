"""Whether anybody's visit is remembered: a door asks it for each event of a backend, in an event loop.

What could go wrong. Most installations remember nobody, and a look into the store for each event would cost more than
the event. Who never looks passes over the first visitor whom another process remembered, and who refused.

The rule. Once somebody was found, visits are looked up. Until then another thread looks, at most every second, and
while nobody has looked there may be somebody. One look at a time: a database that does not answer is asked once, not
once for each event.
"""

import time
from concurrent.futures import Future
from functools import partial

LOOK_FOR_VISITORS_EVERY = 1.0


class AnyVisitors:
    """A part of each store."""

    _has_visitors, _is_looking, _looked_for_visitors_at = False, False, float("-inf")

    def has_visitors(self) -> bool:
        if self._has_visitors or time.monotonic() - self._looked_for_visitors_at < LOOK_FOR_VISITORS_EVERY:
            return self._has_visitors
        if not self._is_looking:
            at, look = time.monotonic(), self._any_visitor()
            self._is_looking = True
            look.add_done_callback(partial(self._looked, at))
        return True

    def _any_visitor(self) -> "Future[bool]":
        """Looked up by another thread."""
        raise NotImplementedError

    def _looked(self, at: float, look: "Future[bool]") -> None:
        self._is_looking = False
        if not look.cancelled() and look.exception() is None:
            self._note_visitors(at, found=look.result())

    def _note_visitors(self, at: float, *, found: bool) -> None:
        """`at`: before the look began."""
        if found:
            self._has_visitors = True  # and never False: this process may just have remembered one
        self._looked_for_visitors_at = at
