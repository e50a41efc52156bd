"""How the server is, for `doctor`: what our promises rest on, and what makes every outbox in a database slow."""

import time
from collections.abc import Iterator
from typing import Any

from conversion_relay.outbox.postgres.look import Read
from conversion_relay.outbox.postgres.schema import CHARSETS
from conversion_relay.outbox.story import ServerFact

LONG_SECONDS = 60.0
MOST_DEAD = 200_000
MOST_SKEW = 1.0


def facts(read: Read) -> list[ServerFact]:
    began = time.time()
    row = read(_SERVER)[0]
    now = (began + time.time()) / 2
    told = dict(zip(_NAMES, row, strict=True))
    return [*_settings(told), _clock(told["now"] - now), *_old_rows(told)]


def _settings(told: dict[str, Any]) -> Iterator[ServerFact]:
    yield ServerFact(name="postgresql", what=str(told["version"]))
    if told["charset"] not in CHARSETS:
        fix = "move to a database with ENCODING 'UTF8': an event with a letter that this one lacks is refused"
        yield ServerFact(name="encoding", what=f"the database's is {told['charset']}", fix=fix, is_error=True)
    off = [name for name in ("fsync", "full_page_writes") if told[name] != "on"]
    if off:
        fix = f"turn {' and '.join(off)} on: a power cut can lose or damage what was accepted"
        yield ServerFact(name="durability", what=f"{' and '.join(off)} is off", fix=fix, is_error=True)
    elif told["standbys"]:
        yield ServerFact(
            name="durability", what=f"a commit is on this disk and on a standby's ({told['replicas']} attached)"
        )
    elif told["replicas"]:
        what = f"{told['replicas']} standbys, none synchronous: a fail-over can lose what was just accepted"
        yield ServerFact(name="durability", what=what, fix="set synchronous_standby_names if no event may be lost")
    else:
        yield ServerFact(name="durability", what="a commit is on this server's disk; there is no standby")


def _clock(skew: float) -> ServerFact:
    if abs(skew) <= MOST_SKEW:
        return ServerFact(name="database clock", what="within a second of this machine's")
    what = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    return ServerFact(name="database clock", what=what, fix="set both clocks (NTP)")


def _old_rows(told: dict[str, Any]) -> Iterator[ServerFact]:
    if told["oldest"] > LONG_SECONDS:
        what = f"a session of {told['who']} has held a snapshot for {told['oldest']:.0f} s; nothing can be cleaned up"
        yield ServerFact(name="long transaction", what=what, fix="end it, or set idle_in_transaction_session_timeout")
    if told["slots"]:
        what = f"{told['slots']} replication slots are not read; the log grows without bound"
        yield ServerFact(name="replication slots", what=what, fix="drop them (pg_drop_replication_slot)")
    what = f"{told['dead']:,} dead rows in queue and body"
    fix = "look at autovacuum: it does not keep up" if told["dead"] > MOST_DEAD else None
    yield ServerFact(name="bloat", what=what, fix=fix)


_NAMES = (
    "version",
    "charset",
    "fsync",
    "full_page_writes",
    "standbys",
    "replicas",
    "now",
    "oldest",
    "who",
    "slots",
    "dead",
)
# Of other roles' sessions a plain user sees no snapshot; what it sees is told.
_SERVER = """
SELECT current_setting('server_version'), current_setting('server_encoding'), current_setting('fsync'),
  current_setting('full_page_writes'),
  current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication),
  extract(epoch FROM clock_timestamp())::float8, coalesce(a.seconds, 0)::float8, coalesce(a.who, ''),
  (SELECT count(*) FROM pg_replication_slots WHERE NOT active),
  coalesce((SELECT sum(n_dead_tup) FROM pg_stat_user_tables
    WHERE relid = ANY (ARRAY['relay.queue', 'relay.body']::regclass[]::oid[])), 0)::bigint
FROM (VALUES (1)) one LEFT JOIN LATERAL (
  SELECT extract(epoch FROM clock_timestamp() - xact_start) AS seconds,
    coalesce(nullif(application_name, ''), usename::text) AS who
  FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
  ORDER BY age(backend_xmin) DESC LIMIT 1) a ON true
"""
