"""Where a limit keeps its numbers: for each network or dataset four of them.

Of one process here; those of `serve --workers N` share theirs (`shared_places.py`), or each would allow as much as all
of them may.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

MOST_NAMES = 10_000
Numbers = tuple[float, float, float, float]
Result = TypeVar("Result")


class Places:
    """The one that was used longest ago goes when there are too many."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, Numbers] = OrderedDict()

    def change(self, name: str, after: Callable[[Numbers | None], tuple[Result, Numbers]]) -> Result:
        """`after` gets what is kept of this name (None: nothing), and returns the result and what is kept from now on;
        nobody else changes it meanwhile."""
        result, self._places[name] = after(self._places.pop(name, None))
        if len(self._places) > MOST_NAMES:
            self._places.popitem(last=False)
        return result
