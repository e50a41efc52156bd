"""Who was seen under which order's id, in the SQLite outbox: one row each, for 7 days, or 90 (`Visit.for_long`)."""

from collections.abc import Iterable
from functools import partial

import apsw
import msgspec

from conversion_relay.intake.visit import Visit, keys_of_sealed
from conversion_relay.outbox.sqlite.books import Read, read

VISITOR_SECONDS = 7 * 86_400
"""As long as Meta takes an event after it happened."""
LONG_SECONDS = 90 * 86_400
"""As long as Meta counts a click."""
PRUNED_AT_ONCE = 5_000


def remember(db: apsw.Connection, key: str, visit: Visit, now: float) -> None:
    """The time stays the first one's, so that nobody is kept longer by calling again."""
    known = find(partial(read, db), key, now)
    if known is None:
        db.execute("INSERT OR REPLACE INTO visitor VALUES (?, ?, ?)", (key, _encode(visit), now + _longer(visit)))
    elif (filled := known.filled_from(visit)) != known:
        longer = _longer(filled) - _longer(known)
        db.execute(
            "UPDATE visitor SET document = ?, seen_at = seen_at + ? WHERE key = ?", (_encode(filled), longer, key)
        )


def _longer(visit: Visit) -> int:
    """Whoever is kept for 90 days is written down as seen that much later: then one comparison tells who is too old,
    and dropping them looks at nobody else."""
    return LONG_SECONDS - VISITOR_SECONDS if visit.for_long else 0


def find(read_rows: Read, key: str, now: float) -> Visit | None:
    for (document,) in read_rows(_FIND, (key, now - VISITOR_SECONDS)):
        return visit_decoder.decode(document)
    return None


_FIND = "SELECT document FROM visitor WHERE key = ? AND seen_at >= ?"


def is_any(db: apsw.Connection) -> bool:
    return bool(read(db, "SELECT 1 FROM visitor LIMIT 1"))


def prune(db: apsw.Connection, now: float) -> int:
    """Some of those that are too old; how many."""
    db.execute(_PRUNE, (now - VISITOR_SECONDS, PRUNED_AT_ONCE))
    return db.changes()


_PRUNE = "DELETE FROM visitor WHERE key IN (SELECT key FROM visitor WHERE seen_at < ? LIMIT ?)"


def erase(db: apsw.Connection, events: Iterable[tuple[str, bytes | None]]) -> None:
    """Who was remembered for these events: their ids and bodies."""
    for event_id, body in events:
        for key in keys_of_sealed(event_id, body):
            db.execute("DELETE FROM visitor WHERE key = ?", (key,))


_encode = msgspec.json.Encoder().encode


visit_decoder = msgspec.json.Decoder(Visit)
