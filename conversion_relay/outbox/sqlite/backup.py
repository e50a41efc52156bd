"""A verified copy of the outbox while it is in use, and back.

What could go wrong. A copy of the file alone lacks what stands in the log; one that is taken with `cp` while somebody
writes is damaged; one that nobody ever opened turns out to be so on the day it is needed. And a restored outbox holds
events that were delivered since: they would all be sent once more.

The rule. SQLite's own backup copies page by page from a read connection, and begins anew where somebody wrote; the copy
is checked whole before it gets its name. A restored event that had waited is marked as one that Meta may have
(`sent_at`, `put_back.py`), so that delivery treats it as doubtful: Meta drops what it had within 48 hours by the event
id, and older Purchases are held for a person. Who was erased after the copy was made is in it still (`forgotten.py`).

A copy takes minutes. Meanwhile a service may start and confirm events into a new file, or another timer make the same
copy. So one copy at a time is made in a folder, and its name is looked at again when the copy takes it, in the lock by
which a service opens its file.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import apsw

from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.outbox.place import bring_to_disk, opened
from conversion_relay.outbox.sqlite import put_back
from conversion_relay.outbox.sqlite.file import SCHEMA_VERSION, migrate, schema_of
from conversion_relay.outbox.sqlite.forgotten import forget_as_in
from conversion_relay.outbox.sqlite.one_at_a_time import alone
from conversion_relay.outbox.sqlite.told import explain, told_once

PAGES_AT_ONCE = 1_000


def backup(source: Path, target: Path, tell: Callable[[int, int], None] = lambda _done, _all: None) -> int:
    """Copies an outbox that may be in use; how many events it holds. Raises SettingsError, OutboxUnavailable."""
    _refuse_a_name_in_use(target)
    _refuse_what_is_no_outbox(source)
    with _draft(target, ".part", is_outbox=False) as draft:
        _refuse_a_name_in_use(target)
        _copy(source, draft, tell)
        with contextlib.closing(apsw.Connection(str(draft))) as db:
            put_back.mark(db)
        n = verify(draft, source.name)
        with draft.open("rb") as file:
            bring_to_disk(file.fileno())
        _refuse_a_name_in_use(target)
        draft.rename(target)
    return n


def _refuse_a_name_in_use(target: Path) -> None:
    if target.exists():
        raise SettingsError(f"{target.name} exists already: choose another name")


@contextlib.contextmanager
def _draft(target: Path, suffix: str, *, is_outbox: bool) -> Iterator[Path]:
    """A new file beside the target, which is gone at the end unless it took its place; the only one of its folder. An
    outbox belongs to who owns its folder, a copy to who asked for it. What the disk or SQLite does not let us do
    becomes OutboxUnavailable."""
    draft = target.with_name(target.name + suffix)
    turn = contextlib.ExitStack()
    try:
        turn.enter_context(_in_turn(target.absolute().parent))
        draft.unlink(missing_ok=True)
        flags = os.O_EXCL | os.O_RDWR
        os.close(opened(draft, flags) if is_outbox else os.open(draft, os.O_CREAT | flags, 0o600))
        yield draft
    except apsw.Error as error:
        raise OutboxUnavailable(_told(target, error)) from None
    except OSError as error:
        raise OutboxUnavailable(f"{target.absolute()} cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        turn.close()


@contextlib.contextmanager
def _in_turn(folder: Path) -> Iterator[None]:
    """By a lock on the folder, which leaves no file behind. A file system without such locks has to do without."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _told(path: Path, error: apsw.Error) -> str:
    """Nothing here is tried again by itself."""
    if isinstance(error, apsw.ReadOnlyError):
        return f"{path.name} may only be read by this user; run this as the user to whom the outbox belongs"
    return told_once(explain(path, error))


