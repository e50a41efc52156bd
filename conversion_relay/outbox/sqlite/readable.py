"""What can still be read of a damaged outbox, copied row by row into a new one.

Rows are read by key, past the pages that cannot be read. An event whose row is gone but whose body is whole is known
from the body; one whose body is gone ends as a dead letter with the reason `corrupt`. Nothing is sent that its checksum
does not vouch for. A bad disk can put anything anywhere: text in a column of integers, bytes that are no UTF-8, a body
that is JSON but no object. So each row is tried by itself; one that does not fit is skipped and counted. Only errors of
the new file end the copying.

The names of datasets stand in a table of their own, often on one page. When it is lost, the events know only a number.
With one dataset configured they are its events; with several nobody can say whose they are, and an event sent to the
wrong dataset cannot be taken back: they wait under `unknown-NUMBER`, and the operator is told.
"""

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import apsw
import msgspec

from conversion_relay.meta.validate import expiry
from conversion_relay.outbox.lanes import BACKLOG_RANK
from conversion_relay.outbox.sqlite import delivered
from conversion_relay.outbox.sqlite.books import dataset_id, make_dataset_id, read
from conversion_relay.outbox.sqlite.file import OF_ONE_ROW
from conversion_relay.outbox.sqlite.visits import visit_decoder

LONGEST_KEY = 2**44
UNFIT = (*OF_ONE_ROW, TypeError, ValueError, OverflowError)
"""Errors that say that a row makes no sense; UnicodeError is a ValueError."""


class Copied(msgspec.Struct):
    """`damaged` of the events ended as dead letters; `skipped` rows of any table made no sense. `unknown`: names under
    which events wait whose dataset could not be read."""

    events: int = 0
    damaged: int = 0
    skipped: int = 0
    unknown: tuple[str, ...] = ()


def copy(old: apsw.Connection, new: apsw.Connection, now: float, dataset: str | None = None) -> Copied:
    """Closes `old`. `dataset`: where events go whose own cannot be read; None where several are configured."""
    new.execute("BEGIN IMMEDIATE")
    copying = _Copying(old, new)
    datasets = copying.datasets()
    bodies = copying.bodies()
    keys = copying.events()
    unknown = copying.adopt(dataset)
    copying.rebuild(bodies - keys, list(datasets), dataset, now)
    copying.visitors()
    copying.table("pixel", "event_id", "dataset", "event_name", "at")
    copying.table("meter", "dataset", "event_name", "side", "n")
    copying.table("figure", "dataset", "event_name", "hour", "what", "n")
    copying.answers()
    copying.table("delivered", "id", "at", "answer", "checksum", "keys", fits=_is_batch)
    old.close()
    for work in delivered.to_write_up(partial(read, new)):
        work(new)
    new.execute(_BURY, (now,))
    damaged = new.changes()
    new.execute(_REQUEUE).fetchall()
    new.execute("COMMIT")
    ((events,),) = new.execute("SELECT count(*) FROM event").fetchall()
    return Copied(int(events or 0), damaged, copying.skipped, unknown)


class _Copying:
    def __init__(self, old: apsw.Connection, new: apsw.Connection) -> None:
        self._old, self._new = old, new
        self.skipped = 0

    def _insert(self, table: str, columns: tuple[str, ...], row: tuple[Any, ...]) -> bool:
        """Whether the row is in the new file. One that breaks a rule of the schema makes no sense; so does a second one
        with the same key."""
        sql = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        try:
            self._new.execute(sql, row)
            is_new = self._new.changes() > 0
        except UNFIT:
            is_new = False
        self.skipped += not is_new
        return is_new

    def datasets(self) -> dict[int, str]:
        columns = ("id", "name")
        return dict(row for row in _rows(self._old, "dataset", *columns) if self._insert("dataset", columns, row))

    def bodies(self) -> set[int]:
        """The keys of those that are whole."""
        columns = ("key", "checksum", "body")
        return {
            row[0]
            for row in _rows(self._old, "body", *columns)
            if isinstance(row[2], bytes) and zlib.crc32(row[2]) == row[1] and self._insert("body", columns, row)
        }

    def events(self) -> set[int]:
        """The keys. An event whose row is nonsense is told once more by its body, where that is whole."""
        # A file of schema 2 knew no consent, and a column that is not there would look like damage.
        columns = _EVENT if self._has("event", "consent") else _EVENT[:-1]
        return {row[0] for row in _rows(self._old, "event", *columns) if self._insert("event", columns, row)}

    def _has(self, table: str, column: str) -> bool:
        return any(name == column for _, name, *_ in self._old.execute(f"PRAGMA table_info({table})"))

    def adopt(self, dataset: str | None) -> tuple[str, ...]:
        """Events whose dataset has no name get the configured one; without it the names under which they wait."""
        orphans = [number for (number,) in read(self._new, _ORPHANS)]
        if dataset is None or not orphans:
            unknown = tuple(f"unknown-{number}" for number in orphans)
            for row in zip(orphans, unknown, strict=True):
                self._new.execute("INSERT OR IGNORE INTO dataset (id, name) VALUES (?, ?)", row)
            return unknown
        ours = dataset_id(self._new, dataset)
        if ours is None:
            ours, *orphans = orphans
            self._new.execute("INSERT INTO dataset (id, name) VALUES (?, ?)", (ours, dataset))
        for number in orphans:
            self._new.execute("UPDATE OR IGNORE event SET dataset = ? WHERE dataset = ?", (ours, number))
            self._new.execute("DELETE FROM event WHERE dataset = ?", (number,))  # these it has already, by name and id
            self.skipped += self._new.changes()
        return ()

    def rebuild(self, keys: set[int], datasets: list[int], configured: str | None, now: float) -> None:
        """Events whose row is lost, from the JSON that was to be sent; only where their dataset is beyond doubt."""
        if len(datasets) != 1 and configured and keys:
            datasets = [make_dataset_id(self._new, configured)]
        for key in sorted(keys):
            ((body,),) = read(self._new, "SELECT body FROM body WHERE key = ?", (key,))
            try:
                event = _body_decoder.decode(body)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                event = None
            if event is None or len(datasets) != 1:
                self.skipped += 1
                continue
            (dataset,) = datasets
            ends_at = expiry(event.event_time, event.action_source)
            told = (event.event_name, event.event_id, event.event_time, ends_at)
            # Meta may have had it since any time before now.
            self._insert("event", _EVENT[:10], (key, dataset, *told, now, "waiting", 0, now))

    def visitors(self) -> None:
        columns = ("key", "document", "seen_at")
        self.table("visitor", *columns, fits=lambda row: _is_visit(row[1]))

    def table(self, name: str, *columns: str, fits: Callable[[tuple[Any, ...]], bool] = lambda _: True) -> None:
        """As far as it can be read in one go: losing some of these costs match quality or a figure, no event."""
        try:
            for row in self._old.execute(f"SELECT {', '.join(columns)} FROM {name}"):
                if fits(row):
                    self._insert(name, columns, row)
                else:
                    self.skipped += 1
        except (apsw.Error, UnicodeError):
            return

    def answers(self) -> None:
        columns: tuple[str, ...] = ("id", "at", "outcome", "why", "status", "code", "subcode", "title", "fbtrace_id")
        if self._has("answer", "sentence"):  # a file of schema 3 had the title alone
            columns += ("sentence", "field", '"index"')
        for row in _rows(self._old, "answer", *columns):
            self._insert("answer", columns, row)


