"""Which events are claimed next. All functions work inside a transaction that the caller opened.

What could go wrong. After an outage a million events wait. First in, first out would send a visitor's order of this
minute hours later, when it is worth little to an ad. Last in, first out would let the oldest events reach Meta's
limit of seven days, and they would be lost. And a query that sorts a million rows, or an index over state and time on
the wide table, makes each claim slower the more there is to do.

The rule: `queue` holds one narrow row for each waiting event, and the row's lane says what it waits for.

    lane 0  live     accepted in the last 30 s; by the time of acceptance
    lane 1  backlog  older, or tried before; by deadline, but first what tells of money (PAID_EVENT_NAMES), and then
                     what Meta may have already, by the time sent
    lane 2  later    waits until a time, after an error or while its dataset is parked aside; by that time
    lane 3  held     waits for a person's word; by deadline, at which it expires
    lane 4  suspects refused together with others, to be tried apart from them; by the time from which they may be

A claim takes live events first; where the backlog waits too, half of the places are the backlog's. So what is fresh
is at Meta within seconds, and the backlog is done at no less than half of the speed, nearest deadline first. Suspects
are claimed by themselves, for calls of their own (`delivery/isolation.py`): no good event stands behind them. Each
claim and each `tidy` moves at most MOST_MOVED events to the lane where they belong by now. The primary key (dataset,
lane, rank, key) is the order, so the first thousand of a lane are read and deleted from the head of a B-tree; that
costs the same at a thousand and at ten million.

Two details:
- Ranges compare the pair (rank, key): a million events may have one rank, and a range by rank alone would take them
  all.
- The clock may have been set back. What is due in more than LONGEST_WAIT was written under another clock, and is due
  now.

Rejected: priorities as numbers (nobody knows which); weighted fair queueing (half is easy to explain and to test).
"""

from array import array
from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from conversion_relay.outbox.lanes import BACKLOG, BACKLOG_RANK, LIVE, MOST_MOVED, SUSPECTS, Span, to_the_backlog
from conversion_relay.outbox.sqlite.books import Read, read

MOST_KEY = 2**63 - 1


