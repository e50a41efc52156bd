"""What a worker looks at before it claims: which datasets have something, and what must be taken over or taken back."""

import time
from typing import TYPE_CHECKING

from conversion_relay.outbox.postgres import look
from conversion_relay.outbox.postgres.arrays import bigints, floats, ints
from conversion_relay.outbox.postgres.floors import A_LITTLE, AHEAD, FROM_FRONT, LEASES, Floors

if TYPE_CHECKING:
    from conversion_relay.outbox.postgres.database import Database


def first_look(database: "Database", floors: Floors) -> tuple[bool, list[str] | None]:
    """Whether callers put something, and which leases ran out. Their tables are read whole, with all rows that were
    deleted from them, so it is rarer while it is crowded."""
    if floors.is_crowded and not floors.due(LEASES, A_LITTLE):
        return False, None
    began = time.monotonic()
    ((has_mail, lost),) = database.read(_FIRST_LOOK)
    floors.looked(LEASES, time.monotonic() - began, A_LITTLE)
    return has_mail, lost


_FIRST_LOOK = """
SELECT EXISTS (SELECT 1 FROM relay.inbox),
  (SELECT array_agg(token) FROM relay.lease WHERE until < clock_timestamp())
"""


def look_for_work(database: "Database", floors: Floors, now: float) -> dict[str, float]:
    """Datasets, and when they have something to send."""
    if not floors.is_crowded:
        return look.waiting(database.read(look.WAITING, pinned=True))
    known, returned = floors.all()
    places = known.values()
    live, later = floats([one.live[0] for one in places]), floats([one.later for one in places])
    backlog = floats([one.backlog[0] for one in places]), bigints([one.backlog[1] for one in places])
    rows = database.read(look.WAITING_BEHIND, (ints(list(known)), live, *backlog, later), pinned=True)
    floors.nothing_waits([dataset for _, is_ready, _, dataset in rows if not is_ready], returned, now)
    return look.waiting(rows)


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
