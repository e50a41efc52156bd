"""Finding the one event that spoils it for the others: those our own rules suspect go apart, else halves of halves.

Meta refuses whole requests and mostly does not say which event it was. One bad event of 1,000 costs at most 21 calls:
when one half was accepted the other is known to hold it, and is halved again without asking.
"""

from collections.abc import Iterable, Sequence

import msgspec

from conversion_relay.meta.batch import halve, pack
from conversion_relay.meta.validate import is_suspect
from conversion_relay.outbox import LeasedEvent

MOST_REMEMBERED = 100_000


class Batch(msgspec.Struct):
    """Events to send together, while a refused batch is being halved."""

    events: list[LeasedEvent]
    twin: "Batch | None" = None
    """The second half of what this is the first half of."""
    is_guilty: bool = False
    """The first half was accepted, so what Meta refused is in here."""


class Isolation:
    """Remembers halves, so that what an outage interrupts goes on where it was. In memory only: after a restart the
    halving begins again, and no event is judged twice by it."""

    def __init__(self) -> None:
        self._halves: dict[int, int] = {}
        self._setbacks: dict[int, tuple[int, int]] = {}

    def setbacks(self, event: LeasedEvent, outage: int) -> int:
        """In how many outages this event was sent alone, this one included. Where Meta took others between them, it
        may be this event that makes Meta fail."""
        known, last = self._setbacks.get(event.key, (0, 0))
        if outage != last:
            if len(self._setbacks) > MOST_REMEMBERED:
                self._setbacks.clear()
            self._setbacks[event.key] = known, last = known + 1, outage
        return known

    def pack(self, events: Sequence[LeasedEvent]) -> list[Batch]:
        """What to send, last one first."""
        groups: dict[int, list[LeasedEvent]] = {}
        for event in events:
            groups.setdefault(self._halves.get(event.key, 0), []).append(event)
        return [Batch(batch) for group in groups.values() for batch in pack(group)][::-1]

    def part(self, batch: list[LeasedEvent], subcode: int | None, now: float) -> list[Batch]:
        """A refused batch, parted; the part to send first comes last."""
        suspects = {event.key for event in batch if is_suspect(event.body, subcode, now)}
        if not 0 < len(suspects) < len(batch):
            return self.halve(batch)
        others = [event for event in batch if event.key not in suspects]
        return [Batch(others), Batch([event for event in batch if event.key in suspects])]

    def halve(self, events: list[LeasedEvent]) -> list[Batch]:
        if len(self._halves) > MOST_REMEMBERED:
            self._halves.clear()
        first, second = halve(events)
        for half in (first, second):
            self._halves.update(dict.fromkeys((event.key for event in half), half[0].key))
        twin = Batch(second)
        return [twin, Batch(first, twin=twin)]

    def forget(self, events: Iterable[LeasedEvent]) -> None:
        if self._halves or self._setbacks:
            for event in events:
                self._halves.pop(event.key, None)
                self._setbacks.pop(event.key, None)
