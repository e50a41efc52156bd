"""Finding the bad events among those that Meta refused together: by our own rules, by what they share, by halving.

What could go wrong: Meta refuses a whole request for one bad event, and mostly does not say which. If the batch died,
a thousand good events would die with it; if it were sent again as it is, it would be refused for ever. And each try
is a refused request: hundreds of them hold up what is good, and Meta counts them.

The rules:
1. *Suspects wait apart.* A refused batch leaves the stream: its events go to the lane of suspects, which has calls of
   its own, so that a fresh good event never stands behind a refused one (`sitting.py`, `suspects.py`, `shares.py`).
2. Where Meta names the event by its place in the request, only that one is judged.
3. *Our own suspicion.* If our own rules find events that Meta would refuse for the reason it gave, these are sent apart
   from the others. They are not given up: Meta judges them, we only guess.
4. *Shapes.* Otherwise the batch is ordered by shape (`shapes.py`) and parted where one shape ends, as near to the
   middle as there is such a place. A mistake of one template is then found in a few calls, however many it spoiled.
5. *Halves.* What is of one shape is halved, and a refused half in halves again, until one event is alone.
6. *Twins.* When the first half was accepted, the second one must hold the bad event. It is "guilty": it is parted again
   without a call to ask. So one bad event of 1,000 costs some 21 calls.
7. *As many together as is worth it.* Halving is right for few bad events and wrong for many: of n events that are all
   bad it costs 2n calls. What is known of a shape says how many to try at once: about 0.7 / (share of bad ones), and
   from a share of 0.38 on one by one, which no other order of questions can better.
8. *A known cause.* Three events of a shape, refused alone, one after the other, with none accepted between them: then
   what comes fresh of that shape goes to the suspects at once, and is tried alone and late. The first one that Meta
   takes ends that.
9. *Who may be ended.* An event that Meta refused alone or named. And all events of a refused request, if each of them
   has the same offence (`shapes.offence`), for which Meta refused one of them before, with the same subcode. That a
   group of one shape was refused together proves nothing for its members.
10. *Memory.* Which part an event belongs to is remembered, so that what is interrupted does not begin anew. All of it
   is in memory and bounded. After a restart suspects are still suspects, and parting them begins again.

The price. k bad events among n cost about k log2(n/k) calls where they are few. 400 among 600 that nothing tells apart
are C(600, 400) possible answers, 547 bits, and a call says one bit: no order of questions finds them in 547 calls, and
since each must be refused alone, one by one is the best there is (600 calls). Where the bad ones share a shape it is
400 and a handful; where Meta names a missing member, or our own rules know it, it is a handful in all.

Rejected: sending refused batches event by event (a thousand calls for one bad event); asking our own rules alone (Meta
knows reasons that we do not); believing that a shape is bad because most of it was (an event would die of others'
faults); a table for the parts (a write for each call, for something that a restart may forget).
"""

import threading
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from conversion_relay.delivery.retry import AMBIGUOUS_ATTEMPTS
from conversion_relay.delivery.shapes import Offence, Shape, offence, shape
from conversion_relay.delivery.stumbling import Stumbling
from conversion_relay.meta.batch import MOST_BYTES, halve, pack, size_of
from conversion_relay.meta.validate import is_suspect
from conversion_relay.outbox import LeasedEvent

Key = TypeVar("Key")
Value = TypeVar("Value")
MOST_REMEMBERED = 100_000
MOST_SHAPES = 1_000
"""Shapes and offences that are remembered; the oldest is forgotten for the next."""
KNOWN_AFTER = 3
"""So many of a shape refused alone, with none accepted between them, are a known cause."""
FORGET_HALF_AT = 200
"""Events of a shape; what was long ago counts for less."""
CROWDED_SHARE = 0.1
TOGETHER = 0.7
"""Expected bad events in a request that tells most: about one request in two is then accepted."""


class Batch(msgspec.Struct):
    """Events to send together, while a refused batch is being parted."""

    events: list[LeasedEvent]
    twin: "Batch | None" = None
    """The other part of the same split."""
    is_guilty: bool = False
    """Its twin was accepted, so that the refused event must be in here."""

    @property
    def size(self) -> int:
        """Bytes of its events; 0 for one event alone, whose size cannot be helped."""
        return size_of(self.events) if len(self.events) > 1 else 0


class Tally(msgspec.Struct):
    """What became of a shape's events that were tried as suspects."""

    bad: int = 0
    good: int = 0
    in_a_row: int = 0
    """Bad ones since the last good one."""

    def add(self, bad: int, good: int) -> None:
        self.bad, self.good, self.in_a_row = self.bad + bad, self.good + good, 0 if good else self.in_a_row + bad
        if self.bad + self.good > FORGET_HALF_AT:
            self.bad, self.good = (self.bad + 1) // 2, self.good // 2

    @property
    def share(self) -> float:
        """Of bad ones; 0 while too few are known."""
        return (self.bad + 1) / (self.bad + self.good + 2) if self.bad >= KNOWN_AFTER else 0.0


