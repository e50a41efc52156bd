"""Who was seen under which order's id: one row each, for 7 days, or 90 (`Visit.for_long`)."""

import msgspec

from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.postgres.session import Rows, Session

VISITOR_SECONDS = 7 * 86_400
LONG_SECONDS = 90 * 86_400
PRUNED_AT_ONCE = 5_000


def remember(session: Session, key: str, visit: Visit, now: float) -> None:
    """The time stays the first one's, so that nobody is kept longer by calling again. Another machine may tell of the
    same order at the same moment: whoever finds its row in the way looks again, or a refusal would be passed over."""
    while (known := _found_for_update(session, key, now)) is None:
        if session.run(_INSERT, (key, _encode(visit), now + _longer(visit), now - VISITOR_SECONDS)):
            return
    if (filled := known.filled_from(visit)) != known:
        session.run(_FILL, (_encode(filled), float(_longer(filled) - _longer(known)), key))


def told_before(session: Session, key: str, visit: Visit, seen_at: float) -> bool:
    """A visit that another outbox remembered; whether nothing is known here under this key. What was told here since
    counts as the later word: where one of them is a refusal, a row that just stays would pass it over."""
    if session.run(_INSERT, (key, _encode(visit), seen_at, float("-inf"))):
        return True
    for (document,) in session.read(_KNOWN, (key,)):
        known = decoder.decode(document)
        is_of_a_notice = known.order_key is not None or visit.order_key is not None
        if not is_of_a_notice and (filled := visit.filled_from(known)) != known:
            session.run(_FILL, (_encode(filled), float(_longer(filled) - _longer(known)), key))
    return False


def _found_for_update(session: Session, key: str, now: float) -> Visit | None:
    return found(session.read(FIND + " FOR UPDATE", (key, now - VISITOR_SECONDS)))


def _longer(visit: Visit) -> int:
    """Whoever is kept for 90 days is written down as seen that much later: then one comparison tells who is too old."""
    return LONG_SECONDS - VISITOR_SECONDS if visit.for_long else 0


def found(rows: Rows) -> Visit | None:
    """Of FIND's rows."""
    for (document,) in rows:
        return decoder.decode(document)
    return None


FIND = "SELECT document FROM relay.visitor WHERE key = %b AND seen_at >= %b::float8"
# Who is too old is written over, and not yet swept away.
_INSERT = """
INSERT INTO relay.visitor AS v VALUES (%b, %b, %b::float8)
ON CONFLICT (key) DO UPDATE SET document = excluded.document, seen_at = excluded.seen_at
WHERE v.seen_at < %b::float8
"""
_KNOWN = "SELECT document FROM relay.visitor WHERE key = %b FOR UPDATE"
_FILL = "UPDATE relay.visitor SET document = %b, seen_at = seen_at + %b::float8 WHERE key = %b"
PRUNE = f"""
DELETE FROM relay.visitor WHERE key IN (
  SELECT key FROM relay.visitor WHERE seen_at < %b::float8 ORDER BY key LIMIT {PRUNED_AT_ONCE} FOR UPDATE SKIP LOCKED)
RETURNING 1
"""
ERASE = "DELETE FROM relay.visitor WHERE key = ANY (%b::text[])"


_encode = msgspec.json.Encoder().encode
decoder = msgspec.json.Decoder(Visit)
