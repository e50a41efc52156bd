"""The parts of `event`: made before they are needed, dropped whole when they are old.

What could go wrong. Deleting five million rows a day writes as much to the log as inserting them, and leaves the table
full of holes. But an old part cannot simply be dropped: a dead letter is kept for 90 days, and an event that was
accepted long ago may have been delivered yesterday, so that a copy must still be known.

The rule: when all of a part was accepted more than eight days ago, the few rows that must stay are copied into
`event_old`, whose range of keys then includes the part's, and the part is dropped. Both happen in one transaction,
with a short lock on `event`; the rows are looked for before the lock. From `event_old` rows are deleted one by one.
So some rows stay up to two days longer than eight, the length of a part.

Who waits for that lock holds up every put behind it, and pg_dump reads `event` for as long as it runs. So it is waited
for SHORT and then left for the next time: tried again each second, each time for two seconds, a put took as long.

Rejected: a part for each day (each copy is looked for in each part: 7 us), a part for each state (a settled event would
move, which writes it a second time).
"""

from psycopg.errors import LockNotAvailable

from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.keys import PERIOD_SECONDS, first_key, period_of
from conversion_relay.outbox.postgres.session import LIMITS, Session

LEDGER_SECONDS = 8 * 86_400
DEAD_SECONDS = 90 * 86_400
MOST_KEPT = 200_000
"""Rows of one part that are copied; with more of them it is left for later."""
CHUNK = 5_000
MAKE_LOCK = 4_711
SHORT = "100ms"


class Parts:
    """Which parts of `event` there are, as far as this process knows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: set[int] = set()

    def make(self, period: int) -> None:
        if period not in self._known:
            self._database.transact(lambda session: make_part(session, period))
            self._known.add(period)

    def make_next(self, now: float) -> None:
        """This one and the next one, so that no put waits for the lock that it takes."""
        for period in (period_of(now), period_of(now) + 1):
            self.make(period)

    def forget(self) -> None:
        self._known.clear()


def make_part(session: Session, period: int) -> None:
    session.read("SELECT pg_advisory_xact_lock(%b::int, hashtext(%b))", (MAKE_LOCK, session.schema))
    first, last = first_key(period), first_key(period + 1)
    ((old_until,),) = session.read("SELECT old_until FROM relay.about")
    if first < old_until or session.read("SELECT to_regclass(%b)", (_part(session, period),))[0][0] is not None:
        return
    # A table that is attached takes a weaker lock than one that is created as a part.
    session.run(f"CREATE TABLE relay.event_{period} (LIKE relay.event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    session.run(f"CREATE UNIQUE INDEX event_{period}_digest ON relay.event_{period} (digest)")
    session.run(f"ALTER TABLE relay.event ATTACH PARTITION relay.event_{period} FOR VALUES FROM ({first}) TO ({last})")


def _part(session: Session, period: int) -> str:
    return f'"{session.schema}".event_{period}'


def prune(database: Database, now: float) -> int:
    """Drops the old parts, and some single rows; how many rows."""
    n = 0
    for period in sorted(periods(database)):
        if (period + 1) * PERIOD_SECONDS + LEDGER_SECONDS > now:
            break
        dropped = _drop_part(database, period, now)
        if dropped is None:  # the keys of those behind it would not join those of `event_old`
            break
        n += dropped
    return n + database.transact(lambda session: _prune_old(session, now))


def periods(database: Database) -> list[int]:
    rows = database.read(_PARTS, (database.dsn.schema,))
    return [int(name.removeprefix("event_")) for (name,) in rows if name != "event_old"]


_PARTS = """
SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
JOIN pg_namespace n ON n.oid = p.relnamespace WHERE n.nspname = %b AND p.relname = 'event'
"""


def _drop_part(database: Database, period: int, now: float) -> int | None:
    """How many rows; None when it is left for later."""
    part = f"relay.event_{period}"
    bounds = {"old": now - LEDGER_SECONDS, "oldest": now - DEAD_SECONDS, "first": first_key(period)}
    bounds |= {"last": first_key(period + 1)}
    kept = [key for (key,) in database.read(_KEPT.format(part=part), bounds)]
    if len(kept) > MOST_KEPT:
        return None

    def work(session: Session) -> int:
        session.run(f"SET LOCAL lock_timeout = '{SHORT}'")
        try:
            session.run("LOCK TABLE relay.event IN ACCESS EXCLUSIVE MODE")
        except LockNotAvailable:
            raise _Held from None
        session.run(f"SET LOCAL lock_timeout = '{LIMITS['lock_timeout']}'")
        ((old_until,),) = session.read("SELECT old_until FROM relay.about FOR UPDATE")
        if (
            session.read("SELECT to_regclass(%b)", (_part(session, period),))[0][0] is None
            or old_until > bounds["first"]
        ):
            return 0
        ((n,),) = session.read(f"SELECT count(*) FROM {part}")
        forget = f"SELECT key FROM {part} WHERE NOT key = ANY (%b::bigint[])"
        session.run(f"DELETE FROM relay.pixel WHERE digest IN ({forget.replace('key', 'digest', 1)})", (kept,))
        session.run(f"DELETE FROM relay.retried WHERE event IN ({forget})", (kept,))
        session.run(f"DELETE FROM relay.body WHERE key IN ({forget})", (kept,))
        session.run("ALTER TABLE relay.event DETACH PARTITION relay.event_old")
        session.run(f"ALTER TABLE relay.event DETACH PARTITION {part}")
        session.run(f"INSERT INTO relay.event_old SELECT * FROM {part} WHERE key = ANY (%b::bigint[])", (kept,))
        session.run(f"DROP TABLE {part}")
        until = first_key(period + 1)
        attach = f"ALTER TABLE relay.event ATTACH PARTITION relay.event_old FOR VALUES FROM (MINVALUE) TO ({until})"
        session.run(attach)
        session.run("UPDATE relay.about SET old_until = %b::bigint", (until,))
        return int(n) - len(kept)

    try:
        return database.transact(work)
    except _Held:
        return None


class _Held(Exception):
    """Somebody reads the table."""


_OVER = """
WITH gone AS MATERIALIZED (
  SELECT unnest(keys) AS key FROM relay.delivered
  WHERE at < %(old)b::float8 AND hi >= %(first)b::bigint AND lo < %(last)b::bigint)
