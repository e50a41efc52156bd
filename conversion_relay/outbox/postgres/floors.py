"""Where claims and looks begin, while a transaction that somebody left open keeps deleted rows in the queue.

What could go wrong. Ten minutes at 3,000 events a second leave two million deleted rows before the next event. Whoever
reads from the front steps over all of them; whoever begins behind them never finds what stands before that place: what
another collector committed late, what came back.

The rules.
1. Each place is a hint in this process's memory. Without one, it is read from the front.
2. *Not crowded*: every two seconds, and when less is found than was asked for, a claim reads from the front.
3. *Crowded* (`crowd.py`): claims and looks never do. House-keeping looks for what stands before these places and
   lowers them (`waiting.look_ahead`): for what came in the last seconds one part in twenty of the time, from the front
   one part in a hundred. So no claim is slow because it was its turn to look, and what stands before waits a second or
   a few. In the live lane they begin SLACK earlier, since collectors do not commit in the order of their clocks.
4. *What this process itself puts or gives back lowers them at once.* A claim that found nothing says so only if nothing
   came back meanwhile (`returned`).
"""

import threading
import time
from collections.abc import Iterable
from typing import NamedTuple

from conversion_relay.outbox.lanes import BACKLOG, LATER, LIVE
from conversion_relay.outbox.postgres.session import Rows

SLACK = 0.25
LATE_SECONDS = 5.0
"""So much later than others an event may be committed, and clocks of collectors may differ."""
LONGEST_REST = 0.1
"""Seconds between two looks at what waits, however long one takes."""
AHEAD, TO_SHIFT, LEASES, WORK = 0, -1, -2, -3
"""What is looked at for all datasets; others are a dataset's own."""
Place = tuple[float, int]
FRONT: Place = (-1e18, -1)
END: Place = (1e18, 0)


class Look(NamedTuple):
    """Seconds between two of them, or so many times as long as it took."""

    every: float
    share: float


FROM_FRONT, A_LITTLE, A_THIRD = Look(2.0, 100.0), Look(0.2, 20.0), Look(0.0, 2.0)


class Places(NamedTuple):
    """Where the lanes of a dataset are read from."""

    live: Place = FRONT
    backlog: Place = FRONT
    later: float = FRONT[0]
    returned: int = -1
    """How often something had come back by then."""


class Floors:
    """By dataset and lane, the place behind which this process claims."""

    def __init__(self) -> None:
        self._floors: dict[tuple[int, int], Place] = {}
        self._next_at: dict[tuple[int, Look], float] = {}
        self._latest, self._returned = -1e18, 0
        self._lock = threading.Lock()
        self.is_crowded = False
        self.in_queue = 0
        """Datasets that had something there at the last look."""

    def due(self, what: int, look: Look = FROM_FRONT) -> bool:
        """Whether it is looked at so now."""
        with self._lock:
            now = time.monotonic()
            if now < self._next_at.get((what, look), now):
                return False
            self._next_at[what, look] = now + look.every
            return True

    def seconds_until(self, what: int, look: Look) -> float:
        with self._lock:
            return max(0.0, self._next_at.get((what, look), 0.0) - time.monotonic())

    def looked(self, what: int, seconds: float, look: Look = FROM_FRONT) -> None:
        """The dearer such a look is, the rarer."""
        with self._lock:
            rest = look.share * seconds if self.is_crowded else 0.0
            self._next_at[what, look] = time.monotonic() + max(look.every, rest)

    def of(self, dataset: int) -> Places:
        if not self.is_crowded and self.due(dataset):
            return Places()
        with self._lock:
            return self._places(dataset)

    def _places(self, dataset: int) -> Places:
        live, backlog, later = (self._place(dataset, lane) for lane in (LIVE, BACKLOG, LATER))
        if not self.is_crowded:
            return Places(live, backlog, returned=self._returned)
        return Places(min(live, (live[0] - SLACK, -1)), backlog, later[0] - SLACK, self._returned)

    def all(self) -> tuple[dict[int, Places], int]:
        """While it is crowded; and how often something had come back by then."""
        with self._lock:
            datasets = sorted({dataset for dataset, _ in self._floors})
            return {dataset: self._places(dataset) for dataset in datasets}, self._returned

    def took(self, dataset: int, places: Places, taken: Rows, now: float, *, is_full: bool) -> None:
        """A claim that began there found these, in the order of the lanes. `is_full`: as many as were asked for, so
        others may stand behind them, and before the place of an earlier claim."""
        last: dict[int, Place] = {row[0]: row[1:3] for row in taken}
        with self._lock:
            for lane, place in last.items():
                self._floors[dataset, lane] = place if is_full else max(place, self._place(dataset, lane))
            self._latest = max(self._latest, last.get(LIVE, FRONT)[0])
            if self.is_crowded and places.returned == self._returned:
                # Nothing had waited its time; nothing is left in a backlog that was read from the front.
                self._floors[dataset, LATER] = max(self._place(dataset, LATER), (now - LATE_SECONDS, -1))
                if not is_full and places.backlog == FRONT:
                    self._floors[dataset, BACKLOG] = END
        if not is_full and not self.is_crowded:
            self.forget()

    def _place(self, dataset: int, lane: int) -> Place:
        return self._floors.get((dataset, lane), FRONT)

    def nothing_waits(self, datasets: Iterable[int], returned: int, now: float) -> None:
        """A look at all datasets found nothing in these, of which this process may have claimed nothing yet."""
        with self._lock:
            if self._returned != returned or not self.is_crowded:
                return
            self._latest = max(self._latest, now - LATE_SECONDS)
            for dataset in datasets:
                self._floors.setdefault((dataset, LIVE), (now - LATE_SECONDS, -1))
                self._floors.setdefault((dataset, BACKLOG), END)

    def was_put(self, at: float) -> None:
        """By this process, perhaps with a clock that was set back, or by a caller's long transaction."""
        if at < self._latest - SLACK:
            self._lower(LIVE, at)

    def waits_until(self, at: float) -> None:
        """An event that this process gave back."""
        self._lower(LATER, at)

    def joined_backlog(self, dataset: int, rank: float) -> None:
        """Events of these ranks or greater ones."""
        self._lower(BACKLOG, rank, dataset)

    def _lower(self, lane: int, rank: float, of: int | None = None) -> None:
        with self._lock:
            self._returned += 1
            for (dataset, known), place in self._floors.items():
                if known == lane and of in (None, dataset):
                    self._floors[dataset, known] = min(place, (rank, -1))

    def forget(self) -> None:
        """Something came back to a backlog, perhaps before them."""
        with self._lock:
            self._returned += 1
            kept = {place: floor for place, floor in self._floors.items() if self.is_crowded and place[1] != BACKLOG}
            self._floors = kept

    # -- what stands before them ---------------------------------------------------------------------------------------

    def ranges(self, look: Look) -> list[tuple[int, int, float, float, int]]:
        """(dataset, lane, from which rank, until which place)."""
        with self._lock:
            since = self._latest - LATE_SECONDS if look is A_LITTLE else FRONT[0]
            return [
                (dataset, lane, since, *place)
                for (dataset, lane), place in sorted(self._floors.items())
                if look is FROM_FRONT or lane == LIVE
            ]

    def lower(self, found: Rows) -> None:
        """(dataset, lane, rank, key) of the first in each of the ranges."""
        with self._lock:
            for dataset, lane, rank, key in found:
                self._floors[dataset, lane] = min(self._place(dataset, lane), (rank, key - 1))
