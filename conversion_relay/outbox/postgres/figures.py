"""What became of events, by name and hour (`sqlite/figures.py` tells why and what).

The worker counts: it has names, bodies and times in its hands when it settles. The transaction returns which of its
events ended, so one that was erased meanwhile is not counted; and the database, which all workers share, reads no body.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from conversion_relay.outbox.counting import MOST_NAMES, as_figures, counted, first_hour, hour_of
from conversion_relay.outbox.postgres.arrays import Array, floats, ints, texts
from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.leases import Ended
from conversion_relay.outbox.postgres.session import Session
from conversion_relay.outbox.protocol import LeasedEvent
from conversion_relay.outbox.story import Figures

Cells = Counter[tuple[int, str, int, str]]
"""(dataset, event name, hour, what) -> how much."""


class Tallier:
    """Counts what ended, within MOST_NAMES names of each dataset.

    The names that stand in the table are read once, of all datasets: read at the first event of each name, they were
    half of what a process did that delivers a little to each of a thousand datasets. From UNASKED names of a dataset on
    they are read again for each new one, since other processes have added theirs. So each process may exceed the bound
    by UNASKED names at most."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names: dict[int, set[str]] | None = None
        """None before they are read."""
        self._lock = threading.Lock()

    def names(self, dataset: int, events: Iterable[LeasedEvent]) -> dict[str, str]:
        """Under which name each is counted. Not to be asked within a transaction: it may need a connection."""
        return {name: self._name(dataset, name) for name in {event.event_name for event in events}}

    def cells(
        self, dataset: int, names: Mapping[str, str], ended: Ended, events: Mapping[int, LeasedEvent], now: float
    ) -> Cells:
        cells: Cells = Counter()
        hour = hour_of(now)
        for state, keys in ended:
            these = [events[key] for key in keys]
            for (name, what), n in counted(state, these, now).items():
                cells[dataset, names[name], hour, what] += n
        return cells

    def _name(self, dataset: int, name: str) -> str:
        known = self._begin() if self._names is None else self._names
        with self._lock:
            names = known.setdefault(dataset, set())
            if name in names:
                return name
            if len(names) < UNASKED:
                names.add(name)
                return name
        sql = "SELECT DISTINCT event_name FROM relay.figure WHERE dataset = %b"
        found = self._database.read(sql, (dataset,), pinned=True)
        with self._lock:
            names.update(row[0] for row in found)
            if name not in names and len(names) >= MOST_NAMES:
                return "other"
            names.add(name)
            return name

    def _begin(self) -> dict[int, set[str]]:
        """Not within the lock: whoever waits for that may hold the connection that this waits for."""
        found: dict[int, set[str]] = {}
        for dataset, name in self._database.read(_NAMES, pinned=True):
            found.setdefault(dataset, set()).add(name)
        with self._lock:
            self._names = found if self._names is None else self._names
            return self._names


UNASKED = MOST_NAMES // 4
# From each name to the next: a month of a name's figures is thousands of rows.
_NAMES = """
WITH RECURSIVE named AS (
  (SELECT dataset, event_name FROM relay.figure ORDER BY dataset, event_name LIMIT 1)
  UNION ALL
  SELECT next.* FROM named, LATERAL (
    SELECT dataset, event_name FROM relay.figure
    WHERE (dataset, event_name) > (named.dataset, named.event_name) ORDER BY dataset, event_name LIMIT 1) AS next
)
SELECT dataset, event_name FROM named
"""


def columns(cells: Cells) -> list[Array]:
    """Of one dataset's: names, hours, whats and numbers, in the order in which all lock them."""
    return _in_order(cells)[1:]


def write(session: Session, cells: Cells) -> None:
    if cells:
        session.run(_WRITE, (session.slots.one(), *_in_order(cells)))


