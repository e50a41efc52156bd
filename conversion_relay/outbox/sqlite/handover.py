"""A file that `migrate` has begun to move to PostgreSQL is handed over: nothing else writes into it any more.

What could go wrong. `migrate` is stopped half-way, and PostgreSQL's workers send what it moved. A timer that still has
the old address (`deliver --once`), or a service that is started with it, sends the same events from the file once more.
Or `send` puts an event into the file behind the last step of a `migrate` that runs, and nobody ever moves it.

The rule. Before its first step `migrate` writes a mark into the file's header
(https://sqlite.org/pragma.html#pragma_application_id). Whoever opens a file to write first shows itself by an owner's
lock (`owner.py`) and then looks for the mark; `migrate` first marks and then looks for owners. So one of them sees the
other. The mark stays, in the file that was renamed at the end, too: who puts that one back would send all of it again.
Whoever only looks is told the same, since the file's backlog is PostgreSQL's.

Rejected: a file beside it, which a copy or a rename leaves behind; another number of the schema, which everybody who
opens the file writes anew.
"""

import contextlib
from pathlib import Path
from typing import Final

import apsw

from conversion_relay.outbox.sqlite.file import DAMAGE, IN_EACH
from conversion_relay.outbox.sqlite.salvage import is_ours

MARK: Final = 0x4D4F5645
TOLD = (
    "{} was handed over to PostgreSQL by `migrate`, and its events are sent from there: use RELAY_OUTBOX=postgresql://"
    " here too; a `migrate` that was stopped is started again"
)


def is_handed_over(db: apsw.Connection) -> bool:
    return db.execute("PRAGMA application_id").fetchall() == [(MARK,)]


def is_marked(path: Path) -> bool:
    """By the file's first bytes (https://sqlite.org/fileformat.html#application_id), also where the rest is damaged:
    what is saved of it goes into a new file, which has no mark."""
    try:
        with path.open("rb") as file:
            return file.read(72)[68:] == MARK.to_bytes(4, "big")
    except OSError:
        return False


def hand_over(db: apsw.Connection) -> None:
    """Durable when it returns."""
    db.execute(f"PRAGMA application_id = {MARK}").fetchall()


def give_back(path: Path) -> None:
    """`migrate` moved nothing yet, and the file is as free as before."""
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as db:
        db.set_busy_timeout(2_000)
        db.execute("PRAGMA application_id = 0").fetchall()


def look(path: Path) -> tuple[bool, bool]:
    """Whether it is an outbox, of this or an older version; and whether it was handed over."""
    try:
        with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
            db.set_busy_timeout(2_000)
            there = {name for (name,) in db.execute("SELECT name FROM sqlite_schema").fetchall()}
            return there >= IN_EACH, is_handed_over(db)
    except DAMAGE:  # what can be read of ours is saved when it is opened
        return is_ours(path), False
