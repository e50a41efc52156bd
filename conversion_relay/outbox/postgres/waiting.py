"""What a worker looks at before it claims: which datasets have something, and what must be taken over or taken back.

What could go wrong. With a thousand datasets a look that asks for each of them took 3.7 ms of CPU, more than a turn of
one event, and there is a look for nearly every turn. So a look goes from one dataset that has something to the next
(`lanes.IN_QUEUE`), which takes 0.15 ms where few have. A step takes three times as long as to ask for one dataset, so
where MANY have something each is asked for; and while deleted rows crowd the queue, then behind these (`floors.py`).
That takes 6 ms, and each put may be a reason for it: it waits until twice as long has gone by since the last one, and
finds what came meanwhile.
"""

import time
from typing import TYPE_CHECKING

from conversion_relay.outbox.postgres.arrays import bigints, floats, ints
from conversion_relay.outbox.postgres.floors import (
    A_LITTLE,
    A_THIRD,
    AHEAD,
    FROM_FRONT,
    LEASES,
    LONGEST_REST,
    WORK,
    Floors,
)
from conversion_relay.outbox.postgres.lanes import IN_QUEUE
from conversion_relay.outbox.postgres.session import Rows

if TYPE_CHECKING:
    from conversion_relay.outbox.postgres.database import Database


MANY = 200
"""Datasets that have something. There is no look in between at how many there are."""


def first_look(database: "Database", floors: Floors) -> tuple[bool, list[str] | None]:
    """Whether callers put something, and which leases ran out. Their tables are read whole, with all rows that were
    deleted from them, so it is rarer while it is crowded."""
    if floors.is_crowded and not floors.due(LEASES, A_LITTLE):
        return False, None
    began = time.monotonic()
    ((has_mail, lost),) = database.read(_FIRST_LOOK, pinned=True)
    floors.looked(LEASES, time.monotonic() - began, A_LITTLE)
    return has_mail, lost


_FIRST_LOOK = """
SELECT EXISTS (SELECT 1 FROM relay.inbox),
  (SELECT array_agg(token) FROM relay.lease WHERE until < clock_timestamp())
"""


def look_for_work(database: "Database", floors: Floors, now: float) -> dict[str, float]:
    """Datasets, and when they have something to send."""
    if not floors.is_crowded:
        rows = database.read(_WAITING_OF_EACH if floors.in_queue > MANY else WAITING, pinned=True)
        floors.in_queue = len(rows)
        return _waiting(rows)
    known, returned = floors.all()
    places = known.values()
    values = {
        "ids": ints(list(known)),
        "live": floats([one.live[0] for one in places]),
        "backlog": floats([one.backlog[0] for one in places]),
        "last": bigints([one.backlog[1] for one in places]),
        "later": floats([one.later for one in places]),
    }
    time.sleep(min(LONGEST_REST, floors.seconds_until(WORK, A_THIRD)))
    began = time.monotonic()
    rows = database.read(_WAITING_BEHIND, values, pinned=True)
    floors.looked(WORK, time.monotonic() - began, A_THIRD)
    floors.nothing_waits([dataset for _, is_ready, _, dataset in rows if not is_ready], returned, now)
    return _waiting(rows)


def _waiting(rows: Rows) -> dict[str, float]:
    return {dataset: 0.0 if ready else due_at for dataset, ready, due_at, _ in rows if ready or due_at is not None}


