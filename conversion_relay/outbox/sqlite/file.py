"""The file under the SQLite outbox: how it is opened and checked, and how it is known again.

What could go wrong. When an fsync fails, the kernel may drop the pages and show them as clean. The next fsync then
succeeds, and a commit that rests on the lost pages is acknowledged and gone after a power cut
(https://wiki.postgresql.org/wiki/Fsync_Errors). A bad disk returns wrong pages. Somebody deletes the file, or puts a
backup in its place, while we have it open: SQLite goes on writing into the old inode, which vanishes with the process.

The rules.
1. After any error of the file it is closed and opened again before anything else is promised (`writer.py`). Each
   opening copies the log into the database, syncs it, and cuts the log to nothing; so new frames go into a log that
   begins anew, and rest on no page of the old one. An opening that succeeds has made a real commit of its own.
2. A file up to QUICK_TO_CHECK is checked at each opening, a larger one when damage was met. Not after a fork, where we
   closed it ourselves a moment ago.
3. Before each commit, and again before it is acknowledged, the inodes at the path are compared with those that were
   opened (`Identity`). Each costs two calls of stat, about 3 microseconds. Before it, since a file that was put back
   may have been opened with the old log: whoever has not noticed that yet would write pages of the old file into it.
4. Only the writing connection copies the log: two connections that do were what SQLite's WAL-reset bug needed.
5. A schema is brought up to date in one transaction; a kill in the middle leaves the old one.

Rejected: to repeat the failed fsync (see above); to end the process (ADR 7); inotify instead of stat, since it reports
late and not on every file system.
"""

import os
import pkgutil
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import apsw

from conversion_relay.errors import TOO_FEW_FILES, OutboxUnavailable, SettingsError, is_short_of_files
from conversion_relay.outbox.place import opened
from conversion_relay.outbox.sqlite import put_back
from conversion_relay.outbox.sqlite.one_at_a_time import BUSY_MS, STANDS_STILL, being_next
from conversion_relay.outbox.sqlite.told import FULL, NOT_BUNDLED, explain, is_full, may_pass, told_once, why_not_opened

SCHEMA_VERSION = 5
PAGE, OLDER_PAGE = 8_192, 4_096
"""Bytes of a page of a new file, and of one that was made before, which keeps them. Five bodies as people send them fit
into the first, and only two into the other; what is delivered is overwritten page by page, so pages are its cost."""
CACHE_KB = 4_000
"""Of pages in memory. Four times as much was no quicker, with a million events of history either, and while Meta hangs
it filled up: the process grew by a quarter."""
MOST_LOG = 16 * 1_048_576
"""Bytes at which the log is copied into the database, and to which it is cut whenever it grew beyond."""
LOG_SHARE = 0.01
"""... of a small file system: copying needs about as much room once more, and both must fit into the reserve."""
QUICK_TO_CHECK = 64 * 1_048_576
"""Files up to this size are checked whenever they are opened, which takes some tenths of a second."""
DAMAGE = (apsw.CorruptError, apsw.NotADBError)
Inode = tuple[int, int]
Check = Literal["none", "quick", "full"]


class Damaged(Exception):
    """The bytes in the file are not a sound database of ours."""


class Unusable(Exception):
    """The file cannot be used now; the text says why and what to do, and names no path but the file's own name."""


class NotNow(Unusable):
    """The same file may be used later, with nothing set otherwise."""


def at_start(path: Path, error: Unusable | Damaged | OSError) -> SettingsError | OutboxUnavailable:
    """What a start says: whether it ends for good, or whoever supervises the process is to start it again."""
    if isinstance(error, OSError):
        passes, why = may_pass(error), why_not_opened(path, error)
    else:
        passes, why = isinstance(error, NotNow), told_once(str(error))
    return (OutboxUnavailable if passes else SettingsError)(f"RELAY_OUTBOX: {why}")


