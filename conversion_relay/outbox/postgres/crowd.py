"""Whether deleted rows crowd the queue: such as VACUUM cannot take away, since somebody holds an old snapshot.

What could go wrong. Autovacuum looks at a table once a minute. At a thousand events a second sixty thousand deleted
rows lie there by then, and nobody holds them. Taken for a crowd, they made each look at what waits ask a thousand
datasets behind their places (`floors.py`), until a core of the server did nothing else and a single event waited for a
third of a second.

The rule: whoever finds more than CROWD runs VACUUM, which takes some milliseconds where the queue is short, and what is
left is the crowd. A held snapshot leaves all of it, and makes VACUUM slower with each minute; so it may take no more
than one part in SHARE of the time. SKIP_LOCKED, since autovacuum or another process may be at it; no TRUNCATE, which
would lock the table for a moment.
"""

import contextlib
import time

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.postgres.database import Database

CROWD = 20_000
SHARE = 50.0
_IS_CROWDED = "SELECT pg_stat_get_dead_tuples('relay.queue'::regclass) > %b::bigint"
_VACUUM = "VACUUM (SKIP_LOCKED, TRUNCATE false) relay.queue"


class Crowd:
    """As one process sees it. By whoever keeps house, and by collectors as they say that they are alive."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next_at = 0.0

    def look(self) -> bool:
        """Raises OutboxUnavailable."""
        is_crowded = self._is_crowded()
        if is_crowded and time.monotonic() >= self._next_at:
            began = time.monotonic()
            with contextlib.suppress(OutboxUnavailable):  # a server that gave it up says nothing of the crowd
                self._database.alone(_VACUUM)
            now = time.monotonic()
            self._next_at = now + SHARE * (now - began)
            is_crowded = self._is_crowded()
        self._database.slots.is_crowded = is_crowded
        return is_crowded

    def _is_crowded(self) -> bool:
        return bool(self._database.read(_IS_CROWDED, (CROWD,))[0][0])
