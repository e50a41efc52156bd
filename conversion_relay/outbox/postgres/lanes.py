"""Which events are claimed next; the lanes are those of the embedded outbox (`sqlite/lanes.py`).

What could go wrong. Several workers claim at once. A claimed row stays in the table until VACUUM, and VACUUM keeps all
that an old snapshot may still see: a report that runs for ten minutes, a backup, an idle replication slot. A claim that
reads from the front then steps over a hundred thousand dead rows.

The rules.
1. *A claim deletes its rows from `queue` and writes one row of `lease` with their keys.* FOR UPDATE SKIP LOCKED: what
   another worker is just taking is stepped over. A thousand rows marked in place instead cost three times as much, and
   each later claim steps over them.
2. *A claim begins where the last one ended* (`floors.py`), behind the dead rows, and so does what else reads the lanes:
   `waiting`, the way to the backlog. With 150,000 dead rows, each took 80 to 400 ms instead of 2 to 10.
3. *Rows are deleted by their place* (`ctid`), which stays theirs while they are locked, and rows of `queue` are never
   updated. By their key the planner, with old statistics, compared each row of the lane with each chosen one.
4. *The plan is pinned* (`session.PINNED`): while an old snapshot is held, fresh statistics made the planner take a
   sequential scan. That alone did not do: statistics that saw no body alive made it read all dead ones for each claim
   (25 times as long after a minute), so event and body are looked up for each taken row by itself (OFFSET 0).

Rejected: advisory locks for each event (nothing is recorded, so a lost connection frees what is on its way to Meta).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from conversion_relay.outbox.lanes import BACKLOG_RANK, MOST_MOVED, Span, to_the_backlog
from conversion_relay.outbox.postgres.floors import Places
from conversion_relay.outbox.postgres.session import Session, marked

FROM_THE_FRONT = Places()
SHIFT_FIRST = -1


def claim(
    dataset: int, limit: int, places: Places, lease: dict[str, Any], now: float, *, may_shift: bool
) -> dict[str, Any]:
    """Of CLAIM, which writes the lease and gives rows of (lane, rank, key, ...) as in `_TAKEN`. `may_shift`: if
    `shift_lanes` has something to do first, the only row is of the lane SHIFT_FIRST. Asked in the same statement, it is
    one round trip less for each turn."""
    (live_rank, live_key), (backlog_rank, backlog_key), *_ = places
    values = {"dataset": dataset, "limit": limit, "r0": live_rank, "k0": live_key, "r1": backlog_rank, **lease}
    return values | {"k1": backlog_key, "may_shift": may_shift, **_named(_spans(now, places))}


def _spans(now: float, places: Places) -> tuple[Span, ...]:
    """What joins the backlog, looked at behind these places."""
    (live, _, no_longer_fresh), (later, _, due), *others = to_the_backlog(now)
    return (live, places.live[0], no_longer_fresh), (later, places.later, due), *others


def _named(spans: tuple[Span, ...]) -> dict[str, float]:
    return {f"{side}{n}": rank for n, span in enumerate(spans) for side, rank in zip("au", span[1:], strict=True)}


def _hold(dataset: str) -> list[str]:
    return [
        f"coalesce((SELECT true FROM relay.queue WHERE dataset = {dataset} AND lane = {lane}"
        f" AND rank > %(a{n})b::float8 AND rank <= %(u{n})b::float8 LIMIT 1), false)"  # why not EXISTS: `waiting.py`
        for n, (lane, _, _) in enumerate(to_the_backlog(0.0))
    ]


# An id that is remembered may be another dataset's in a database that was put back: its events would go to this pixel.
_OURS = "ours AS MATERIALIZED (SELECT 1 FROM relay.dataset WHERE id = %(dataset)b::int AND name = %(name)b)"
_FIRST = """
SELECT ctid AS place, lane, rank, key FROM relay.queue
WHERE dataset = %(dataset)b::int AND lane = {lane} AND (rank, key) > (%({rank})b::float8, %({key})b::bigint)
  AND NOT (SELECT first FROM must_shift) AND EXISTS (SELECT 1 FROM ours)
ORDER BY rank, key LIMIT %(limit)b::int FOR UPDATE SKIP LOCKED
"""
_TAKEN = f"""
taken AS (
  DELETE FROM relay.queue WHERE ctid = ANY (ARRAY (SELECT place FROM chosen)) RETURNING lane, rank, key
), leased AS (
  INSERT INTO relay.lease
  SELECT %(token)b, %(owner)b, %(dataset)b::int, %(since)b::float8,
    clock_timestamp() + make_interval(secs => %(seconds)b::float8), array_agg(key ORDER BY lane, rank, key)
  FROM taken HAVING count(*) > 0 RETURNING 1
), {marked("leased")}, counted AS (
  INSERT INTO relay.tally AS t
  SELECT %(dataset)b::int, state, %(slot)b, moved
  FROM (SELECT count(*) AS n FROM taken HAVING count(*) > 0) AS c,
    LATERAL (VALUES ('leased', n), ('pending', -n)) AS s (state, moved)
  ON CONFLICT (dataset, state, slot) DO UPDATE SET n = t.n + excluded.n
)
SELECT t.lane, t.rank, t.key, e.event_name, e.event_id, e.event_time, e.expires_at, e.attempts, e.sent_at, b.checksum,
  b.body, e.consent, e.accepted_at
FROM taken t LEFT JOIN LATERAL (
  SELECT event_name, event_id, event_time, expires_at, attempts, sent_at, consent, accepted_at
  FROM relay.event WHERE key = t.key OFFSET 0) e ON true