def open_file(path: Path, check: Check = "quick", *, new_page: int = PAGE) -> tuple[apsw.Connection, apsw.Connection]:
    """(the writing connection, the reading one). Raises Unusable or Damaged; SettingsError for a newer schema.

    `new_page`: bytes of a page, where the file is new."""
    _touch(path)
    log, writer = _most_log(path), None
    try:
        writer = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        writer.set_busy_timeout(BUSY_MS)
        # fetchall: APSW runs a text of several statements only as far as its rows are read.
        # fullfsync: the fsync of macOS leaves the bytes in the disk's own memory. Elsewhere it says nothing.
        writer.execute(
            f"PRAGMA page_size = {new_page}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            f"PRAGMA fullfsync = ON; PRAGMA secure_delete = ON; PRAGMA journal_size_limit = {log};"
            f"PRAGMA cache_size = -{CACHE_KB}; PRAGMA temp_store = MEMORY"
        ).fetchall()
        page = int(writer.execute("PRAGMA page_size").fetchall()[0][0] or PAGE)
        writer.execute(f"PRAGMA wal_autocheckpoint = {log // page}").fetchall()
        migrate(writer)
        try:
            with being_next(path, time.monotonic() + STANDS_STILL):
                writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")  # a real commit: we can write, the log exists
        except (apsw.FullError, apsw.IOError) as error:
            if not is_full(error, writer):  # to look, and to make room, no free disk is needed
                raise
        _check(writer, path, check)
        put_back.look(writer, time.time())
        reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        reader.set_busy_timeout(BUSY_MS)
        # Only the writer checkpoints: two connections that do are what the WAL-reset bug needed.
        reader.execute("PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0").fetchall()
    except DAMAGE as error:
        raise Damaged(f"{path.name} is damaged, or no outbox: {error}") from None
    except apsw.Error as error:
        kind = NotNow if may_pass(error) else Unusable
        raise kind(FULL.format(path.name) if is_full(error, writer) else explain(path, error)) from None
    return writer, reader


def _touch(path: Path) -> None:
    """Created readable by its owner alone. Raises Unusable that says what is wrong with the place."""
    try:
        os.close(opened(path, os.O_RDWR))
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unusable(f"{path.name} is not a file")
    except FileNotFoundError:
        raise Unusable(f"the folder for {path.name} does not exist: create it, or set another RELAY_OUTBOX") from None
    except PermissionError:
        raise Unusable(_whose(path)) from None
    except OSError as error:
        why = TOO_FEW_FILES if is_short_of_files(error) else error.strerror
        raise (NotNow if may_pass(error) else Unusable)(f"{path.name} cannot be opened for writing: {why}") from None


def _whose(path: Path) -> str:
    us, refused = os.geteuid(), f"{path.name} cannot be opened for writing: Permission denied"
    try:
        owner = (path if path.exists() else path.parent).stat().st_uid
    except OSError:
        owner = None
    if owner == us:
        return f"{refused}: it or its folder belongs to this user ({us}), but may not be written to; `chmod u+w` it"
    whose = "is closed to this user" if owner is None else f"belongs to user {owner}"
    return (
        f"{refused} (it or its folder {whose}, this process runs as user {us}): give it to this user, or start as"
        " its owner"
    )


def _most_log(path: Path) -> int:
    disk = os.statvfs(path)
    return max(64 * PAGE, min(MOST_LOG, int(disk.f_blocks * disk.f_frsize * LOG_SHARE)))


OF_ONE_ROW = (
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.TooBigError,
    apsw.RangeError,
    apsw.BindingsError,
    apsw.MisuseError,
)
"""Errors of SQLite that are about what somebody wanted to write, not about the file."""


def concerns_file(error: Exception) -> bool:
    """Whether the file is to be opened anew after this error, because it may be what is wrong."""
    return isinstance(error, (apsw.Error, Unusable, Damaged)) and not isinstance(error, OF_ONE_ROW)