def _refuse_what_is_no_outbox(source: Path) -> None:
    try:
        db = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
        with contextlib.closing(db):
            version = _schema_of(db)
    except (apsw.NotADBError, apsw.CorruptError):
        version = 0
    except apsw.Error as error:
        raise OutboxUnavailable(_told(source, error)) from None
    if not version:
        raise SettingsError(f"{source.absolute()} is no outbox: it is empty, or a file of something else")


def _schema_of(db: apsw.Connection) -> int:
    return schema_of(lambda sql: db.execute(sql).fetchall())


def _refuse_another_outbox(target: Path) -> None:
    """SettingsError where one stands, or its log is left: SQLite would write its pages over those of the copy. It stays
    when an outbox in use, or of a process that was killed, is moved away without it."""
    if target.exists():
        raise SettingsError(f"{target.name} exists: move it away first, so that nothing is overwritten")
    for mark, what in _LEFT.items():
        left = target.with_name(target.name + mark)
        if left.exists() and left.stat().st_size:
            raise SettingsError(
                f"{left.name} exists, {what} of the outbox that was there: stop what uses it, and move it to where you"
                f" moved {target.name}, under that name with {mark} behind it; events may be in it alone"
            )


_LEFT = {"-wal": "the log", "-journal": "the journal", "-salvage": "the mark of an unfinished salvage"}


def _copy(source: Path, target: Path, tell: Callable[[int, int], None]) -> None:
    # By its plain path: in a URI a name with ?, # or % in it would be another file.
    old = apsw.Connection(str(source.absolute()), flags=apsw.SQLITE_OPEN_READONLY)
    old.set_busy_timeout(5_000)
    new = apsw.Connection(str(target))
    try:
        with new.backup("main", old, "main") as copying:
            while not copying.done:
                copying.step(PAGES_AT_ONCE)
                tell(copying.page_count - copying.remaining, copying.page_count)
        new.execute("PRAGMA journal_mode = DELETE").fetchall()
    finally:
        new.close()
        old.close()


def verify(path: Path, name: str = "") -> int:
    """How many events it holds. `name`: what people call it. Raises SettingsError for what is no sound outbox of this
    or an older version."""
    name = name or path.name
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        version = _schema_of(db)
        sound = db.execute("PRAGMA integrity_check(1)").fetchall()
        if version > SCHEMA_VERSION:
            raise SettingsError(
                f"{name} is of schema {version}, this version writes {SCHEMA_VERSION}: install the newer one"
            )
        if sound != [("ok",)]:
            raise SettingsError(f"{name} is damaged; it was not used")
        return int(db.execute("SELECT count(*) FROM event").fetchall()[0][0] or 0)
    except (apsw.NotADBError, apsw.CorruptError):
        raise SettingsError(f"{name} is no outbox, or it is damaged") from None
    finally:
        db.close()


class Restored(NamedTuple):
    events: int
    waiting: int
    """Of them; Meta may have had them since."""
    erased: int
    """As in the outbox that was there before."""


def restore(copy: Path, target: Path, erased_in: Path | None = None) -> Restored:
    """Puts a copy where no outbox is. `erased_in`: the outbox that was there, by which people are forgotten who are in
    the copy still."""
    _refuse_another_outbox(target)
    _refuse_what_is_no_outbox(copy)
    if erased_in:
        _refuse_what_is_no_outbox(erased_in)
    n, erased = verify(copy), 0
    with _draft(target, ".restoring", is_outbox=True) as draft:
        _copy(copy, draft, lambda _done, _all: None)
        db = apsw.Connection(str(draft))
        migrate(db)
        put_back.make_doubtful(db, time.time())
        try:
            if erased_in:
                erased = forget_as_in(db, erased_in, time.time())
            waiting = int(db.execute(_WAITING).fetchall()[0][0] or 0)
        finally:
            db.close()
        with alone(target):
            _refuse_another_outbox(target)
            draft.rename(target)
    return Restored(n, waiting, erased)


_WAITING = "SELECT sum(n) FROM tally WHERE state IN ('pending', 'leased')"