LEFT JOIN LATERAL (SELECT checksum, body FROM relay.body WHERE key = t.key OFFSET 0) b ON true
"""
# Fresh events first; where others wait too, half of the places are theirs.
CLAIM = f"""
WITH must_shift AS MATERIALIZED (
  SELECT %(may_shift)b::bool AND ({" OR ".join(_hold("%(dataset)b::int"))}) AS first), {_OURS},
live AS MATERIALIZED ({_FIRST.format(lane=0, rank="r0", key="k0")}),
backlog AS MATERIALIZED ({_FIRST.format(lane=1, rank="r1", key="k1")}),
shares AS MATERIALIZED (
  SELECT least((SELECT count(*) FROM backlog),
    %(limit)b::int - least((SELECT count(*) FROM live), %(limit)b::int / 2)) AS others),
chosen AS MATERIALIZED (
  (SELECT * FROM live LIMIT %(limit)b::int - (SELECT others FROM shares))
  UNION ALL (SELECT * FROM backlog LIMIT (SELECT others FROM shares))
), {_TAKEN}
UNION ALL SELECT {SHIFT_FIRST}, {", ".join(["NULL"] * 12)} FROM must_shift WHERE first
"""
CLAIM_SUSPECTS = f"""
WITH {_OURS}, chosen AS MATERIALIZED (
  SELECT ctid AS place, lane, rank, key FROM relay.queue
  WHERE dataset = %(dataset)b::int AND lane = 4 AND rank <= %(now)b::float8 AND EXISTS (SELECT 1 FROM ours)
  ORDER BY rank, key LIMIT %(limit)b::int FOR UPDATE SKIP LOCKED
), {_TAKEN}
"""


# -- from lane to lane -------------------------------------------------------------------------------------------------


class Moved(NamedTuple):
    """How many joined the backlog, and the first rank there."""

    n: int
    first: float


def shift_lanes(session: Session, dataset: int, now: float, places: Places = FROM_THE_FRONT) -> Moved:
    """What is no longer fresh joins the backlog, and so does what has waited its time. Looked at behind `places`."""
    spans = _spans(now, places)
    (found,) = session.read(_HOLD_SOMETHING, {"dataset": dataset, **_named(spans)})
    moved = [
        row
        for (lane, after, until), holds in zip(spans, found, strict=True)
        if holds
        for row in session.read(_SHIFT, (dataset, lane, after, until, MOST_MOVED))
        if row[0]
    ]
    return Moved(sum(n for n, _ in moved), min((rank for _, rank in moved), default=0.0))


def to_shift(now: float, *, is_crowded: bool) -> tuple[str, dict[str, float]]:
    """Asks for the datasets for which `shift_lanes` has something to do."""
    return _TO_SHIFT_CROWDED if is_crowded else TO_SHIFT, _named(to_the_backlog(now))


_HOLD_SOMETHING = f"SELECT {', '.join(_hold('%(dataset)b::int'))}"
# From one dataset that has something in `queue` to the next, so that a thousand that have nothing cost nothing. Each
# step goes through deleted rows of one dataset, so it is not for a time in which these are many.
IN_QUEUE = """
WITH RECURSIVE in_queue AS (
  (SELECT dataset, lane FROM relay.queue ORDER BY dataset, lane LIMIT 1)
  UNION ALL
  SELECT next.dataset, next.lane FROM in_queue, LATERAL (
    SELECT dataset, lane FROM relay.queue WHERE dataset > in_queue.dataset ORDER BY dataset, lane LIMIT 1) AS next
)
"""
TO_SHIFT = f"{IN_QUEUE} SELECT dataset FROM in_queue WHERE {' OR '.join(_hold('in_queue.dataset'))}"
_TO_SHIFT_CROWDED = f"SELECT id FROM relay.dataset WHERE {' OR '.join(_hold('id'))}"
# OFFSET 0: as a plain join the planner may read all of a new part of `event` and look for each row among the shifted.
_SHIFT = f"""
WITH due AS MATERIALIZED (
  SELECT ctid AS place FROM relay.queue
  WHERE dataset = %b::int AND lane = %b::int AND rank > %b::float8 AND rank <= %b::float8
  ORDER BY rank, key LIMIT %b::int FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM relay.queue WHERE ctid = ANY (ARRAY (SELECT place FROM due)) RETURNING key
), joined AS (
  INSERT INTO relay.queue
  SELECT e.* FROM gone, LATERAL (
    SELECT dataset, 1, {BACKLOG_RANK}, key FROM relay.event WHERE key = gone.key OFFSET 0) e
  RETURNING rank
)
SELECT count(*), min(rank) FROM joined
"""


def enqueue(session: Session, lane: int, keys: Sequence[int], due_at: float | None = None) -> int:
    """How many; an event that was erased meanwhile has no turn any more. `due_at`: of the lanes later and suspects."""
    return session.run(_ENQUEUE, {"lane": lane, "due_at": due_at, "keys": list(keys)}) if keys else 0


_ENQUEUE = f"""
INSERT INTO relay.queue
SELECT dataset, %(lane)b::int, CASE %(lane)b::int WHEN 0 THEN accepted_at WHEN 1 THEN {BACKLOG_RANK}
  WHEN 3 THEN expires_at ELSE %(due_at)b::float8 END, key
FROM relay.event WHERE key = ANY (%(keys)b::bigint[]) AND state = 'waiting' ON CONFLICT DO NOTHING
"""
