"""An outbox file that is looked at, and not changed: `status`, `explain`, `dead list` and their like.

What could go wrong. A verb that looks is run with a mistyped path, and makes an empty outbox there; the operator reads
"no event yet" and believes it. Or it is run by another user than the server's, and leaves files that the server cannot
write. Or it runs on a copy of a broken file, which it mends, and the evidence is gone.

The rule: nothing is created, renamed, mended, migrated or copied back. Which way a file is opened depends on what
stands beside it (https://sqlite.org/wal.html#read_only_databases):
1. A log and its index (`-wal`, `-shm`): somebody has the file open, or was killed. A read-only connection uses both; it
   copies nothing into the database, and where it may not write it builds the index in its own memory.
2. Neither, or an empty log: all that was committed is in the file. It is opened as `immutable`, which needs no other
   file. A server that starts meanwhile writes into a log first; the file's stamp is compared after each query, and when
   it changed, the file is opened once more and asked again.
3. A log without an index, what somebody copied or restored: SQLite would have to create the index, so both files are
   read from a copy in a temporary folder.

Rejected: a read-only connection in all cases (it creates `-shm`, and fails in a folder that is not writable);
`immutable` in all cases (it does not see the log, so it would not see what was just accepted).
"""

import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import quote

import apsw

from conversion_relay.errors import OutboxUnavailable, SettingsError, UnsupportedByOutbox
from conversion_relay.outbox.sqlite.file import DAMAGE, SCHEMA_VERSION, schema_of
from conversion_relay.outbox.sqlite.handover import MARK, TOLD
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.sqlite.told import explain, told_once

if TYPE_CHECKING:
    from conversion_relay.outbox.sqlite.database import Database

TRIES = 5
"""How often the same question is asked of a file that changes while it is read as immutable."""
Stamp = tuple[int, int, int] | None


class ReadOnlyDatabase:
    """Committed rows of one file, for one command. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsError for a place without an outbox, and for a file that cannot be read."""
        self.path = path
        self._log, self._index = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
        self._lock = threading.Lock()
        self._db: apsw.Connection | None = None
        try:
            self._open()
            self._check()
        except (apsw.Error, OSError, OutboxUnavailable) as error:
            self.close()
            raise SettingsError(f"RELAY_OUTBOX: {self._told(error)}") from None
        except SettingsError:
            self.close()
            raise

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Raises OutboxUnavailable."""
        with self._lock:
            try:
                for _ in range(TRIES):
                    assert self._db is not None
                    rows = self._db.execute(sql, values).fetchall()
                    if self._seen is None or self._seen == self._stamps():
                        return rows
                    self._open()
            except (apsw.Error, OSError) as error:
                raise OutboxUnavailable(self._told(error)) from None
        raise OutboxUnavailable(f"{self.path.name} is being changed; ask again")

    def submit(self, *_: Any, **__: Any) -> NoReturn:
        """There is no writing thread."""
        raise UnsupportedByOutbox("this outbox was opened to be looked at; nothing can be written")

    carry_out = submit

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _open(self) -> None:
        """By what stands beside it now."""
        self.close()
        self._seen: tuple[Stamp, Stamp] | None = None
        if not self.path.is_file() or not self.path.stat().st_size:
            place = self.path.absolute()
            raise SettingsError(f"RELAY_OUTBOX: no outbox at {place}; `serve`, `deliver` or `send` makes one")
        log = _stamp(self._log)
        if log is not None and self._index.exists():
            self._db = _connected(self.path, "mode=ro")
        elif log is not None and log[1]:
            self._db = self._copied()
        else:
            self._seen = self._stamps()
            self._db = _connected(self.path, "mode=ro&immutable=1")
        self._db.set_busy_timeout(2_000)
        self._db.execute("PRAGMA temp_store = MEMORY; PRAGMA query_only = ON").fetchall()

    def _stamps(self) -> tuple[Stamp, Stamp]:
        return _stamp(self.path), _stamp(self._log)

    def _copied(self) -> apsw.Connection:
        """Of a log without its index. The folder goes at once: the connection holds its files open."""
        with tempfile.TemporaryDirectory(prefix="conversion-relay-") as folder:
            copy = Path(folder, "copy.db")
            shutil.copyfile(self.path, copy)
            shutil.copyfile(self._log, copy.with_name("copy.db-wal"))
            db = apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READWRITE)
            db.execute("PRAGMA user_version").fetchall()  # the log is read now
            return db

    def _check(self) -> None:
        """That it is an outbox of this version."""
        ours = self.read("SELECT 1 FROM sqlite_schema WHERE name IN ('event', 'tally')")  # in each version's file
        if len(ours) < 2:
            raise SettingsError(
                f"RELAY_OUTBOX: no outbox at {self.path.absolute()}: it is a database of something else"
            )
        version = schema_of(self.read)
        if version != SCHEMA_VERSION:
            remedy = "start `serve` or `deliver` once" if version < SCHEMA_VERSION else "install the newer version"
            raise SettingsError(
                f"RELAY_OUTBOX: {self.path.name} is of schema {version}, this version reads {SCHEMA_VERSION}: {remedy}"
            )
        if self.read("PRAGMA application_id") == [(MARK,)]:  # what it holds is old, and what to do about it wrong
            raise SettingsError(f"RELAY_OUTBOX: {TOLD.format(self.path.name)}")

    def _told(self, error: Exception) -> str:
        if isinstance(error, apsw.NotADBError):
            return f"no outbox at {self.path.absolute()}: it is a file of something else"
        if isinstance(error, DAMAGE):
            return f"{self.path.name} is damaged; `serve` and `deliver` save what can be read of it"
        if isinstance(error, apsw.Error):
            return told_once(explain(self.path, error))
        return (
            str(error)
            if isinstance(error, OutboxUnavailable)
            else f"{self.path.name} cannot be read: {getattr(error, 'strerror', error)}"
        )


class SqliteReader(SqliteOutbox):
    """The verbs that look, of a file that stays as it is; the others raise UnsupportedByOutbox."""

    def __init__(self, path: str) -> None:
        self._database = cast("Database", ReadOnlyDatabase(Path(path)))

    def close(self) -> None:
        self._database.close()


def _connected(path: Path, how: str) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return apsw.Connection(f"file:{quote(str(path.absolute()))}?{how}", flags=flags)


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
