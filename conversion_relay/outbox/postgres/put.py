"""How a group of events is stored: one statement over arrays, in one transaction.

What could go wrong. A copy of an event may come at the same time to another process, or have come before, in the part
of `event` of two days ago. Two groups with the same events in another order would wait for each other for ever. And a
commit may be in doubt.

The rules.
1. *Rows are inserted in the order of their digests*, so two groups meet at the first common one, and one waits.
2. *A copy in another part is looked for by a subquery for each event*, since a unique index holds within a part only.
   Written as a join, the planner would read a whole part into a hash table for a group of a thousand. Within a minute
   of the boundary between two parts, puts take a lock: else both of two copies could be new, each in its part.
3. *A commit in doubt is asked for* (`database.py`), so nobody is told "duplicate" of an event that is its own.
4. *What this process remembers of the database is checked in the statement*: ids of datasets and the numbers of keys.
   A database that was put back to yesterday's, or a standby that lacks the last moments, may have given them to others
   since. A remembered id without its row held events that no claim found; a key that was taken made an event a copy.
   Then nothing is stored, and all of it is asked for anew (`storing.py`).
5. *Values go as binary arrays* (`arrays.py`): text arrays took 5.5 times the client's CPU.

Rejected: COPY (fails as a whole at one copy, and through a temporary table it is no quicker), `DO UPDATE` in order to
see the copies (a dead row for each of them).
"""

import zlib
from collections.abc import Sequence
from typing import Any

import msgspec

from conversion_relay.event import SealedEvent
from conversion_relay.outbox.postgres.arrays import bigints, byteas, floats, ints, texts, uuids
from conversion_relay.outbox.postgres.database import REFUSED, Database
from conversion_relay.outbox.postgres.keys import digest_bytes, first_key, period_of
from conversion_relay.outbox.postgres.session import Session, marked

NEAR_SECONDS = 60.0


class Outdated(Exception):
    """The database is not the one of which this process remembers ids, numbers and parts."""


class Row(msgspec.Struct, frozen=True):
    """An event with its key and the time of its acceptance."""

    key: int
    dataset: int
    at: float
    event: SealedEvent


def store(database: Database, rows: Sequence[Row]) -> set[int]:
    """The keys of those that are stored under them; the others are known. Raises OutboxUnavailable, Outdated."""
    if _boundaries([row.at for row in rows]):
        return database.transact(lambda session: insert(session, rows), strict=True)
    found = database.at_once(_INSERT, _values(rows, database.slots.one()), strict=True)
    if found is None:
        keys = bigints([row.key for row in rows])
        found = database.read("SELECT key FROM relay.event WHERE key = ANY (%b::bigint[])", (keys,))
    elif not found:
        raise Outdated
    return {key for (key,) in found}


def insert(session: Session, rows: Sequence[Row]) -> set[int]:
    """The same within a transaction."""
    for boundary in _boundaries([row.at for row in rows]):
        session.read("SELECT pg_advisory_xact_lock(%b::bigint)", (boundary,))
    try:
        return {key for (key,) in session.read(_INSERT, {"mark": None, **_values(rows, session.slots.one())})}
    except REFUSED:
        raise Outdated from None


def _values(rows: Sequence[Row], slot: int) -> dict[str, Any]:
    first: dict[bytes, Row] = {}
    for row in rows:
        first.setdefault(digest_bytes(row.event.dataset, row.event.event_name, row.event.event_id), row)
    names = sorted(first)
    told = [first[name] for name in names]
    events = [row.event for row in told]
    # Within the part that gets most of them the unique index knows the copies.
    period = period_of(told[0].at)
    datasets = {row.dataset: row.event.dataset for row in told}
    return {
        "first": first_key(period),
        "last": first_key(period + 1),
        "keys": bigints([row.key for row in told]),
        "digests": uuids(names),
        "datasets": ints([row.dataset for row in told]),
        "names": texts([event.event_name for event in events]),
        "ids": texts([event.event_id for event in events]),
        "times": bigints([event.event_time for event in events]),
        "expiries": bigints([event.expires_at for event in events]),
        "ats": floats([row.at for row in told]),
        "consents": texts([event.consent for event in events]),
        "checksums": bigints([zlib.crc32(event.body) for event in events]),
        "bodies": byteas([event.body for event in events]),
        "slot": slot,
        "known_ids": ints(list(datasets)),
        "known_names": texts(list(datasets.values())),
    }