SELECT key FROM {part} e WHERE {no} CASE state
  WHEN 'waiting' THEN EXISTS (SELECT 1 FROM gone WHERE gone.key = e.key)
  WHEN 'dead' THEN settled_at < %(oldest)b::float8 ELSE settled_at < %(old)b::float8 END
"""
_KEPT = _OVER.replace("{no}", "NOT")


def _prune_old(session: Session, now: float) -> int:
    """Single rows of what was kept, bodies of dead letters that Meta takes no more, and answers that nobody shows."""
    ((old_until,),) = session.read("SELECT old_until FROM relay.about")
    bounds = {"old": now - LEDGER_SECONDS, "oldest": now - DEAD_SECONDS, "first": -(2**62), "last": old_until}
    over = _OVER.format(part="relay.event_old", no="") + f" LIMIT {CHUNK}"
    keys = [key for (key,) in session.read(over, bounds)]
    if keys:
        session.run(_FORGET_REPORTS, (keys,))
        session.run("DELETE FROM relay.retried WHERE event = ANY (%b::bigint[])", (keys,))
        session.run("DELETE FROM relay.body WHERE key = ANY (%b::bigint[])", (keys,))
        session.run("DELETE FROM relay.event_old WHERE key = ANY (%b::bigint[])", (keys,))
    if len(keys) < CHUNK:
        session.run("DELETE FROM relay.delivered WHERE hi < %b::bigint AND at < %b::float8", (old_until, bounds["old"]))
    session.run(_DROP_BODIES, (now,))
    session.run("DELETE FROM relay.answer WHERE at < %b::float8", (bounds["oldest"],))
    return len(keys)


_FORGET_REPORTS = """
DELETE FROM relay.pixel WHERE digest IN (SELECT digest FROM relay.event WHERE key = ANY (%b::bigint[]))
"""
_DROP_BODIES = """
DELETE FROM relay.body WHERE key IN (SELECT key FROM relay.event WHERE state = 'dead' AND expires_at < %b::float8)
"""
