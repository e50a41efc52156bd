"""Who was forgotten after a copy was made is forgotten in the copy, too.

What could go wrong. A copy of yesterday holds everybody who asked to be forgotten today, who took their consent back or
declined. It is put back, their events wait in it, and are sent. No list tells who they were: it would be a list of
persons.

The rule. The outbox in whose place the copy is put knows it, as long as it can be read: the copy descends from the same
file, so an event has the same key in both. What is erased there is erased in the copy; what was taken back while it was
leased is marked so. Whose visits are remembered is told by the other outbox alone, and so is what pixels reported:
there is no row of a visit that was forgotten. The copy is written anew afterwards, so that no page keeps a deleted row.

Rejected: to match by event id (one that holds a digest is replaced by the erasure); a list of erasures beside the file.
"""

from array import array
from pathlib import Path

import apsw

from conversion_relay.errors import SettingsError
from conversion_relay.outbox.sqlite.books import read
from conversion_relay.outbox.sqlite.operator import erase
from conversion_relay.outbox.sqlite.outbox import LEDGER_SECONDS


def forget_as_in(db: apsw.Connection, other: Path, now: float) -> int:
    """`db`: the copy, which nobody else has open; how many of its events were erased. Raises SettingsError where the
    other is not the outbox of which the copy was made, or cannot be read."""
    try:
        db.execute("ATTACH ? AS other", (str(other.absolute()),))
        return _forget(db, other.name, now)
    except _UNREADABLE:
        raise SettingsError(
            f"{other.name} is damaged, closed to this user, in use or of another version, so nobody can tell who was"
            " erased there: restore without it, and say each erasure again"
        ) from None


_UNREADABLE = (
    *(apsw.NotADBError, apsw.CorruptError, apsw.SQLError, apsw.BusyError, apsw.CantOpenError, apsw.ReadOnlyError),
    *(apsw.PermissionsError, apsw.AuthError),
)


def _forget(db: apsw.Connection, name: str, now: float) -> int:
    if not read(db, _IN_COMMON) and read(db, "SELECT 1 FROM event LIMIT 1"):
        raise SettingsError(f"{name} has no event of this copy: it is another outbox, or the copy is too old")
    with db:
        keys = [key for (key,) in read(db, _ERASED, (now - LEDGER_SECONDS,))]
        if keys:
            erase(db, keys, (), now)
            db.execute(_AS_THERE, (apsw.carray(array("q", keys)),))
        db.execute(_TAKEN_BACK)
        for table in ("visitor", "pixel"):
            db.execute(f"DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM other.{table}").fetchall()
    db.execute("DETACH other")
    db.execute("VACUUM")
    return len(keys)


_SAME = "there.key = here.key AND there.accepted_at = here.accepted_at AND there.event_name = here.event_name"
_IN_COMMON = f"SELECT 1 FROM main.event AS here JOIN other.event AS there ON {_SAME} LIMIT 1"
# The ledger there drops what ended eight days ago, and with it what was erased; here it may be a dead letter still.
_ERASED = f"""
SELECT here.key FROM main.event AS here LEFT JOIN other.event AS there ON {_SAME}
WHERE here.state <> 'erased' AND (there.state = 'erased'
  OR (there.key IS NULL AND here.state = 'dead' AND here.accepted_at < ?))
"""
_AS_THERE = f"""
UPDATE main.event AS here SET event_id = there.event_id, reason = there.reason, settled_at = there.settled_at
FROM other.event AS there WHERE {_SAME} AND there.state = 'erased' AND here.key IN carray(?)
"""
_TAKEN_BACK = f"""
UPDATE main.event AS here SET consent = 'withdrawn'
FROM other.event AS there WHERE {_SAME} AND there.consent = 'withdrawn' AND here.state = 'waiting'
"""
