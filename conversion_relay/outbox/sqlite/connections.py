"""The two connections to one outbox file: one writes, one reads."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from conversion_relay.errors import is_short_of_files
from conversion_relay.outbox.sqlite import fork
from conversion_relay.outbox.sqlite.file import Check, Damaged, Identity, NotNow, Unusable, open_file
from conversion_relay.outbox.sqlite.one_at_a_time import alone
from conversion_relay.outbox.sqlite.salvage import finish_salvage, is_ours, salvage
from conversion_relay.outbox.sqlite.told import explain, may_pass, why_not_opened
from conversion_relay.telemetry import logger


class Connections:
    """`writer` is for who holds the lock of `write_lock.py`, `read` for any thread. Closed until `open` is called."""

    writer: apsw.Connection
    reader: apsw.Connection

    def __init__(self, path: Path, identity: Identity | None = None, *, dataset: str | None = None) -> None:
        """`identity`: of the file that stood there when it was open before. `dataset`: as of `salvage`."""
        self.path = path
        self._dataset = dataset
        self.identity = identity
        self.is_open = False
        self._times_opened = 0
        self.lock = threading.Lock()
        """Held by whoever reads, opens or closes."""

    def open(self, check: Check = "quick") -> None:
        """Anew, if it is open. A damaged file is set aside first. Raises Unusable; Damaged for somebody else's file;
        SettingsError for a newer schema."""
        with self.lock:
            self._close()
            with alone(self.path):
                self._finish_salvage()
                try:
                    self.writer, self.reader = open_file(self.path, check)
                except Damaged:
                    if not is_ours(self.path):
                        raise
                    self._replace_damaged()
                    self.writer, self.reader = open_file(self.path)
            self.identity = Identity(self.path)
            self._times_opened += 1
            self.is_open = True

    def _finish_salvage(self) -> None:
        with self._saving():
            aside = finish_salvage(self.path, self._dataset)
        if aside:
            logger.error(_FINISHED, extra={"aside": aside})

    def _replace_damaged(self) -> None:
        with self._saving():
            saved = salvage(self.path, self._dataset)
        logger.error(
            _SET_ASIDE,
            extra={"aside": saved.aside, "events": saved.events, "damaged": saved.damaged, "skipped": saved.skipped},
        )
        for name in saved.unknown:
            logger.error(_UNKNOWN, extra={"dataset": name, "aside": saved.aside})

    @contextlib.contextmanager
    def _saving(self) -> Iterator[None]:
        try:
            yield
        except NotADirectoryError:
            raise Unusable(f"the folder for {self.path.name} is a file: set another RELAY_OUTBOX") from None
        except (apsw.Error, OSError) as error:
            if isinstance(error, OSError) and is_short_of_files(error):  # nothing is known of its bytes
                raise NotNow(why_not_opened(self.path, error)) from None
            why = explain(self.path, error) if isinstance(error, apsw.Error) else error.strerror
            kind = NotNow if may_pass(error) else Unusable
            raise kind(f"{self.path.name} is damaged, and what can be read cannot be saved: {why}") from None

    def trouble(self) -> str | None:
        """None while the files at the path are the ones that were opened."""
        return self.identity.trouble() if self.identity else None

    def is_missing(self) -> bool:
        """It was open once, and now there is no file. To open it again would make an empty one."""
        return self.identity is not None and self.identity.is_missing

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]] | None:
        """None while it is closed. Raises apsw.Error."""
        with self.lock:
            return self.reader.execute(sql, values).fetchall() if self.is_open else None

    def version(self) -> tuple[int, int] | None:
        """Another one after each commit of anybody's (https://sqlite.org/pragma.html#pragma_data_version); None while
        it is closed. Raises apsw.Error."""
        rows = self.read("PRAGMA data_version")
        return None if rows is None else (self._times_opened, rows[0][0])

    def close(self) -> None:
        with self.lock:
            self._close()

    def _close(self) -> None:
        if self.is_open:
            self.is_open = False
            for db in (self.writer, self.reader):
                with contextlib.suppress(apsw.Error):
                    db.close()

    def abandon(self) -> None:
        """In the child of a fork: neither use these connections nor close them, ever."""
        if self.is_open:
            fork.never_free(self.writer)
            fork.never_free(self.reader)


_FINISHED = (
    "The salvage of a damaged outbox file was interrupted; it is finished now, and the damaged file is set aside"
)
_SET_ASIDE = "The outbox file was damaged; it was set aside, and what could be read of it goes on in a new one"
_UNKNOWN = (
    "Events of a damaged outbox file wait for a dataset whose name cannot be read, and are not sent, since several are"
    " configured: find out whose they are, stop the relay, and name that dataset in the outbox file with sqlite3:"
    " UPDATE dataset SET name = 'its id' WHERE name = 'the name of this line'"
)