class Isolation:
    """What is known of the events under suspicion. In memory only: after a restart parting begins again, and no event
    is judged twice by it. Safe to use from several threads.

    Over 150 lines with its rules: parting, packing and learning share one memory."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._parts: dict[int, int] = {}
        """The part of each event by its key; a part is named by the key of its first event."""
        self._twins: dict[int, tuple[int, int, int]] = {}
        """By a first part: the second one, and the sizes of both."""
        self.stumbling = Stumbling()
        self._tallies: dict[tuple[str, Shape], Tally] = {}
        self._offences: dict[tuple[str, int | None, Offence], tuple[str, ...]] = {}
        """For which Meta refused an event alone; with the member that it named."""
        self._crowded: set[str] = set()

    # -- parting -------------------------------------------------------------------------------------------------------

    def pack(self, events: Sequence[LeasedEvent], most_bytes: int = MOST_BYTES) -> list[Batch]:
        """What to send, last one first; an event that Meta stumbles over alone, and after all others."""
        if alone := self.stumbling.among(events):
            return [*(Batch([event]) for event in alone), *self.pack(without(events, alone), most_bytes)]
        if not self._parts:
            return [Batch(batch) for batch in pack(events, most_bytes=most_bytes)][::-1]
        with self._lock:
            groups: dict[int | None, list[LeasedEvent]] = {}
            for event in events:
                groups.setdefault(self._parts.get(event.key), []).append(event)
            packed = {
                name: [Batch(batch) for batch in pack(group, most_bytes=most_bytes)] for name, group in groups.items()
            }
            for first, (second, *sizes) in self._twins.items():
                pair = [*packed.get(first, []), *packed.get(second, [])]
                if [len(batch.events) for batch in pair] == sizes:
                    pair[0].twin = pair[1]
        return [batch for batches in packed.values() for batch in batches][::-1]

    def part(
        self, batch: list[LeasedEvent], subcode: int | None, now: float, path: tuple[str, ...] = (), dataset: str = ""
    ) -> list[Batch]:
        """A refused batch, parted; the part to send first comes last."""
        suspects = {event.key for event in batch if self._is_known(event, subcode, path, now, dataset)}
        suspects = suspects or {event.key for event in batch if is_suspect(event.body, subcode, now)}
        if 0 < len(suspects) < len(batch):
            others = [event for event in batch if event.key not in suspects]
            return self._remember(others, [event for event in batch if event.key in suspects], are_twins=False)
        by_shape: dict[Shape, list[LeasedEvent]] = {}
        for event in batch:
            by_shape.setdefault(shape(event.body, now), []).append(event)
        if len(by_shape) == 1:
            return self.halve(batch)
        ordered = list(by_shape.values())
        ends = [sum(map(len, ordered[:n])) for n in range(1, len(ordered))]
        end = min(ends, key=lambda end: abs(2 * end - len(batch)))
        flat = [event for group in ordered for event in group]
        return self._remember(flat[:end], flat[end:])

    def halve(self, events: list[LeasedEvent]) -> list[Batch]:
        return self._remember(*halve(events))

    def _remember(self, first: list[LeasedEvent], second: list[LeasedEvent], *, are_twins: bool = True) -> list[Batch]:
        with self._lock:
            if len(self._parts) > MOST_REMEMBERED:
                self._parts.clear()
                self._twins.clear()
            for part in (first, second):
                self._parts.update(dict.fromkeys((event.key for event in part), part[0].key))
            twin = Batch(second)
            if not are_twins:
                return [twin, Batch(first)]
            self._twins[first[0].key] = second[0].key, len(first), len(second)
            return [twin, Batch(first, twin=twin)]

    def doubted(self, events: Sequence[LeasedEvent], *, is_taking: bool) -> None:
        """A success that does not add up came to these, to some of them time after time: one of those may be why. Their
        halves are sent apart; halves of halves only while Meta takes anything of the dataset, else it miscounts all."""
        again = [event for event in events if event.attempts + 1 >= AMBIGUOUS_ATTEMPTS]
        if again and (is_taking or again[0].key not in self._parts):
            self._remember(*(halve(again) if len(again) > 1 else (again, again)), are_twins=False)

    def is_clean(self, dataset: str, events: Sequence[LeasedEvent], now: float) -> bool:
        """Whether little is known against the shape of the first one; such batches are sent before others."""
        tally = self._tallies.get((dataset, shape(events[0].body, now))) if self._tallies and events else None
        return tally is None or not tally.share

    def apart(self, dataset: str, batches: Sequence[Batch], now: float) -> list[Batch]:
        """The same events; what is known against some of a batch does not keep the others of it."""
        if not self._tallies:
            return list(batches)
        parted: list[Batch] = []
        for batch in batches:
            bad = [event for event in batch.events if not self.is_clean(dataset, [event], now)]
            is_mixed = 0 < len(bad) < len(batch.events)
            parted += [Batch(bad), Batch(without(batch.events, bad))] if is_mixed else [batch]
        return parted

    def most_together(self, dataset: str, events: Sequence[LeasedEvent], now: float) -> int:
        """How many of these to try at once, the first ones; all of them where nothing is known."""
        if not self._tallies or len(events) < 2:
            return len(events)
        first = shape(events[0].body, now)
        tally = self._tallies.get((dataset, first))
        share = tally.share if tally and shape(events[-1].body, now) == first else 0.0
        if share and self._may_end_together(dataset, [events[0], events[-1]], now):
            return len(events)
        return max(1, min(len(events), int(TOGETHER / share))) if share else len(events)

    # -- learning ------------------------------------------------------------------------------------------------------

    def refused(self, dataset: str, event: LeasedEvent, subcode: int | None, path: tuple[str, ...], now: float) -> None:
        """Meta refused it alone, or named it."""
        with self._lock:
            tally = _room_for(self._tallies, (dataset, shape(event.body, now)), Tally())
            tally.add(1, 0)
            if (found := offence(event.body, subcode, path, now)) is not None:
                _room_for(self._offences, (dataset, subcode, found), path)
            elif tally.share >= CROWDED_SHARE:
                self._crowded.add(dataset)

    def accepted(self, dataset: str, events: Sequence[LeasedEvent], now: float, *, suspects: bool = True) -> None:
        """Costs nothing while no shape is under suspicion. Fresh events end a known cause, and say nothing of the share
        of bad ones among the suspects."""
        for event in events if self._tallies else ():
            tally = self._tallies.get((dataset, shape(event.body, now)))
            if tally is not None:
                with self._lock:
                    tally.add(0, int(suspects))
                    tally.in_a_row = 0

    def knows_nothing(self) -> bool:
        """Whether `knows` is False for any event."""
        return not self._tallies

    def knows(self, dataset: str, event: LeasedEvent, now: float) -> bool:
        """Whether events of its shape are refused, one like the other."""
        if not self._tallies:
            return False
        tally = self._tallies.get((dataset, shape(event.body, now)))
        return tally is not None and tally.in_a_row >= KNOWN_AFTER

    def is_proven(
        self, dataset: str, events: Sequence[LeasedEvent], subcode: int | None, path: tuple[str, ...], now: float
    ) -> bool:
        """Whether a refusal of all these together, for this reason, is about each of them."""
        return bool(self._offences) and all(self._is_known(event, subcode, path, now, dataset) for event in events)

    def _may_end_together(self, dataset: str, events: Sequence[LeasedEvent], now: float) -> bool:
        """Whether these have one offence that is proven: then a refusal may be about all of them."""
        with self._lock:
            proven = [(key, path) for key, path in self._offences.items() if key[0] == dataset]
        return any(
            all(offence(event.body, subcode, path, now) == found for event in events)
            for (_, subcode, found), path in proven
        )

    def _is_known(
        self, event: LeasedEvent, subcode: int | None, path: tuple[str, ...], now: float, dataset: str
    ) -> bool:
        if not self._offences:
            return False
        found = offence(event.body, subcode, path, now)
        return found is not None and (dataset, subcode, found) in self._offences

    def is_crowded(self, dataset: str) -> bool:
        """Whether many suspects are bad, so that several workers should share them."""
        return dataset in self._crowded

    def few_are_left(self, dataset: str) -> None:
        self._crowded.discard(dataset)

    def forget(self, events: Sequence[LeasedEvent]) -> None:
        """These have ended."""
        self.stumbling.forget(events)
        if self._parts:
            with self._lock:
                for event in events:
                    self._parts.pop(event.key, None)
                    self._twins.pop(event.key, None)


def smaller(events: list[LeasedEvent], most_bytes: int) -> list[Batch]:
    """Of a request that was too large; the one to send first comes last."""
    parts = pack(events, most_bytes=most_bytes)
    return [Batch(part) for part in (parts if len(parts) > 1 else halve(events))][::-1]


def without(events: Sequence[LeasedEvent], some: list[LeasedEvent]) -> list[LeasedEvent]:
    """Those that are left, in their order."""
    keys = {event.key for event in some}
    return [event for event in events if event.key not in keys]


def _room_for(memory: dict[Key, Value], key: Key, value: Value) -> Value:
    """What is remembered under the key, else `value` from now on; the oldest is forgotten for it."""
    if key not in memory and len(memory) >= MOST_SHAPES:
        memory.pop(next(iter(memory)))
    return memory.setdefault(key, value)
