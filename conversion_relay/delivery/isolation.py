"""Finding the bad event in a refused batch: first by our own rules, then by halving.

What could go wrong: Meta refuses a whole request for one bad event, and mostly does not say which. If the batch died,
a thousand good events would die with it; if it were sent again as it is, it would be refused for ever.

The rules:
1. Where Meta names the event by its place in the request, only that one is judged (`sitting.py`).
2. *Suspects go apart.* If our own rules find events that Meta would refuse for the reason it gave, these are sent apart
   from the others. They are not given up: Meta judges them, we only guess.
3. *Halves.* Otherwise the batch is sent in two halves, and a refused half in halves again, until one event is alone.
4. *Twins.* When the first half was accepted, the second one must hold the bad event. It is "guilty": it is halved again
   without a call to ask. So one bad event of 1,000 costs at most 21 calls.
5. *Memory.* Which half an event belongs to is remembered, so that an outage in between does not begin anew: `pack`
   puts together what was in one half. In memory only, and bounded. After a restart the halving begins again, and no
   event is judged twice by that.

Rejected: sending refused batches event by event (a thousand calls); asking our own rules alone (Meta knows reasons that
we do not); a table for the halves (a write for each call, for something that a restart may forget).
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
    """The other half of the same split."""
    is_guilty: bool = False
    """Its twin was accepted, so that the refused event must be in here."""


class Isolation:
    """Remembers halves, so that what an outage interrupts goes on where it was. In memory only: after a restart the
    halving begins again, and no event is judged twice by it."""

    def __init__(self) -> None:
        self._halves: dict[int, int] = {}
        self._setbacks: dict[int, tuple[int, int]] = {}

    def setbacks(self, event: LeasedEvent, outage: int) -> int:
        """In how many outages this event was sent alone, this one included. From the second on it may be this event
        that makes Meta fail, since Meta took others in between."""
        known, last = self._setbacks.get(event.key, (0, 0))
        if outage != last:
            if len(self._setbacks) > MOST_REMEMBERED:
                self._setbacks.clear()
            self._setbacks[event.key] = known, last = known + 1, outage
        return known

    def pack(self, events: Sequence[LeasedEvent]) -> list[Batch]:
        """What to send, last one first."""
        groups: dict[int | None, list[LeasedEvent]] = {}
        for event in events:
            groups.setdefault(self._halves.get(event.key), []).append(event)
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
