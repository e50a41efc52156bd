"""What became of events, by name and hour: the figures of the overview and of the match keys.

What could go wrong. A page that counts five million rows takes seconds, and takes the disk from whoever accepts events.
A counter in each `put` costs every request. Names are made by whoever sends: a thousand of them would fill the table.
And there is one thread that writes: what it counts, everybody waits for.

The rule. Nothing is counted when an event is put. When events end, they end together (up to a thousand), and whoever
settles them has them in hand: it counts them by name (`told`), and the thread that writes only adds a few rows in the
transaction that ends them (`add`). A delivered event's body is deleted then, or soon after, so what the body tells is
noted, too: what a sale was worth, and of a few events of each batch which match keys they carried. Of a trickle nearly
every event is looked at; of a flood a sample, and pages say so.

Should a person have erased one of the events while it was leased, the others are counted again, by their keys.

Rejected: an index over the time of the end (every delivered event would pay for it); to count in SQL (the thread that
writes took 60 % longer); to look into every body (to parse JSON takes a third of the time that a settlement takes).
"""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import apsw
import msgspec

from conversion_relay.outbox.counting import KEPT_HOURS, MOST_NAMES, Counted, as_figures, counted, first_hour, hour_of
from conversion_relay.outbox.protocol import LeasedEvent
from conversion_relay.outbox.sqlite.books import Read
from conversion_relay.outbox.story import Figures, State
from conversion_relay.outbox.verdict import Dead, Delivered, Expired, Verdict


class Told(NamedTuple):
    """Events that are settled alike, and what is counted of them."""

    verdict: Verdict
    events: Sequence[LeasedEvent]
    counted: Counted


def told(verdict: Verdict, events: Sequence[LeasedEvent], now: float) -> Told:
    """Counted by whoever settles. Nothing is where the events do not end."""
    return Told(verdict, events, counted(_state(verdict), events, now))


def _state(verdict: Verdict) -> State:
    match verdict:
        case Delivered():
            return "delivered"
        case Dead():
            return "dead"
        case Expired():
            return "expired"
    return "pending"


def add(db: apsw.Connection, dataset: int, told: Told, keys: "array[int]", ended: int, now: float) -> None:
    """In the transaction that ends these events, after they did. `ended`: how many of them."""
    found = told.counted
    if found and ended != len(keys):
        these = {key for (key,) in db.execute(_ENDED, (apsw.carray(keys), now)).fetchall()}
        found = counted(_state(told.verdict), [event for event in told.events if event.key in these], now)
    if found:
        rows = _encode([(name, what, n) for (name, what), n in found.items()])
        db.execute(_ADD, (dataset, hour_of(now), rows.decode()))


_encode = msgspec.json.Encoder().encode
_sums_decoder = msgspec.json.Decoder(list[tuple[str, float]])
_ENDED = """
SELECT key FROM event WHERE key IN carray(?) AND settled_at = ? AND state IN ('delivered', 'dead', 'expired')
"""
# From each name to the next: a month of a name's figures is thousands of rows.
_ADD = f"""
WITH RECURSIVE named (event_name) AS (
  SELECT min(event_name) FROM figure WHERE dataset = ?1
  UNION ALL SELECT (SELECT min(f.event_name) FROM figure f WHERE f.dataset = ?1 AND f.event_name > named.event_name)
  FROM named WHERE event_name IS NOT NULL
)
INSERT INTO figure SELECT ?1, iif(EXISTS (SELECT 1 FROM figure WHERE dataset = ?1 AND event_name = name)
  OR (SELECT count(*) FROM (SELECT 1 FROM named WHERE event_name IS NOT NULL LIMIT {MOST_NAMES})) < {MOST_NAMES},
  name, 'other'), ?2, what, sum(n)
FROM (SELECT value ->> 0 AS name, value ->> 1 AS what, value ->> 2 AS n FROM json_each(?3))
GROUP BY 1, 2, 3, 4 ON CONFLICT DO UPDATE SET n = n + excluded.n
"""


def prune(db: apsw.Connection, now: float) -> int:
    """Some of the old ones; how many."""
    db.execute(_PRUNE, (hour_of(now) - KEPT_HOURS, PRUNED_AT_ONCE))
    return db.changes()


def figures(read: Read, since: float) -> list[Figures]:
    """By dataset, name and hour, the hours rising."""
    return as_figures(read(_FIGURES, (hour_of(since),)))


def figure_sums(read: Read, since: float, until: float) -> list[Figures]:
    """By dataset and name, all hours of the period in one."""
    first = first_hour(since)
    rows = read(_SUMS, (first, first_hour(until)))
    return as_figures((*named, first, what, n) for *named, sums in rows for what, n in _sums_decoder.decode(sums))


def delivered_by_hour(read: Read, since: float, until: float) -> list[tuple[str, str, int, int]]:
    rows = read(_DELIVERED_BY_HOUR, (first_hour(since), first_hour(until)))
    return [(dataset, name, hour * 3_600, int(n)) for dataset, name, hour, n in rows if n]


# The rows of a name lie beside each other, by hour. A condition on the hour alone walks through all of them: half a
# million in a week of thirty datasets. So the names are found first, each by a jump to the next one, then the hours of
# each; CROSS JOIN keeps SQLite to that order. What is summed within a name is sorted within it, too.
_NAMES = """
WITH RECURSIVE named (id, name, event_name) AS (
  SELECT id, name, (SELECT min(event_name) FROM figure WHERE dataset = id) FROM dataset
  UNION ALL
  SELECT id, name, (SELECT min(f.event_name) FROM figure f WHERE f.dataset = id AND f.event_name > named.event_name)
  FROM named WHERE event_name IS NOT NULL
)
"""
_SUMS = f"""{_NAMES}
SELECT name, event_name, (SELECT json_group_array(json_array(what, n)) FROM (
  SELECT what, sum(n) AS n FROM figure f
  WHERE f.dataset = id AND f.event_name = named.event_name AND hour >= ?1 AND hour < ?2 GROUP BY what))
FROM named WHERE event_name IS NOT NULL
"""
_DELIVERED_BY_HOUR = f"""{_NAMES}, hours (h) AS (SELECT ?1 UNION ALL SELECT h + 1 FROM hours WHERE h + 1 < ?2)
SELECT name, event_name, h, (
  SELECT sum(n) FROM figure f WHERE f.dataset = id AND f.event_name = named.event_name AND hour = h
  AND what >= 'delay:' AND what < 'delay;')
FROM named CROSS JOIN hours WHERE h < ?2 AND event_name IS NOT NULL
"""
_PRUNE = f"""{_NAMES}
DELETE FROM figure WHERE (dataset, event_name, hour, what) IN (
  SELECT id, named.event_name, f.hour, f.what FROM named CROSS JOIN figure f
  ON f.dataset = id AND f.event_name = named.event_name AND f.hour < ? LIMIT ?)
"""
PRUNED_AT_ONCE = 5_000
_FIGURES = f"""{_NAMES}
SELECT name, f.event_name, hour, what, n FROM named CROSS JOIN figure f
ON f.dataset = id AND f.event_name = named.event_name AND hour >= ? ORDER BY 3, 1, 2
"""
