"""The visits and the meter of the memory outbox: what they keep, and their verbs."""

import re
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from conversion_relay.intake.visit import Visit
from conversion_relay.outbox import SideCounts

DAY = 86_400.0
MOST_NAMES = 200
Name = tuple[str, str, str]
"""Dataset, event name, event id."""


class MemorySides:
    def __init__(self) -> None:
        self.visits: dict[str, tuple[float, Visit]] = {}
        self.pixel: dict[Name, float] = {}
        self.ledger: dict[Name, Any] = {}
        self.meter: dict[str, dict[str, dict[str, int]]] = {}

    def count(self, name: Name, **moved: int) -> None:
        sides = self.meter.setdefault(name[0], {}).setdefault(name[1], {})
        for side, n in moved.items():
            sides[side] = sides.get(side, 0) + n

    def count_stored(self, name: Name) -> None:
        met = name in self.pixel
        self.count(name, **({"both": 1, "browser_only": -1} if met else {"server_only": 1}))

    def count_reported(self, name: Name, now: float) -> None:
        names = self.meter.setdefault(name[0], {})
        if name in self.pixel or (name[1] not in names and len(names) >= MOST_NAMES):
            return
        self.pixel[name] = now
        self.count(name, **({"both": 1, "server_only": -1} if name in self.ledger else {"browser_only": 1}))

    def prune_sides(self, now: float) -> int:
        visits = [key for key, (seen_at, visit) in self.visits.items() if seen_at < now - kept_days(visit) * DAY]
        pixel = [name for name, at in self.pixel.items() if at < now - 8 * DAY and name not in self.ledger]
        for key in visits:
            del self.visits[key]
        for name in pixel:
            del self.pixel[name]
        return len(visits) + len(pixel)

    def forget_visit(self, event_id: str, body: bytes | None) -> None:
        found = re.search(rb'"order_id":"?([^",}]*)', body or b"")
        for key in (event_id.partition("_")[2], found[1].decode() if found else ""):
            self.visits.pop(key, None)

    def forget_names(self, digests: Sequence[str]) -> None:
        for digest in digests:
            self.visits = {key: visit for key, visit in self.visits.items() if digest not in key}
            self.pixel = {name: at for name, at in self.pixel.items() if digest not in name[2]}


def kept_days(visit: Visit) -> int:
    return 90 if visit.for_long else 7


class SidesVerbs:
    store: Any

    def remember_visitor(self, key: str, visit: Visit, now: float) -> None:
        with self.store.lock:
            known = self.visitor(key, now)
            seen_at = self.store.visits[key][0] if known else now
            self.store.visits[key] = (seen_at, known.filled_from(visit) if known else visit)

    def visitor(self, key: str, now: float) -> Visit | None:
        seen_at, visit = self.store.visits.get(key, (0.0, None))
        return visit if visit and seen_at >= now - kept_days(visit) * DAY else None

    def has_visitors(self) -> bool:
        return bool(self.store.visits)

    def note_pixel(self, dataset: str, pairs: Sequence[tuple[str, str]], now: float) -> "Future[None]":
        with self.store.lock:
            for name, event_id in pairs:
                self.store.count_reported((dataset, name, event_id), now)
        future: Future[None] = Future()
        future.set_result(None)
        return future

    def deduplication(self) -> dict[str, dict[str, SideCounts]]:
        with self.store.lock:
            meter = self.store.meter.items()
            return {d: {name: SideCounts(**sides) for name, sides in names.items()} for d, names in meter if names}

    def recent_sides(self, now: float) -> dict[str, dict[str, SideCounts]]:
        with self.store.lock:
            events, reports = _newest(self.store.ledger), _newest(self.store.pixel)
            ledger, pixel = set(self.store.ledger), set(self.store.pixel)
        found: dict[str, dict[str, SideCounts]] = {}
        for place in events.keys() | reports.keys():
            mine, theirs = events.get(place, []), reports.get(place, [])
            met = [sum(name in pixel for name in mine), sum(name in ledger for name in theirs)]
            counts = SideCounts(both=max(met), server_only=len(mine) - met[0], browser_only=len(theirs) - met[1])
            found.setdefault(place[0], {})[place[1]] = counts
        return found


def _newest(names: dict[Name, Any]) -> dict[tuple[str, str], list[Name]]:
    """Of the newest 10,000 the newest 100 of each dataset and event name."""
    found: dict[tuple[str, str], list[Name]] = {}
    for name in list(names)[-10_000:][::-1]:
        those = found.setdefault(name[:2], [])
        if len(those) < 100:
            those.append(name)
    return found
