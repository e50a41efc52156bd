"""Which events are claimed next; the lanes are those of the embedded outbox (`sqlite/lanes.py`).

What could go wrong. Several workers claim at once. A claimed row stays in the table until VACUUM, and VACUUM keeps all
that an old snapshot may still see: a report that runs for ten minutes, a backup, an idle replication slot. A claim that
reads from the front then steps over a hundred thousand dead rows.

The rules.
1. *A claim deletes its rows from `queue` and writes one row of `lease` with their keys.* FOR UPDATE SKIP LOCKED: what
   another worker is just taking is stepped over. A thousand rows marked in place instead cost three times as much, and
   each later claim steps over them.
2. *A claim begins where the last one ended* (`Floors`), behind the dead rows. That is a hint in this process's memory:
   a late commit or an event that came back may lie before it. So a claim that finds less than it was asked for looks
   again from the front, and so does one every two seconds. While more than CROWD dead rows stand there, only one part
   in a hundred of the time goes into such looks, and what else reads the live lane (`waiting`, the way to the backlog)
   begins behind them as well: with 150,000 of them, each took 80 to 400 ms instead of 2 to 10.
3. *Rows are deleted by their place* (`ctid`), which stays theirs while they are locked, and rows of `queue` are never
   updated. By their key the planner, with old statistics, compared each row of the lane with each chosen one.
4. *The plan is pinned* (`session.PINNED`): while an old snapshot is held, fresh statistics made the planner take a
   sequential scan.

Rejected: advisory locks for each event (nothing is recorded, so a lost connection frees what is on its way to Meta).
"""

import threading
import time
from collections.abc import Sequence
from typing import Any

from conversion_relay.outbox.lanes import BACKLOG, BACKLOG_RANK, LIVE, MOST_MOVED, Span, to_the_backlog
from conversion_relay.outbox.postgres.session import Rows, Session

FRONT_EVERY = 2.0
FRONT_SHARE = 100.0
"""While it is crowded, looks from the front take one part in so many of the time."""
LATE_SECONDS = 5.0
"""So much later than others an event may be committed, and clocks of collectors may differ."""
CROWD = 20_000
CROWDED = "SELECT pg_stat_get_dead_tuples('relay.queue'::regclass) > %b::bigint"
"""Asked by whoever keeps house: dead rows that VACUUM cannot take away, or has not yet."""
ALL_WAITING, ALL_TO_SHIFT = 0, -1
FRONT = (-1e18, -1)
Place = tuple[float, int]


class Floors:
    """By dataset and lane, the last place that this process claimed. The keys of `due` and `took` are datasets, or one
    of ALL for what looks at all of them."""

    def __init__(self) -> None:
        self._floors: dict[tuple[int, int], Place] = {}
        self._front_at: dict[int, float] = {}
        self._latest = -1e18
        self._lock = threading.Lock()
        self.is_crowded = False

    def due(self, what: int) -> bool:
        """Whether it is looked at from the front now."""
        with self._lock:
            now = time.monotonic()
            if now < self._front_at.get(what, now):
                return False
            self._front_at[what] = now + FRONT_EVERY
            return True

    def took(self, what: int, seconds: float) -> None:
        """A look from the front; the dearer it is, the rarer."""
        with self._lock:
            rest = FRONT_SHARE * seconds if self.is_crowded else 0.0
            self._front_at[what] = time.monotonic() + max(FRONT_EVERY, rest)

    def of(self, dataset: int) -> tuple[Place, Place]:
        if self.due(dataset):
            return FRONT, FRONT
        with self._lock:
            return self._floors.get((dataset, LIVE), FRONT), self._floors.get((dataset, BACKLOG), FRONT)

    def all(self) -> tuple[list[int], list[float], list[float]]:
        """Datasets, and where their two lanes are looked at from while it is crowded."""
        with self._lock:
            datasets = sorted({dataset for dataset, _ in self._floors})
            ranks = [[self._floors.get((one, lane), FRONT)[0] for one in datasets] for lane in (LIVE, BACKLOG)]
            return datasets, ranks[0], ranks[1]

    def raise_to(self, dataset: int, taken: Rows) -> None:
        """`taken`: in the order of the lanes."""
        last: dict[int, Place] = {row[0]: row[1:3] for row in taken}
        with self._lock:
            for lane, place in last.items():
                self._floors[dataset, lane] = place
            if LIVE in last:
                self._latest = max(self._latest, last[LIVE][0])

    def ran_dry(self, dataset: int, places: tuple[Place, Place]) -> None:
        """Less was found than asked for. What is committed late may stand a little before the place in the live lane;
        in the backlog there is nothing, if it was looked at from the front, until something comes back."""
        if not self.is_crowded:
            self.forget()
            return
        with self._lock:
            if floor := self._floors.get((dataset, LIVE)):
                self._floors[dataset, LIVE] = (min(floor[0], self._latest - LATE_SECONDS), -1)
            if places[1] == FRONT:
                self._floors[dataset, BACKLOG] = (-FRONT[0], 0)

    def was_put(self, at: float) -> None:
        """By this process, perhaps with a clock that was set back, or by a caller's long transaction."""
        if at < self._latest - LATE_SECONDS:
            with self._lock:
                self._floors.clear()

    def forget(self) -> None:
        """Something came back, perhaps before them; never to the live lane."""
        with self._lock:
            kept = {place: floor for place, floor in self._floors.items() if self.is_crowded and place[1] == LIVE}
            self._floors = kept


