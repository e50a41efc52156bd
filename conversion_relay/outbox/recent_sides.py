"""Whether server and pixel send the same ids now, by the newest events and reports of each name.

The meter (`sqlite/sides.py`) counts since ever: in it, what is wrong since today does not stand out from a year, nor
does what was mended. Events and reports are there in order, so the newest of each are compared when somebody asks.
Rejected: a meter for each day, which every put would pay for.
"""

from collections.abc import Iterable
from typing import Any

from conversion_relay.outbox.story import SideCounts

NEWEST, NEWEST_OF_A_NAME = 10_000, 100
"""Events, and reports of the pixel: so many of all, and of these so many of each name."""
KEPT_SECONDS = 10.0
"""For so long these are not counted again: it takes 25 ms."""
Sides = dict[str, dict[str, SideCounts]]


class RecentSides:
    """A part of each store's `Looks`."""

    _database: Any
    _newest: tuple[str, str]
    """The statements for events and for reports; each takes NEWEST and NEWEST_OF_A_NAME."""
    _sides: tuple[float, Sides] = (0.0, {})
    """When they were counted, and which."""

    def recent_sides(self, now: float) -> Sides:
        counted_at, found = self._sides
        if not 0 <= now - counted_at < KEPT_SECONDS:
            found = _as_sides(*(self._database.read(sql, (NEWEST, NEWEST_OF_A_NAME)) for sql in self._newest))
            self._sides = now, found
        return found


def _as_sides(events: Iterable[tuple[Any, ...]], reports: Iterable[tuple[Any, ...]]) -> Sides:
    """Of (dataset, event name, n, how many of them the other side has, too), of each side's newest.

    `both` is the larger of two samples of the same: whoever makes up reports does not make it smaller."""
    found: Sides = {}
    for dataset, name, n, met in events:
        found.setdefault(dataset, {})[name] = SideCounts(both=met, server_only=n - met)
    for dataset, name, n, met in reports:
        names = found.setdefault(dataset, {})
        of_events = names.get(name, SideCounts())
        both, alone = max(of_events.both, met), of_events.server_only
        names[name] = SideCounts(both=both, server_only=alone, browser_only=n - met)
    return found
