"""The figures of the overview: of each event name, what arrived, how late, what it was worth. Pure, but for a memory.

Hours that are over do not change. They are read from the outbox once in an hour, added up by the store where it can
(thirty datasets have half a million figures in a week), and the table of them is kept; each look adds what is open: the
present hour and the one before. So a page costs the same however many events and datasets the week had.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from conversion_relay.outbox import Figures, Overview, SideCounts, Sums

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


class Closed(msgspec.Struct, frozen=True):
    """Hours that are over, added up as the table needs them."""

    by_hour: list[tuple[str, str, int, int]]
    """(dataset, name, hour, delivered) of a week."""
    today: list[Figures]
    """Of the last 24 hours: one for each dataset and name."""


class Memory:
    """Figures of the last week; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = Closed([], [])
        self._until = 0
        self._rows: dict[tuple[str, bool], Rows] = {}
        self._before: list[Figures] | None = None

    def rows(
        self,
        outbox: Overview,
        sides: dict[str, dict[str, SideCounts]],
        now: float,
        dataset: str = "",
        *,
        with_keys: bool = False,
    ) -> list[Row]:
        """By name, the names that mean money first; of one dataset, or of all together. `with_keys`: match keys of two
        days; else of the last 24 hours, which is quicker to read."""
        with self._lock:
            self._read(outbox, now)
            if (dataset, with_keys) not in self._rows:
                found = Rows(dataset).with_closed(self._closed, now)
                self._rows[dataset, with_keys] = (
                    found.with_before(self._day_before(outbox, now)) if with_keys else found
                )
            over = self._rows[dataset, with_keys].copy()
        return over.with_fresh(_fresh(outbox, now), now).finished(sides)

    def today(self, outbox: Overview, now: float) -> list[Figures]:
        """Of the last 24 hours, some of them added up. A name of the week that had none today is there, with nothing:
        that no Purchase came is what somebody must hear."""
        with self._lock:
            self._read(outbox, now)
            over, week = self._closed.today, {(dataset, name) for dataset, name, *_ in self._closed.by_hour}
        found = over + _fresh(outbox, now)
        quiet = sorted(week - {(one.dataset, one.event_name) for one in found})
        return found + [Figures(dataset=dataset, event_name=name, hour=_present(now)) for dataset, name in quiet]

    def _read(self, outbox: Overview, now: float) -> None:
        """Once in an hour. The hour before is left open: a worker may have written into it a moment ago."""
        present = _present(now)
        if self._until == present:
            return
        day_ago, open_from = present - DAY + HOUR, present - HOUR
        if isinstance(outbox, Sums):
            by_hour = outbox.delivered_by_hour(now - WEEK, open_from)
            today = outbox.figure_sums(day_ago, open_from)
        else:
            week = [hour for hour in outbox.figures(now - WEEK) if hour.hour < open_from]
            by_hour = [(hour.dataset, hour.event_name, hour.hour, hour.delivered) for hour in week]
            today = [hour for hour in week if hour.hour >= day_ago]
        self._closed, self._until, self._rows, self._before = Closed(by_hour, today), present, {}, None

    def _day_before(self, outbox: Overview, now: float) -> list[Figures]:
        """Of the 24 hours before the last 24."""
        if self._before is None:
            until = _present(now) - DAY + HOUR
            if isinstance(outbox, Sums):
                self._before = outbox.figure_sums(until - DAY, until)
            else:
                self._before = [hour for hour in outbox.figures(until - DAY) if until - DAY <= hour.hour < until]
        return self._before


def _present(now: float) -> int:
    return int(now // HOUR) * HOUR


def _fresh(outbox: Overview, now: float) -> list[Figures]:
    return outbox.figures(_present(now) - HOUR)


class Rows:
    """The table while it is added up."""

    def __init__(self, dataset: str) -> None:
        self._dataset = dataset
        self._found: dict[str, Row] = {}
        self._delays: dict[str, Counter[int]] = {}

    def copy(self) -> "Rows":
        made = Rows(self._dataset)
        made._found = {
            name: msgspec.structs.replace(row, days=row.days[:], hours=row.hours[:])
            for name, row in self._found.items()
        }
        made._delays = {name: Counter(delays) for name, delays in self._delays.items()}
        return made

    def with_closed(self, closed: Closed, now: float) -> "Rows":
        sums = Counter[tuple[str, int]]()
        for dataset, name, hour, n in closed.by_hour:
            if self._dataset in ("", dataset):
                sums[name, hour] += n
        for (name, hour), n in sums.items():
            _count(self._row(name), hour, n, now)
        for figures in closed.today:
            if self._dataset in ("", figures.dataset):
                self._add(figures, is_today=True)
        return self

    def with_before(self, figures: Iterable[Figures]) -> "Rows":
        for one in figures:
            if self._dataset in ("", one.dataset):
                self._add(one, is_today=False)
        return self

    def with_fresh(self, figures: Iterable[Figures], now: float) -> "Rows":
        for hour in figures:
            if self._dataset in ("", hour.dataset):
                _count(self._row(hour.event_name), hour.hour, hour.delivered, now)
                self._add(hour, is_today=True)
        return self

    def finished(self, sides: dict[str, dict[str, SideCounts]]) -> list[Row]:
        for owner, names in sides.items():
            for name, n in names.items() if self._dataset in ("", owner) else ():
                row = self._row(name)
                row.sides = _sum(row.sides, n)
        for name, row in self._found.items():
            delays = self._delays.get(name, Counter())
            row.p50, row.p95 = percentile(delays, 0.5), percentile(delays, 0.95)
        return sorted(self._found.values(), key=lambda row: (_rank(row.event_name), -row.week, row.event_name))

    def _row(self, name: str) -> Row:
        row = self._found.get(name)
        if row is None:
            row = self._found[name] = Row(dataset=self._dataset, event_name=name, days=[0] * 7, hours=[0] * 24)
        return row

    def _add(self, figures: Figures, *, is_today: bool) -> None:
        row = self._row(figures.event_name)
        row.sampled += figures.sampled
        row.keys = _added(row.keys, figures.keys)
        if is_today:
            row.dead += figures.dead
            row.expired += figures.expired
            row.worth = _added(row.worth, figures.worth)
            self._delays.setdefault(figures.event_name, Counter()).update(figures.delays)


def _count(row: Row, hour: int, delivered: int, now: float) -> None:
    age = now - hour
    day = int(age // DAY)
    if 0 <= day < 7:
        row.week += delivered
        row.days[6 - day] += delivered
    if age < DAY:
        row.today += delivered
        row.hours[23 - max(0, int(age // HOUR))] += delivered


_N = TypeVar("_N", int, float)


def _added(one: dict[str, _N], other: dict[str, _N]) -> dict[str, _N]:
    """Neither of them is changed: rows are copied with what they hold."""
    return {key: one.get(key, 0) + other.get(key, 0) for key in one | other}


def _sum(one: SideCounts, other: SideCounts) -> SideCounts:
    return SideCounts(
        both=one.both + other.both,
        server_only=one.server_only + other.server_only,
        browser_only=one.browser_only + other.browser_only,
    )


def percentile(delays: Mapping[int, int], share: float) -> int | None:
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


def bars(values: Sequence[int]) -> list[tuple[int, int, int]]:
    """Of a small chart: (value, height of 0 to 20, place)."""
    most = max(values, default=0) or 1
    return [(value, -(-20 * value // most) if value else 0, place) for place, value in enumerate(values)]