def dequeue(
    session: Session,
    dataset: int,
    limit: int,
    places: tuple[Place, Place],
    lease: dict[str, Any],
    now: float,
    since: float,
    *,
    may_shift: bool,
) -> Rows:
    """The lease is written; rows of (lane, rank, key, ...) as in `_TAKEN`. `may_shift`: no rows if `shift_lanes` has
    something to do first (`since`: as there). Asked in the same statement, it is one round trip less for each turn."""
    (live_rank, live_key), (backlog_rank, backlog_key) = places
    values = {"dataset": dataset, "limit": limit, "r0": live_rank, "k0": live_key, "r1": backlog_rank, **lease}
    values |= {"k1": backlog_key, "may_shift": may_shift, **_named(_spans(now, since))}
    return session.read(_CLAIM, values)


def dequeue_suspects(session: Session, dataset: int, limit: int, now: float, lease: dict[str, Any]) -> Rows:
    return session.read(_CLAIM_SUSPECTS, {"dataset": dataset, "limit": limit, "now": now, **lease})


def _spans(now: float, since: float) -> tuple[Span, ...]:
    """What joins the backlog; `since`: the live lane is looked at behind this rank."""
    (lane, _, until), *others = to_the_backlog(now)
    return (lane, since, until), *others


def _named(spans: tuple[Span, ...]) -> dict[str, float]:
    return {f"{side}{n}": rank for n, span in enumerate(spans) for side, rank in zip("au", span[1:], strict=True)}


def _hold(dataset: str) -> list[str]:
    return [
        f"coalesce((SELECT true FROM relay.queue WHERE dataset = {dataset} AND lane = {lane}"
        f" AND rank > %(a{n})b::float8 AND rank <= %(u{n})b::float8 LIMIT 1), false)"  # why not EXISTS: `look.WAITING`
        for n, (lane, _, _) in enumerate(to_the_backlog(0.0))
    ]


