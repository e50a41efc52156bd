"""The figures of the overview: of each event name, what arrived, how late, what it was worth. Pure, but for a memory.

Hours that are over do not change, so they are read from the outbox once; each look reads the present hour alone. So a
page costs the same however many events the week had.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from conversion_relay.outbox import Counts, Figures, Overview, SideCounts

HOUR, DAY, WEEK = 3_600, 86_400, 7 * 86_400


class Row(msgspec.Struct, kw_only=True):
    """Of one event name."""

    dataset: str
    event_name: str
    today: int = 0
    week: int = 0
    dead: int = 0
    expired: int = 0
    worth: dict[str, float] = {}
    p50: int | None = None
    """Seconds within which half of today's events were delivered, counted from when they were accepted."""
    p95: int | None = None
    days: list[int] = []
    """Delivered in each of the last seven days."""
    hours: list[int] = []
    """Delivered in each of the last 24 hours."""
    sides: SideCounts = SideCounts()
    sampled: int = 0
    keys: dict[str, int] = {}


class Memory:
    """Figures of the last week; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._over: list[Figures] = []
        self._until = 0

    def week(self, outbox: Overview, now: float) -> list[Figures]:
        present = int(now // HOUR) * HOUR
        with self._lock:
            if self._until != present:
                # The hour before is read again: a worker may have written into it a moment ago.
                self._over = [f for f in outbox.figures(now - WEEK) if f.hour < present - HOUR]
                self._until = present
            return self._over + outbox.figures(present - HOUR)


def rows(
    figures: Iterable[Figures], sides: dict[str, dict[str, SideCounts]], now: float, dataset: str = ""
) -> list[Row]:
    """By name, the names that mean money first; of one dataset, or of all together."""
    found: dict[tuple[str, str], Row] = {}
    delays: dict[tuple[str, str], Counter[int]] = {}
    for hour in figures:
        if dataset and hour.dataset != dataset:
            continue
        place = dataset, hour.event_name
        row = found.get(place)
        if row is None:
            row = found[place] = Row(dataset=place[0], event_name=place[1], days=[0] * 7, hours=[0] * 24)
        _add(row, hour, now)
        if now - hour.hour < DAY:
            delays.setdefault(place, Counter()).update(hour.delays)
    for owner, names in sides.items():
        for name, n in names.items() if dataset in ("", owner) else ():
            row = found.setdefault((dataset, name), Row(dataset=dataset, event_name=name, days=[0] * 7, hours=[0] * 24))
            row.sides = _sum(row.sides, n)
    for place, row in found.items():
        row.p50, row.p95 = percentile(delays.get(place, {}), 0.5), percentile(delays.get(place, {}), 0.95)
    return sorted(found.values(), key=lambda row: (_rank(row.event_name), -row.week, row.event_name, row.dataset))


def _sum(one: SideCounts, other: SideCounts) -> SideCounts:
    return SideCounts(
        both=one.both + other.both,
        server_only=one.server_only + other.server_only,
        browser_only=one.browser_only + other.browser_only,
    )


def _add(row: Row, hour: Figures, now: float) -> None:
    age, delivered = now - hour.hour, hour.delivered
    day = int(age // DAY)
    if 0 <= day < 7:
        row.week += delivered
        row.days[6 - day] += delivered
    if age < DAY:
        row.today += delivered
        row.hours[23 - max(0, int(age // HOUR))] += delivered
        row.dead += hour.dead
        row.expired += hour.expired
        row.worth = dict(Counter(row.worth) + Counter(hour.worth))
    if age < 2 * DAY:
        row.sampled += hour.sampled
        row.keys = dict(Counter(row.keys) + Counter(hour.keys))


def percentile(delays: "Counter[int] | dict[int, int]", share: float) -> int | None:
    """
    >>> percentile({1: 5, 3: 4, 60: 1}, 0.5), percentile({1: 5, 3: 4, 60: 1}, 0.95), percentile({}, 0.5)
    (1, 60, None)
    """
    total, seen = sum(delays.values()), 0
    for most in sorted(delays):
        seen += delays[most]
        if seen >= total * share:
            return most
    return None


_FIRST = (
    "Purchase",
    "Subscribe",
    "CompleteRegistration",
    "Lead",
    "StartTrial",
    "Schedule",
    "Contact",
    "InitiateCheckout",
)


def _rank(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def waiting(books: dict[str, Counts]) -> int:
    return sum(book.pending + book.leased for book in books.values())


def bars(values: Sequence[int]) -> list[tuple[int, int, int]]:
    """Of a small chart: (value, height of 0 to 20, place)."""
    most = max(values, default=0) or 1
    return [(value, -(-20 * value // most) if value else 0, place) for place, value in enumerate(values)]