def _in_order(cells: Cells) -> list[Array]:
    told = sorted((*cell, n) for cell, n in cells.items())
    datasets, names, hours, whats, numbers = zip(*told, strict=True)
    return [ints(datasets), texts(names), ints(hours), texts(whats), floats(numbers)]


_WRITE = """
INSERT INTO relay.figure AS f SELECT dataset, event_name, hour, what, %b, n
FROM unnest(%b::int[], %b::text[], %b::int[], %b::text[], %b::float8[]) AS c (dataset, event_name, hour, what, n)
ON CONFLICT (dataset, event_name, hour, what, slot) DO UPDATE SET n = f.n + excluded.n
"""
PRUNE = "DELETE FROM relay.figure WHERE hour < %b::int RETURNING 1"


class Gathering:
    """Puts the rows of hours that are over together. While an hour lasts a figure has up to SLOTS rows, so that workers
    do not wait for each other; pages would add up sixteen times as many rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._until = 0
        """Every hour before this one was seen whole."""

    def gather(self, now: float) -> int:
        """Some of them; how many rows that saved."""
        until, saved = hour_of(now) - 1, 0
        if self._until >= until:
            return 0
        found = self._database.read(_SPREAD, (self._until, until, AT_ONCE))
        for dataset, hour in found:
            ((before, after),) = self._database.read(_GATHER, (dataset, hour))
            saved += before - after
        if len(found) < AT_ONCE:
            self._until = until
        return int(saved)


AT_ONCE = 30
"""Hours of a dataset."""
_SPREAD = (
    "SELECT DISTINCT dataset, hour FROM relay.figure WHERE hour >= %b::int AND hour < %b::int AND slot <> 0 LIMIT %b"
)
# A worker that was late may add to such an hour at any time. What it wrote before is deleted with what it wrote; what
# it writes after finds no row and makes one, which is added up like any other.
_GATHER = """
WITH gone AS (DELETE FROM relay.figure WHERE dataset = %b AND hour = %b RETURNING *),
whole AS (
  INSERT INTO relay.figure AS f SELECT dataset, event_name, hour, what, 0, sum(n) FROM gone GROUP BY 1, 2, 3, 4
  ON CONFLICT (dataset, event_name, hour, what, slot) DO UPDATE SET n = f.n + excluded.n RETURNING 1
)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM whole)
"""


FIGURES = """
SELECT d.name, event_name, hour, what, sum(n) FROM relay.figure JOIN relay.dataset d ON d.id = dataset
WHERE hour >= %b::int GROUP BY 1, 2, 3, 4 ORDER BY 3, 1, 2
"""


def figure_sums(rows: Sequence[tuple[Any, ...]], since: float) -> list[Figures]:
    """Of SUMS' rows: by dataset and name, all hours of the period in one."""
    return as_figures((*named, first_hour(since), what, n) for *named, what, n in rows)


SUMS = """
SELECT d.name, event_name, what, sum(n) FROM relay.figure JOIN relay.dataset d ON d.id = dataset
WHERE hour >= %b::int AND hour < %b::int GROUP BY 1, 2, 3
"""


def delivered_by_hour(rows: Sequence[tuple[Any, ...]]) -> list[tuple[str, str, int, int]]:
    """Of DELIVERED's rows. Added up here: a week of thirty datasets has 50,000 hours, which the server would sort."""
    found: Counter[tuple[str, str, int]] = Counter()
    for name, event, hours, numbers in rows:
        for hour, n in zip(hours, numbers, strict=True):
            found[name, event, hour] += n
    return [(name, event, hour * 3_600, n) for (name, event, hour), n in found.items() if n]


DELIVERED = """
SELECT d.name, f.event_name, f.hours, f.numbers FROM (
  SELECT dataset, event_name, array_agg(hour) AS hours, array_agg(n::bigint) AS numbers FROM relay.figure
  WHERE hour >= %b::int AND hour < %b::int AND starts_with(what, 'delay:') GROUP BY 1, 2
) f JOIN relay.dataset d ON d.id = f.dataset
"""
