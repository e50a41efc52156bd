"""A copy that stands in the outbox's place: what waits in it may have been sent since.

What could go wrong. An operator copies the file that `backup` made over the outbox, without `restore`. What waited in
it would be sent as if for the first time, also what Meta has had for longer than the 48 hours in which it drops copies.

The rule. `backup` marks its copy in the file's header (https://sqlite.org/pragma.html#pragma_application_id). Whoever
opens a marked file to write makes what waits doubtful first, as `restore` does, and takes the mark away in the same
transaction. The mark of `migrate` (`handover.py`), which stands in the same place, stays in a copy.

A copy that SQLite or the file system made has no mark; it is brought back by `restore`.
"""

from typing import Final

import apsw

from conversion_relay.telemetry import logger

MARK: Final = 0x434F5059


def mark(db: apsw.Connection) -> None:
    """Of a copy that nobody uses yet."""
    if db.execute("PRAGMA application_id").fetchall() == [(0,)]:
        db.execute(f"PRAGMA application_id = {MARK}").fetchall()


def look(db: apsw.Connection, now: float) -> None:
    """Of a file that is opened to write. Raises apsw.Error."""
    if db.execute("PRAGMA application_id").fetchall() == [(MARK,)]:
        make_doubtful(db, now)
        logger.warning(_PUT_BACK)


_PUT_BACK = (
    "A copy made by `backup` stands in the outbox's place: what waits in it is treated as sent already, and who was"
    " erased or took consent back later is in it again; erase them again"
)


def make_doubtful(db: apsw.Connection, now: float) -> None:
    """In a transaction of its own."""
    with db:
        db.execute(_DOUBTFUL, (now,))
        db.execute(
            "UPDATE queue SET lane = 1, rank = (SELECT sent_at FROM event WHERE event.key = queue.key) WHERE lane = 0"
        )
        db.execute("UPDATE queue SET rank = (SELECT sent_at FROM event WHERE event.key = queue.key) WHERE lane = 1")
        if db.execute("PRAGMA application_id").fetchall() == [(MARK,)]:
            db.execute("PRAGMA application_id = 0").fetchall()


# Since when Meta may have it: from the moment it was accepted, if the copy does not know better.
_DOUBTFUL = "UPDATE event SET sent_at = coalesce(sent_at, min(accepted_at, ?)) WHERE state = 'waiting'"