class _Body(msgspec.Struct):
    """What of a body's JSON tells the event."""

    event_name: str
    event_id: str
    event_time: int
    action_source: str = ""


def _is_batch(row: tuple[Any, ...]) -> bool:
    """What a bad disk made of it would end events that nobody sent."""
    *_, checksum, keys = row
    return isinstance(keys, bytes) and len(keys) % 8 == 0 and zlib.crc32(keys) == checksum


def _is_visit(document: Any) -> bool:
    try:
        visit_decoder.decode(document)
    except (msgspec.MsgspecError, TypeError, ValueError):
        return False
    return True


_EVENT = (
    "key",
    "dataset",
    "event_name",
    "event_id",
    "event_time",
    "expires_at",
    "accepted_at",
    "state",
    "attempts",
    "sent_at",
    "settled_at",
    "reason",
    "answer",
    "consent",
)
_ORPHANS = "SELECT DISTINCT dataset FROM event WHERE dataset NOT IN (SELECT id FROM dataset) ORDER BY 1"
_BURY = """
UPDATE event SET state = 'dead', reason = 'corrupt', settled_at = ?
WHERE state = 'waiting' AND key NOT IN (SELECT key FROM body)
"""
_REQUEUE = f"""
DELETE FROM body WHERE key NOT IN (SELECT key FROM event WHERE state IN ('waiting', 'dead'));
INSERT INTO queue SELECT dataset, 1, {BACKLOG_RANK}, key FROM event WHERE state = 'waiting';
INSERT INTO tally SELECT dataset, iif(state = 'waiting', 'pending', state), count(*) FROM event GROUP BY 1, 2;
INSERT INTO tally SELECT dataset, 'accepted', count(*) FROM event GROUP BY 1
"""


def _rows(db: apsw.Connection, table: str, key: str, *columns: str) -> Iterator[tuple[Any, ...]]:
    """All rows that can be read, by key; damage is stepped over."""
    sql = f"SELECT {', '.join((key, *columns))} FROM {table} NOT INDEXED WHERE {key} >= ? ORDER BY {key}"
    start: int | None = 0
    while start is not None:
        try:
            for row in db.execute(sql, (start,)):
                yield row
                start = row[0] + 1
            return
        except _UNREADABLE:
            start = _past_damage(lambda at: _readable(db, sql, at), start)


_UNREADABLE = (apsw.Error, UnicodeError, OverflowError, MemoryError)
"""MemoryError: a length that a bad disk made up. OverflowError: no key comes after the last one that there can be."""


def _past_damage(readable: Callable[[int], bool], damaged: int) -> int | None:
    """The next key from which on something can be read: doubling steps over the damage, halving finds its edge."""
    step = 1
    while not readable(damaged + step):
        step *= 2
        if step > LONGEST_KEY:
            return None
    low, high = damaged + step // 2 + 1, damaged + step
    while low < high:
        middle = (low + high) // 2
        if readable(middle):
            high = middle
        else:
            low = middle + 1
    return high


def _readable(db: apsw.Connection, sql: str, at: int) -> bool:
    try:
        db.execute(f"{sql} LIMIT 1", (at,)).fetchall()
    except _UNREADABLE:
        return False
    return True


_body_decoder = msgspec.json.Decoder(_Body)