def _check(db: apsw.Connection, path: Path, check: Check) -> None:
    if check == "full" or (check == "quick" and path.stat().st_size <= QUICK_TO_CHECK):
        found = db.execute(f"PRAGMA {'integrity_check' if check == 'full' else 'quick_check'}(1)").fetchall()
        if found != [("ok",)]:
            raise Damaged(f"{path.name} is damaged: {found}")


def migrate(db: apsw.Connection) -> None:
    """To the present schema, whole or not at all: a kill in the middle leaves the old one."""
    if db.execute("PRAGMA user_version").fetchall() == [(SCHEMA_VERSION,)]:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        version = schema_of(lambda sql: db.execute(sql).fetchall())
        if version == 0:
            db.execute(sql_text("schema.sql")).fetchall()
        elif version < SCHEMA_VERSION:
            _bring_up(db, version)
        elif version > SCHEMA_VERSION:
            raise SettingsError(
                f"RELAY_OUTBOX: the file is of schema {version}, this version reads {SCHEMA_VERSION}:"
                " install the newer conversion-relay that wrote it"
            )
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def schema_of(read: Callable[[str], list[tuple[Any, ...]]]) -> int:
    """By its tables, where they tell of a newer schema than the number: a process of schema 4 or before that ran on
    beside a newer one wrote its own number whenever it was probed. Who believes it adds columns that are there. And
    `sqlite3 FILE .dump` writes down all but the number."""
    version = int(read("PRAGMA user_version")[0][0] or 0)
    if 0 <= version < SCHEMA_VERSION:
        there = {name for (name,) in read("SELECT name FROM sqlite_schema")}
        version = version or int(there >= IN_EACH)
        if version:
            version = max(version, *(number for table, number in _CAME_WITH.items() if table in there), 0)
    return version


IN_EACH = {"event", "retried", "tally"}
"""Tables of every schema."""
_CAME_WITH = {"body": 2, "visitor": 3, "figure": 4, "reduced": 5}


def _bring_up(db: apsw.Connection, version: int) -> None:
    """From each schema to the next. `schema.sql` tells which of its tables came with which."""
    parts = re.split("-- Since schema [0-9]+\n", sql_text("schema.sql"))
    added = "".join(parts) if version == 1 else parts[version - 1]
    db.execute(sql_text(f"migrate_{version}.sql").replace("-- SCHEMA", added)).fetchall()
    if 1 < version < SCHEMA_VERSION - 1:
        _bring_up(db, version + 1)


def sql_text(name: str) -> str:
    """One of the .sql files beside this module."""
    try:
        text = pkgutil.get_data("conversion_relay.outbox.sqlite", name)  # importlib.resources takes as long as SQLite
    except FileNotFoundError:
        raise SettingsError(NOT_BUNDLED.format(name)) from None
    return (text or b"").decode()


class Identity:
    """Which file stood at the path when it was opened: what is committed into a deleted one is lost with us."""

    def __init__(self, path: Path) -> None:
        self._paths = [path, path.with_name(path.name + "-wal")]
        self._inodes = [_inode(p) for p in self._paths]

    def trouble(self) -> str | None:
        """None while both files are the ones that were opened."""
        for path, inode in zip(self._paths, self._inodes, strict=True):
            found = _inode(path)
            if found is None:
                return f"{path.name} was deleted or moved away while in use"
            if found != inode:
                return f"another file stands where {path.name} was"
        return None

    @property
    def is_missing(self) -> bool:
        return _inode(self._paths[0]) is None


def rescue(db: apsw.Connection, path: Path) -> str:
    """A copy of what a deleted file held, which we still have open; a sentence that says where it is."""
    copy = path.with_name(f"{path.name}.rescued-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    try:
        os.close(opened(copy, os.O_EXCL | os.O_RDWR))
        target = apsw.Connection(str(copy))
        with target.backup("main", db, "main") as backup:
            backup.step()
        target.close()
    except (OSError, apsw.Error):
        return "what it held could not be saved; put it back"
    return f"what it held is in {copy.name}: move it to {path.name}, it is used again by itself"


def _inode(path: Path) -> Inode | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