def dequeue(db: apsw.Connection, dataset: int, limit: int, now: float) -> "array[int]":
    """The keys. Fresh events first; where others wait too, half of the places are theirs, by deadline."""
    shift_lanes(db, dataset, now)
    live, last = _first(db, dataset, LIVE, limit)
    fresh = len(live)
    waiting = _dequeue(db, dataset, BACKLOG, limit - min(fresh, limit // 2))
    if fresh > limit - len(waiting):
        live, last = _first(db, dataset, LIVE, limit - len(waiting))
    return _delete(db, dataset, LIVE, live, last) + waiting


def dequeue_suspects(db: apsw.Connection, dataset: int, limit: int, now: float) -> "array[int]":
    """The keys of those that may be tried by now."""
    shift_lanes(db, dataset, now)
    return _dequeue(db, dataset, SUSPECTS, limit, now)


def _dequeue(db: apsw.Connection, dataset: int, lane: int, limit: int, until: float = 1e18) -> "array[int]":
    return _delete(db, dataset, lane, *_first(db, dataset, lane, limit, until))


def _first(
    db: apsw.Connection, dataset: int, lane: int, limit: int, until: float = 1e18
) -> tuple["array[int]", float | None]:
    """The first keys of a lane and the last one's rank, in one row: for every row of its own the writing thread would
    wait for its turn to run."""
    ((listed, last_rank),) = read(db, _FIRST, (dataset, lane, until, limit))
    return array("q", _keys_decoder.decode(listed)), last_rank


def _delete(db: apsw.Connection, dataset: int, lane: int, keys: "array[int]", last_rank: float | None) -> "array[int]":
    """The first ones of a lane leave it."""
    if keys:
        db.execute(_DEQUEUE, (dataset, lane, last_rank, keys[-1]))
    return keys


_FIRST = """
SELECT json_group_array(key ORDER BY rank, key), max(rank)
FROM (SELECT rank, key FROM queue WHERE dataset = ? AND lane = ? AND rank <= ? ORDER BY rank, key LIMIT ?)
"""
_DEQUEUE = "DELETE FROM queue WHERE dataset = ? AND lane = ? AND (rank, key) <= (?, ?)"


def shift_lanes(db: apsw.Connection, dataset: int, now: float) -> int:
    """What is no longer fresh joins the backlog, and so does what has waited its time; how many."""
    spans = to_the_backlog(now)
    # One look tells that there is nothing to do, as it nearly always does; ten statements told it ten times slower.
    (found,) = read(db, _HOLD_SOMETHING, (*_flat(spans), dataset))
    return sum(_shift(db, dataset, *span) for span, holds in zip(spans, found, strict=True) if holds)


def to_shift(read: Read, now: float) -> list[int]:
    """The datasets for which `shift_lanes` has something to do."""
    return [dataset for (dataset,) in read(_TO_SHIFT, _flat(to_the_backlog(now)))]


def _flat(spans: tuple[Span, ...]) -> tuple[float, ...]:
    return tuple(value for span in spans for value in span)


def _hold(dataset: str) -> list[str]:
    """A question for each of `to_the_backlog`, whose values are the first parameters."""
    lane_of = "EXISTS (SELECT 1 FROM queue WHERE dataset = {} AND lane = ?{} AND rank > ?{} AND rank <= ?{})"
    return [lane_of.format(dataset, n, n + 1, n + 2) for n in range(1, _VALUES, 3)]


_VALUES = len(_flat(to_the_backlog(0.0)))
_HOLD_SOMETHING = f"SELECT {', '.join(_hold(f'?{_VALUES + 1}'))}"
_TO_SHIFT = f"SELECT id FROM dataset WHERE {' OR '.join(_hold('id'))}"


def _shift(db: apsw.Connection, dataset: int, lane: int, after: float, until: float) -> int:
    start = (dataset, lane, after, MOST_KEY)
    full = read(db, _LAST_MOVED, (*start, until, MOST_KEY))
    span = (*start, *(full[0] if full else (until, MOST_KEY)))
    db.execute(_JOIN_BACKLOG, span)
    if n := db.changes():
        db.execute(f"DELETE {_SPAN}", span)
    return n


# Pairs are compared, so that a seek by both columns ends where it should: a million events may share one rank.
_SPAN = "FROM queue WHERE dataset = ? AND lane = ? AND (rank, key) > (?, ?) AND (rank, key) <= (?, ?)"
_LAST_MOVED = f"SELECT rank, key {_SPAN} ORDER BY rank, key LIMIT 1 OFFSET {MOST_MOVED - 1}"
_JOIN_BACKLOG = f"""
INSERT INTO queue SELECT event.dataset, 1, {BACKLOG_RANK}, event.key
FROM (SELECT key AS waiting {_SPAN}) JOIN event ON event.key = waiting
"""


def enqueue(db: apsw.Connection, lane: int, keys: Any, due_at: float | None = None) -> int:
    """How many; an event that was erased meanwhile has no turn any more. `due_at`: of the lanes later and suspects."""
    db.execute(
        "INSERT INTO queue SELECT dataset, ?1, CASE ?1 WHEN 0 THEN accepted_at WHEN 1 THEN"
        f" {BACKLOG_RANK} WHEN 3 THEN expires_at ELSE ?2 END, key"
        " FROM event WHERE key IN carray(?3) AND state = 'waiting'",
        (lane, due_at, keys),
    )
    return db.changes()


def turns(read: Read, keys: Sequence[int]) -> list[tuple[int, int, float, int]]:
    """(dataset, lane, rank, key) of those that wait in a lane; what is leased does not. However many others wait, each
    is found by its place."""
    found = read(_TURNS, (apsw.carray(array("q", keys)),)) if keys else []
    known = {key for _, _, _, key in found}
    if rest := array("q", (key for key in keys if key not in known)):
        found += read(_LATER_TURNS if len(rest) <= FEW else _LATER_TURNS_OF_MANY, (apsw.carray(rest),))
    return found


FEW = 10
"""Of more events it takes less to read the lanes."""


# Earlier versions let what tells of money stand in lane 1 by its deadline, like all others. CROSS JOIN: SQLite would
# rather read the whole queue for each event (https://sqlite.org/optoverview.html#crossjoin).
_TURNS = f"""
WITH e AS MATERIALIZED (SELECT * FROM event WHERE key IN carray(?1) AND state = 'waiting')
SELECT queue.dataset, queue.lane, queue.rank, queue.key FROM (
  SELECT dataset, 0 AS lane, accepted_at AS rank, key FROM e
  UNION SELECT dataset, 1, {BACKLOG_RANK}, key FROM e
  UNION SELECT dataset, 1, coalesce(sent_at, expires_at), key FROM e
  UNION SELECT dataset, 3, expires_at, key FROM e) AS place
CROSS JOIN queue USING (dataset, lane, rank, key)
"""
# Lanes 2 and 4 can only be searched, once for all; an event without a reason never stood there. What one call to Meta
# put there has one rank, so a few events are looked for by jumps from rank to rank.
_LATER_TURNS = """
WITH RECURSIVE e AS MATERIALIZED (
  SELECT key, dataset FROM event WHERE key IN carray(?1) AND state = 'waiting' AND reason IS NOT NULL
), place (dataset, lane, rank) AS (
  SELECT DISTINCT dataset, column1, (SELECT min(rank) FROM queue WHERE dataset = e.dataset AND lane = column1)
  FROM e, (VALUES (2), (4))
  UNION ALL
  SELECT dataset, lane, (SELECT min(q.rank) FROM queue q
    WHERE q.dataset = place.dataset AND q.lane = place.lane AND q.rank > place.rank)
  FROM place WHERE rank IS NOT NULL
)
SELECT queue.dataset, queue.lane, queue.rank, queue.key
FROM place CROSS JOIN e USING (dataset) CROSS JOIN queue
ON queue.dataset = place.dataset AND queue.lane = place.lane AND queue.rank = place.rank AND queue.key = e.key
"""
_LATER_TURNS_OF_MANY = """
SELECT dataset, lane, rank, key FROM queue
WHERE dataset IN (SELECT dataset FROM event WHERE key IN carray(?1) AND state = 'waiting' AND reason IS NOT NULL)
  AND lane IN (2, 4) AND key IN carray(?1)
"""


_keys_decoder = msgspec.json.Decoder(list[int])
