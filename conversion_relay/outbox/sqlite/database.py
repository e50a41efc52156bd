"""One SQLite file as the outbox uses it: jobs are written by one thread at a time, rows are read by any.

`group.py` tells how jobs are committed, `writer.py` what happens after trouble, `connections.py` how the file is
opened and replaced, `fork.py` what happens when the process forks. This module puts them together.

Everything that belongs to one process is made in `_begin`: the connections, the writing thread with its queue and
locks, the owner's lock, and whom to wake. The child of a fork runs `_begin` once more and shares none of it with its
parent.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import apsw

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.answer import Then
from conversion_relay.outbox.sqlite import fork
from conversion_relay.outbox.sqlite.connections import Connections
from conversion_relay.outbox.sqlite.disk import Room
from conversion_relay.outbox.sqlite.file import DAMAGE, Identity, NotNow, Unusable
from conversion_relay.outbox.sqlite.group import Result, Work
from conversion_relay.outbox.sqlite.handover import TOLD, hand_over, is_handed_over, is_marked
from conversion_relay.outbox.sqlite.owner import Owner
from conversion_relay.outbox.sqlite.told import explain, may_pass
from conversion_relay.outbox.sqlite.writer import CLOSED, Writer

IN_USE_AT_FORK = "the outbox was in use while this process was forked from another one; open it anew in this process"


class Database:
    """Safe to use from several threads, from several processes of one machine, and after `os.fork`."""

    _owner: Owner | None

    def __init__(
        self, path: Path, *, ballast: bool = False, dataset: str | None = None, hands_over: bool = False
    ) -> None:
        """`ballast`: whether to keep some. `dataset`: where events of an unreadable dataset go, when damage is mended.
        `hands_over`: it is opened by `migrate`, and by nobody else from now on (`handover.py`).
        Raises Unusable, Damaged, SettingsError or OSError for a file that cannot be used from the start."""
        self.path = path
        self._room = Room(path, ballast=ballast)
        self._dataset = dataset
        if not hands_over and is_marked(path):
            raise Unusable(TOLD.format(path.name))
        self._begin()
        fork.follow(self)
        self._file.open()
        self._room.lay()
        self._owner = Owner(path)
        self._heed_handover(hands_over=hands_over)
        self._writer.start()

    def _heed_handover(self, *, hands_over: bool) -> None:
        try:
            if hands_over:
                hand_over(self._file.writer)
            elif is_handed_over(self._file.writer):
                raise Unusable(TOLD.format(self.path.name))
        except (apsw.Error, Unusable) as error:
            self.close()
            if isinstance(error, Unusable):
                raise
            raise (NotNow if may_pass(error) else Unusable)(explain(self.path, error)) from None

    def _begin(self, identity: Identity | None = None) -> None:
        self._file = Connections(self.path, identity, dataset=self._dataset)
        self._writer = Writer(self._file, self._room)
        self._latest: dict[str, tuple[object, list[tuple[Any, ...]]]] = {}
        """What `latest` read, and the version it was read at or before."""
        self._owner = None
        self._owning = threading.Lock()
        self.wakers: list[Callable[[], None]] = []
        """Called after a commit that stored something; they wake threads, which a child of a fork does not have."""

    @property
    def writer(self) -> apsw.Connection:
        """The connection that whoever commits works on; for benches and tests, which look at its pragmas."""
        return self._file.writer

    @property
    def reader(self) -> apsw.Connection:
        return self._file.reader

    @property
    def owner(self) -> Owner:
        """This process, as the holder of leases."""
        with self._owning:
            if self._owner is None:
                try:
                    self._owner = Owner(self.path)
                except OSError as error:
                    place = f"the folder of {self.path.name}"
                    raise OutboxUnavailable(f"{place} is not writable: {error.strerror}") from None
            return self._owner

    def submit(self, work: Work[Result], *, adds: bool = False, then: Sequence[Then[Result]] = ()) -> "Future[Result]":
        """`work` is done in the writing thread; the future is done after the commit and its fsync, always. `work` may
        be run twice, so it changes nothing but the database. An error of its own is the future's; after
        OutboxUnavailable nothing is promised. `then` is called when it is done, in the writing thread."""
        return self._writer.submit(work, adds=adds, then=then)

    def carry_out(self, work: Work[Result], *, adds: bool = False, then: Sequence[Then[Result]] = ()) -> Result:
        """The same, and waits for it; in this very thread where nobody is before it (`write_lock.py`)."""
        return self._writer.carry_out(work, adds=adds, then=then)

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Committed rows. Raises OutboxUnavailable."""
        while not self._writer.is_closed:
            try:
                rows = self._file.read(sql, values)
            except apsw.Error as error:
                if isinstance(error, DAMAGE):
                    self.submit(partial(_raise, error))  # the writer opens the file anew
                raise OutboxUnavailable(explain(self.path, error)) from None
            if rows is not None:
                return rows
            self.carry_out(_nothing)  # it was closed for a fork, and the writer opens it
        raise OutboxUnavailable(CLOSED)

    def latest(self, *queries: str) -> list[list[tuple[Any, ...]]]:
        """What `read` gives for each, for what is asked again and again: while nobody commits, nothing is read. So an
        idle worker costs a look at the version of the file."""
        try:
            version = self._file.version()
        except apsw.Error:
            version = None
        if version is None:
            return [self.read(sql) for sql in queries]
        return [self._read_once(sql, version) for sql in queries]

    def _read_once(self, sql: str, version: object) -> list[tuple[Any, ...]]:
        known = self._latest.get(sql)
        if known is None or known[0] != version:
            # What is read is at least as new as the version, so at worst it is read once more.
            known = self._latest[sql] = (version, self.read(sql))
        return known[1]

    def probe(self) -> None:
        """Returns after a real commit that changed nothing; raises OutboxUnavailable when there is none to be had."""
        self.carry_out(_rewrite_header, adds=True)

    def empty_log(self) -> None:
        """What was overwritten still stands in the write-ahead log; after this it does not."""
        self._writer.empties_log = True
        self.probe()
        # The log is emptied after the group that holds the probe, and the probe is answered before that. Whoever waits
        # for the next group waits for the emptying.
        self.carry_out(_nothing)

    def lay_ballast(self) -> None:
        self._room.lay()

    def close(self) -> bool:
        """What was submitted is committed first, and what this process leases is free. Whether it was open."""
        if not self._writer.close():
            return False
        with self._owning:
            if self._owner is not None:
                self._owner.release()
        return True

    # -- around a fork -------------------------------------------------------------------------------------------------

    def before_fork(self, seconds: float) -> None:
        self._writer.stand_still(seconds)

    def after_fork_in_parent(self) -> None:
        self._writer.go_on()

    def after_fork_in_child(self) -> None:
        file, was_closed = self._file, self._writer.is_closed
        file.abandon()
        self._begin(file.identity)
        if was_closed:
            self._writer.close()
        elif file.is_open:
            self._writer.refuse(IN_USE_AT_FORK)


def _rewrite_header(db: apsw.Connection) -> None:
    """A real write and a real fsync. The number stays as it is: a newer version may have brought the file up."""
    ((version,),) = db.execute("PRAGMA user_version").fetchall()
    db.execute(f"PRAGMA user_version = {version}")


def _nothing(_: apsw.Connection) -> None:
    pass


def _raise(error: Exception, _: apsw.Connection) -> None:
    raise error