_FIRST = """
SELECT ctid AS place, lane, rank, key FROM relay.queue
WHERE dataset = %(dataset)b::int AND lane = {lane} AND (rank, key) > (%({rank})b::float8, %({key})b::bigint)
  AND NOT (SELECT first FROM must_shift)
ORDER BY rank, key LIMIT %(limit)b::int FOR UPDATE SKIP LOCKED
"""
_TAKEN = """
taken AS (
  DELETE FROM relay.queue WHERE ctid = ANY (ARRAY (SELECT place FROM chosen)) RETURNING lane, rank, key
), leased AS (
  INSERT INTO relay.lease
  SELECT %(token)b, %(owner)b, %(dataset)b::int, %(since)b::float8,
    clock_timestamp() + make_interval(secs => %(seconds)b::float8), array_agg(key ORDER BY lane, rank, key)
  FROM taken HAVING count(*) > 0
), counted AS (
  INSERT INTO relay.tally AS t
  SELECT %(dataset)b::int, state, %(slot)b, moved
  FROM (SELECT count(*) AS n FROM taken HAVING count(*) > 0) AS c,
    LATERAL (VALUES ('leased', n), ('pending', -n)) AS s (state, moved)
  ON CONFLICT (dataset, state, slot) DO UPDATE SET n = t.n + excluded.n
)
SELECT t.lane, t.rank, t.key, e.event_name, e.event_id, e.event_time, e.expires_at, e.attempts, e.sent_at, b.checksum,
  b.body, e.consent, e.accepted_at
FROM taken t LEFT JOIN relay.event e ON e.key = t.key LEFT JOIN relay.body b ON b.key = t.key
"""
# Fresh events first; where others wait too, half of the places are theirs.
_CLAIM = f"""
WITH must_shift AS MATERIALIZED (
  SELECT %(may_shift)b::bool AND ({" OR ".join(_hold("%(dataset)b::int"))}) AS first),
live AS MATERIALIZED ({_FIRST.format(lane=0, rank="r0", key="k0")}),
backlog AS MATERIALIZED ({_FIRST.format(lane=1, rank="r1", key="k1")}),
shares AS MATERIALIZED (
  SELECT least((SELECT count(*) FROM backlog),
    %(limit)b::int - least((SELECT count(*) FROM live), %(limit)b::int / 2)) AS others),
chosen AS MATERIALIZED (
  (SELECT * FROM live LIMIT %(limit)b::int - (SELECT others FROM shares))
  UNION ALL (SELECT * FROM backlog LIMIT (SELECT others FROM shares))
), {_TAKEN}
"""
_CLAIM_SUSPECTS = f"""
WITH chosen AS MATERIALIZED (
  SELECT ctid AS place, lane, rank, key FROM relay.queue
  WHERE dataset = %(dataset)b::int AND lane = 4 AND rank <= %(now)b::float8
  ORDER BY rank, key LIMIT %(limit)b::int FOR UPDATE SKIP LOCKED
), {_TAKEN}
"""


# -- from lane to lane -------------------------------------------------------------------------------------------------


def shift_lanes(session: Session, dataset: int, now: float, since: float = FRONT[0]) -> int:
    """What is no longer fresh joins the backlog, and so does what has waited its time; how many. `since`: the live lane
    is looked at behind this rank."""
    spans = _spans(now, since)
    (found,) = session.read(_HOLD_SOMETHING, {"dataset": dataset, **_named(spans)})
    return sum(
        session.run(_SHIFT, (dataset, lane, after, until, MOST_MOVED))
        for (lane, after, until), holds in zip(spans, found, strict=True)
        if holds
    )


def to_shift(now: float) -> tuple[str, dict[str, float]]:
    """Asks for the datasets for which `shift_lanes` has something to do."""
    return _TO_SHIFT, _named(to_the_backlog(now))


_HOLD_SOMETHING = f"SELECT {', '.join(_hold('%(dataset)b::int'))}"
_TO_SHIFT = f"SELECT id FROM relay.dataset WHERE {' OR '.join(_hold('id'))}"
# OFFSET 0: as a plain join the planner may read all of a new part of `event` and look for each row among the shifted.
_SHIFT = f"""
WITH due AS MATERIALIZED (
  SELECT ctid AS place FROM relay.queue
  WHERE dataset = %b::int AND lane = %b::int AND rank > %b::float8 AND rank <= %b::float8
  ORDER BY rank, key LIMIT %b::int FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM relay.queue WHERE ctid = ANY (ARRAY (SELECT place FROM due)) RETURNING key
)
INSERT INTO relay.queue
SELECT e.* FROM gone, LATERAL (
  SELECT dataset, 1, {BACKLOG_RANK}, key FROM relay.event WHERE key = gone.key OFFSET 0) e
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
