"""The de-duplication meter (`sqlite/sides.py` tells the cells and why). Events are counted in the statement that stores
them (`put.py`), reports of the pixel here.

One thing differs: two machines may store an event and its report at the same moment, and neither sees the other's row.
Such a pair is counted as two events of one side each. It is a figure, so nobody waits for a lock because of it.
"""

from collections.abc import Sequence

from conversion_relay.outbox.postgres.keys import digest
from conversion_relay.outbox.postgres.session import Rows, Session
from conversion_relay.outbox.story import SideCounts

MOST_NAMES = 200
PIXEL_SECONDS = 8 * 86_400
PRUNED_AT_ONCE = 5_000


def note_pixel(session: Session, dataset: str, number: int, pairs: Sequence[tuple[str, str]], now: float) -> None:
    known = {name for (name,) in session.read(_NAMES, (number,))}
    kept = []
    for name, event_id in dict.fromkeys(pairs):
        if name in known or len(known) < MOST_NAMES:
            known.add(name)
            kept.append((digest(dataset, name, event_id), name, event_id))
    kept.sort(key=lambda row: row[0].bytes)
    if kept:
        columns = {key: list(column) for key, column in zip("dni", zip(*kept, strict=True), strict=True)}
        session.run(_NOTE, {**columns, "dataset": number, "now": float(now), "slot": session.slots.one()})


_NAMES = "SELECT DISTINCT event_name FROM relay.meter WHERE dataset = %b"
# A report that is known counts nothing.
_NOTE = """
WITH fresh AS (
  INSERT INTO relay.pixel (digest, dataset, event_name, event_id, at)
  SELECT d, %(dataset)b::int, n, i, %(now)b::float8
  FROM unnest(%(d)b::uuid[], %(n)b::text[], %(i)b::text[]) AS g (d, n, i)
  ON CONFLICT DO NOTHING RETURNING digest, event_name
), sides AS (
  SELECT f.event_name, count(*) AS n, count(e.key) AS met
  FROM fresh f LEFT JOIN LATERAL (SELECT key FROM relay.event WHERE digest = f.digest LIMIT 1) e ON true GROUP BY 1
)
INSERT INTO relay.meter AS m
SELECT %(dataset)b::int, event_name, side, %(slot)b, moved FROM sides,
  LATERAL (VALUES ('both', met), ('browser_only', n - met), ('server_only', -met)) AS v (side, moved)
WHERE moved <> 0 ORDER BY 1, 2, 3
ON CONFLICT (dataset, event_name, side, slot) DO UPDATE SET n = m.n + excluded.n
"""
# One whose event is still in the ledger stays as long as that, or it could be counted again.
PRUNE = f"""
DELETE FROM relay.pixel WHERE digest IN (
  SELECT digest FROM relay.pixel p
  WHERE at < %b::float8 AND NOT EXISTS (SELECT 1 FROM relay.event e WHERE e.digest = p.digest) LIMIT {PRUNED_AT_ONCE})
RETURNING 1
"""


def deduplication(rows: Rows) -> dict[str, dict[str, SideCounts]]:
    """Of METER's rows."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for dataset, name, side, n in rows:
        found.setdefault(dataset, {}).setdefault(name, {})[side] = int(n)
    return {dataset: {name: SideCounts(**sides) for name, sides in names.items()} for dataset, names in found.items()}


METER = """
SELECT d.name, event_name, side, greatest(sum(n), 0) FROM relay.meter JOIN relay.dataset d ON d.id = dataset
GROUP BY 1, 2, 3 ORDER BY 1, 2
"""


NEWEST_EVENTS = """
SELECT d.name, newest.event_name, count(*), count(p.at) FROM (
  SELECT *, row_number() OVER (PARTITION BY dataset, event_name ORDER BY key DESC) AS place
  FROM (SELECT key, digest, dataset, event_name FROM relay.event ORDER BY key DESC LIMIT %b) AS e) AS newest
LEFT JOIN relay.pixel p USING (digest) JOIN relay.dataset d ON d.id = newest.dataset WHERE place <= %b GROUP BY 1, 2
"""
NEWEST_REPORTS = """
SELECT d.name, newest.event_name, count(*), count(e.key) FROM (
  SELECT *, row_number() OVER (PARTITION BY dataset, event_name ORDER BY at DESC) AS place
  FROM (SELECT at, digest, dataset, event_name FROM relay.pixel ORDER BY at DESC LIMIT %b) AS p) AS newest
LEFT JOIN LATERAL (SELECT key FROM relay.event WHERE digest = newest.digest LIMIT 1) e ON true
JOIN relay.dataset d ON d.id = newest.dataset WHERE place <= %b GROUP BY 1, 2
"""
