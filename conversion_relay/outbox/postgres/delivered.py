"""The settlement that nearly all leases have: each event was delivered. One statement instead of five.

What could go wrong. A dataset with few events has a turn for each of them. With a statement for the lease, the answer,
the bodies, the figures and the books, a thousand such datasets spend their time on round trips.

The rules are those of `leases.settle`.
1. *The lease's row is the fence*, so it goes first, and nothing else happens without it. It must still hold the very
   keys that are settled, in their order; else the caller does it step by step.
2. *The figures were counted before*, as if all bodies were still there. Where one was erased meanwhile, the statement
   ends itself by a division by zero, and the caller does that step by step, too.
3. *Figures before books*, as everywhere: two that locked them in turns would wait for each other.
"""

from collections.abc import Sequence
from typing import Any

from conversion_relay.outbox.postgres.arrays import bigints
from conversion_relay.outbox.postgres.session import marked
from conversion_relay.outbox.story import Attempt


def values_of(
    token: str,
    dataset: int,
    keys: Sequence[int],
    attempt: Attempt | None,
    columns: Sequence[Any],
    now: float,
    slot: int,
) -> dict[str, Any]:
    """Of the statement; `columns`: the figures' cells, as `figures.columns` gives them."""
    told = {name: getattr(attempt, name, None) for name in Attempt.__struct_fields__}
    names, hours, whats, numbers = columns
    figures = {"names": names, "hours": hours, "whats": whats, "numbers": numbers}
    rest = {"token": token, "dataset": dataset, "keys": bigints(keys), "now": now, "slot": slot}
    return {**told, **figures, **rest}


_TYPES = {"at": "float8", "status": "int", "code": "bigint", "subcode": "bigint", "index": "int"}
_ANSWER = ", ".join(f"%({name})b::{_TYPES.get(name, 'text')}" for name in Attempt.__struct_fields__)
SETTLE = f"""
WITH held AS (
  DELETE FROM relay.lease WHERE token = %(token)b AND keys = %(keys)b::bigint[] RETURNING 1
), {marked("held")}, answered AS (
  INSERT INTO relay.answer ({", ".join(f'"{name}"' for name in Attempt.__struct_fields__)})
  SELECT {_ANSWER} FROM held WHERE %(outcome)b::text IS NOT NULL RETURNING id
), gone AS (
  DELETE FROM relay.body WHERE key = ANY (%(keys)b::bigint[]) AND EXISTS (SELECT 1 FROM held) RETURNING key
), whole AS MATERIALIZED (
  SELECT count(*) AS n, count(*) = cardinality(%(keys)b::bigint[]) AS is_whole FROM gone
), kept AS (
  INSERT INTO relay.delivered (at, answer, lo, hi, keys)
  SELECT %(now)b::float8, (SELECT id FROM answered), min(key), max(key), array_agg(key) FROM gone HAVING count(*) > 0
), figured AS (
  INSERT INTO relay.figure AS f SELECT %(dataset)b::int, event_name, hour, what, %(slot)b::int, c.n
  FROM whole, unnest(%(names)b::text[], %(hours)b::int[], %(whats)b::text[], %(numbers)b::float8[])
    AS c (event_name, hour, what, n)
  WHERE is_whole ON CONFLICT (dataset, event_name, hour, what, slot) DO UPDATE SET n = f.n + excluded.n RETURNING 1
), counted AS (
  INSERT INTO relay.tally AS t SELECT %(dataset)b::int, state, %(slot)b::int, moved
  FROM whole, (SELECT count(*) FROM figured) AS before, LATERAL (VALUES ('delivered', n), ('leased', -n))
    AS s (state, moved)
  WHERE n > 0 ON CONFLICT (dataset, state, slot) DO UPDATE SET n = t.n + excluded.n
)
SELECT 1 / is_whole::int FROM held, whole
"""