def _boundaries(times: Sequence[float]) -> list[int]:
    """The periods that begin or began within NEAR_SECONDS of one of these times, in their order."""
    first, last = min(times) - NEAR_SECONDS, max(times) + NEAR_SECONDS
    if period_of(first) == period_of(last):
        return []
    near = {
        period_of(at + NEAR_SECONDS) for at in times if period_of(at - NEAR_SECONDS) != period_of(at + NEAR_SECONDS)
    }
    return sorted(near)


_ANOTHER_DATASET = """
  SELECT 1 FROM unnest(%(known_ids)b::int[], %(known_names)b::text[]) AS k (id, name)
  WHERE NOT EXISTS (SELECT 1 FROM relay.dataset d WHERE d.id = k.id AND d.name = k.name)"""
# OFFSET 0: looked up for copies alone, not for each event. NOT IN is hashed; NOT EXISTS became a nested loop, and a put
# half as dear again.
_TAKEN_KEY = """
  SELECT 1 FROM (
    SELECT (SELECT true FROM relay.event e WHERE e.key = copy.key LIMIT 1) AS is_taken FROM (
      SELECT key FROM given WHERE known IS NULL AND key NOT IN (SELECT key FROM fresh) OFFSET 0) AS copy
  ) AS looked WHERE is_taken"""
# Its last row is zero, the number of no event: without any row it was refused.
_INSERT = f"""
WITH {marked("(VALUES (1)) AS always")}, given AS MATERIALIZED (
  SELECT g.*, (SELECT e.key FROM relay.event e
    WHERE e.digest = g.digest AND (e.key < %(first)b::bigint OR e.key >= %(last)b::bigint) LIMIT 1) AS known
  FROM unnest(%(keys)b::bigint[], %(digests)b::uuid[], %(datasets)b::int[], %(names)b::text[], %(ids)b::text[],
    %(times)b::bigint[], %(expiries)b::bigint[], %(ats)b::float8[], %(consents)b::text[])
    AS g (key, digest, dataset, event_name, event_id, event_time, expires_at, accepted_at, consent)
), fresh AS (
  INSERT INTO relay.event
    (key, digest, dataset, event_name, event_id, event_time, expires_at, accepted_at, consent)
  SELECT key, digest, dataset, event_name, event_id, event_time, expires_at, accepted_at, consent
  FROM given WHERE known IS NULL
  ON CONFLICT DO NOTHING RETURNING key, digest, dataset, event_name, accepted_at
), bodies AS (
  INSERT INTO relay.body SELECT key, checksum, body
  FROM unnest(%(keys)b::bigint[], %(checksums)b::bigint[], %(bodies)b::bytea[]) AS b (key, checksum, body)
  JOIN fresh USING (key)
), queued AS (
  INSERT INTO relay.queue SELECT dataset, 0, accepted_at, key FROM fresh
), counted AS (
  INSERT INTO relay.tally AS t
  SELECT dataset, state, %(slot)b, n FROM (SELECT dataset, count(*) AS n FROM fresh GROUP BY 1) AS f,
    (VALUES ('accepted'), ('pending')) AS s (state) ORDER BY 1, 2
  ON CONFLICT (dataset, state, slot) DO UPDATE SET n = t.n + excluded.n
), sides AS (
  SELECT f.dataset, f.event_name, count(*) AS n, count(p.at) AS met
  FROM fresh f LEFT JOIN relay.pixel p ON p.digest = f.digest GROUP BY 1, 2
), metered AS (
  INSERT INTO relay.meter AS m
  SELECT dataset, event_name, side, %(slot)b, moved FROM sides,
    LATERAL (VALUES ('both', met), ('browser_only', -met), ('server_only', n - met)) AS v (side, moved)
  WHERE moved <> 0 ORDER BY 1, 2, 3
  ON CONFLICT (dataset, event_name, side, slot) DO UPDATE SET n = m.n + excluded.n
)
SELECT key FROM fresh
UNION ALL SELECT (0 / CASE WHEN EXISTS ({_ANOTHER_DATASET}) OR EXISTS ({_TAKEN_KEY}) THEN 0 ELSE 1 END)::bigint
"""