_DUE = """
least((SELECT rank FROM relay.queue WHERE dataset = {id} AND lane = 2 {later} ORDER BY rank LIMIT 1),
  (SELECT rank FROM relay.queue WHERE dataset = {id} AND lane = 3 ORDER BY rank LIMIT 1))
"""
_OF_FIRST = f"SELECT name, lane < 2, CASE WHEN lane >= 2 THEN {_DUE.format(id='id', later='')} END, id"
WAITING = f"{IN_QUEUE} {_OF_FIRST} FROM in_queue JOIN relay.dataset ON id = in_queue.dataset"
_WAITING_OF_EACH = f"""
{_OF_FIRST} FROM (
  SELECT name, id, (SELECT lane FROM relay.queue WHERE dataset = id ORDER BY lane LIMIT 1) AS lane
  FROM relay.dataset OFFSET 0) AS each WHERE lane IS NOT NULL
"""
# Datasets, and from which rank on three of their lanes are looked at. `(SELECT true ... LIMIT 1)`, not EXISTS: with a
# thousand datasets the planner reads all of `queue` into a hash table for an EXISTS, at each look. EXCEPT, not a join
# of the two lists: our sessions have hash joins turned off, and a thousand times a thousand pairs took 0.1 s.
_WAITING_BEHIND = f"""
SELECT name, coalesce(
    (SELECT true FROM relay.queue WHERE dataset = id AND lane = 0 AND rank >= coalesce(live, -1e18) LIMIT 1),
    (SELECT true FROM relay.queue WHERE dataset = id AND lane = 1
      AND (rank, key) > (coalesce(backlog, -1e18), coalesce(last, -1)) LIMIT 1), false),
  {_DUE.format(id="id", later="AND rank >= coalesce(later, -1e18)")}, id
FROM (
  SELECT * FROM unnest(%(ids)b::int[], %(live)b::float8[], %(backlog)b::float8[], %(last)b::bigint[],
    %(later)b::float8[]) AS f (id, live, backlog, last, later)
  UNION ALL SELECT id, NULL, NULL, NULL, NULL
  FROM (SELECT id FROM relay.dataset EXCEPT SELECT unnest(%(ids)b::int[])) AS unknown
) AS place, LATERAL (SELECT name FROM relay.dataset d WHERE d.id = place.id OFFSET 0) AS of
"""


def suspects(database: "Database", floors: Floors) -> dict[str, float]:
    """Datasets, and when their suspects are tried."""
    is_of_each = floors.is_crowded or floors.in_queue > MANY
    rows = database.read(_SUSPECTS_OF_EACH if is_of_each else SUSPECTS, pinned=True)
    return {dataset: due_at for dataset, due_at in rows if due_at is not None}


# As `lanes.IN_QUEUE`, but from each dataset's first row to its first suspect.
SUSPECTS = """
WITH RECURSIVE step AS (
  (SELECT dataset, lane, rank FROM relay.queue ORDER BY dataset, lane, rank LIMIT 1)
  UNION ALL
  SELECT next.* FROM step, LATERAL (
    SELECT dataset, lane, rank FROM relay.queue
    WHERE (dataset, lane) >= (step.dataset + (step.lane = 4)::int, CASE WHEN step.lane = 4 THEN 0 ELSE 4 END)
    ORDER BY dataset, lane, rank LIMIT 1) AS next
)
SELECT name, rank FROM step JOIN relay.dataset ON id = step.dataset WHERE lane = 4
"""
_SUSPECTS_OF_EACH = """
SELECT name, (SELECT rank FROM relay.queue WHERE dataset = id AND lane = 4 ORDER BY rank LIMIT 1) FROM relay.dataset
"""


def look_ahead(database: "Database", floors: Floors) -> None:
    """While it is crowded: what stands before the places where claims begin."""
    kind = FROM_FRONT if floors.due(AHEAD) else A_LITTLE
    if kind is A_LITTLE and not floors.due(AHEAD, A_LITTLE):
        return
    began, ranges = time.monotonic(), floors.ranges(kind)
    try:
        if ranges:
            datasets, lanes, since, ranks, keys = (list(column) for column in zip(*ranges, strict=True))
            values = ints(datasets), ints(lanes), floats(since), floats(ranks), bigints(keys)
            floors.lower(database.read(_AHEAD, values, pinned=True))
    finally:  # also one that the server gave up
        floors.looked(AHEAD, time.monotonic() - began, kind)


_AHEAD = """
SELECT f.dataset, f.lane, q.rank, q.key
FROM unnest(%b::int[], %b::int[], %b::float8[], %b::float8[], %b::bigint[]) AS f (dataset, lane, since, rank, key),
  LATERAL (SELECT rank, key FROM relay.queue WHERE dataset = f.dataset AND lane = f.lane AND rank >= f.since
    AND (rank, key) <= (f.rank, f.key) ORDER BY rank, key LIMIT 1) q
"""
