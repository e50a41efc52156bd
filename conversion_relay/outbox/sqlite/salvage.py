"""A damaged outbox file is set aside, never deleted, and what can still be read of it goes on in a new one.

Rows are read by key, past the pages that cannot be read. An event whose row is gone but whose body is whole is known
from the body; one whose body is gone ends as a dead letter with the reason `corrupt`. Nothing is sent that its checksum
does not vouch for.
"""

import contextlib
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec

from conversion_relay.outbox.sqlite.file import PAGE, open_file

FAMILY = ("", "-wal", "-shm")
HEADER = 100
LONGEST_KEY = 2**44
OURS = (b"CREATE TABLE event", b"fbtrace_id")


class Salvaged(msgspec.Struct, frozen=True):
    """`aside` is the damaged file's new name; `damaged` events ended as dead letters."""

    aside: str
    events: int
    damaged: int


def is_ours(path: Path) -> bool:
    """Whether this was an outbox once; somebody else's file is left alone."""
    with path.open("rb") as file:
        start = file.read(65_536)
    return all(mark in start for mark in OURS)


def salvage(path: Path) -> Salvaged:
    """Moves the damaged file aside and puts a sound one in its place."""
    aside = _set_aside(path)
    fresh = path.with_name(path.name + "-salvaging")
    for suffix in FAMILY:
        fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
    writer, reader = open_file(fresh)
    reader.close()
    try:
        events, damaged = _copy(_open_damaged(aside, fresh), writer, time.time())
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        writer.close()
    fresh.rename(path)
    _sync(path.parent)
    return Salvaged(aside.name, events, damaged)


def _set_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    n = 1
    while aside.exists():
        aside, n = path.with_name(f"{path.name}.damaged-{stamp}-{n}"), n + 1
    for suffix in FAMILY:
        kept = path.with_name(path.name + suffix)
        if kept.exists():
            kept.rename(aside.with_name(aside.name + suffix))
    return aside


def _open_damaged(aside: Path, fresh: Path) -> apsw.Connection:
    """A connection to a copy, since reading a log writes; with a new first page where the old one is unreadable."""
    copy = aside.with_name(aside.name + ".reading")
    for suffix in ("", "-wal"):
        if (source := aside.with_name(aside.name + suffix)).exists():
            shutil.copyfile(source, copy.with_name(copy.name + suffix))
    first_page = _first_page(fresh, copy.stat().st_size // PAGE)
    for repair in (b"", first_page[:HEADER], first_page):
        with copy.open("r+b") as file:
            file.write(repair)
        try:
            db = apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READWRITE)
            # writable_schema also lets a file be read that is shorter than its header says.
            db.execute("PRAGMA writable_schema = ON; PRAGMA synchronous = OFF").fetchall()
            if db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'body'").fetchall() != [(1,)]:
                continue
        except apsw.Error:
            continue
        for suffix in FAMILY:  # the connection holds them open; they go with it
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        return db
    for suffix in FAMILY:
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)
    return apsw.Connection(":memory:")


def _first_page(fresh: Path, pages: int) -> bytes:
    """Of a sound file of the same schema, with this file's length and no free pages: https://sqlite.org/fileformat2.html"""
    page = bytearray(fresh.read_bytes()[:PAGE])
    page[28:32] = pages.to_bytes(4, "big")
    page[32:40] = bytes(8)
    page[92:96] = page[24:28]
    return bytes(page)


def _copy(old: apsw.Connection, new: apsw.Connection, now: float) -> tuple[int, int]:
    """(events saved, of those ended as damaged)."""
    new.execute("BEGIN IMMEDIATE")
    datasets = dict(_rows(old, "dataset", "id", "name"))
    new.executemany("INSERT INTO dataset VALUES (?, ?)", datasets.items())
    bodies = _keep_bodies(old, new)
    keys = _keep_events(old, new, datasets)
    _rebuild(new, (key for key in bodies if key not in keys), datasets, now)
    _keep_visits_and_sides(old, new)
    _keep(old, new, "answer", "id", "at", "outcome", "why", "status", "code", "subcode", "title", "fbtrace_id")
    new.execute(_BURY, (now,))
    damaged = new.changes()
    new.execute(_REQUEUE).fetchall()
    new.execute("COMMIT")
    old.close()
    ((events,),) = new.execute("SELECT count(*) FROM event").fetchall()
    return int(events or 0), damaged


def _keep_bodies(old: apsw.Connection, new: apsw.Connection) -> set[int]:
    kept = set()
    for row in _rows(old, "body", "key", "checksum", "body"):
        key, checksum, body = row
        if isinstance(body, bytes) and zlib.crc32(body) == checksum:
            new.execute("INSERT OR IGNORE INTO body VALUES (?, ?, ?)", row)
            kept.add(key)
    return kept


def _keep_events(old: apsw.Connection, new: apsw.Connection, datasets: dict[int, str]) -> set[int]:
    kept = set()
    # A file of schema 2 knew no consent, and a column that is not there would look like damage.
    columns = _EVENT if _has_consent(old) else _EVENT[:-1]
    for row in _rows(old, "event", "key", *columns):
        try:
            new.execute(_INSERT_EVENT, (*row, *(None for _ in _EVENT[len(columns) :])))
            kept.add(row[0])
        except (apsw.ConstraintError, apsw.MismatchError):
            continue  # a row of nonsense; its body, where that is whole, tells the event once more
    return kept


def _has_consent(old: apsw.Connection) -> bool:
    return any(name == "consent" for _, name, *_ in old.execute("PRAGMA table_info(event)"))


def _keep_visits_and_sides(old: apsw.Connection, new: apsw.Connection) -> None:
    """As far as they can be read in one go: losing some costs match quality or a figure, no event."""
    for table, marks in (("visitor", "?, ?, ?"), ("pixel", "?, ?, ?, ?"), ("meter", "?, ?, ?, ?")):
        with contextlib.suppress(apsw.Error):
            for row in old.execute(f"SELECT * FROM {table}"):
                new.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)


def _rebuild(new: apsw.Connection, keys: Iterator[int], datasets: dict[int, str], now: float) -> None:
    """Events whose row is lost, from the JSON that was to be sent; only where their dataset is beyond doubt."""
    if len(datasets) != 1:
        return
    (dataset,) = datasets
    for key in list(keys):
        (body,) = new.execute("SELECT body FROM body WHERE key = ?", (key,)).fetchone() or (b"{}",)
        event = msgspec.json.decode(body)
        name, event_id, at = event.get("event_name"), event.get("event_id"), event.get("event_time")
        if isinstance(name, str) and isinstance(event_id, str) and isinstance(at, int):
            expires_at = at + 7 * 86_400 - 300
            row = (key, dataset, name, event_id, at, expires_at, now, "waiting", 0, now, None, None, None, None)
            new.execute(_INSERT_EVENT, row)


def _keep(old: apsw.Connection, new: apsw.Connection, table: str, *columns: str) -> None:
    marks = ", ".join("?" * len(columns))
    for row in _rows(old, table, *columns):
        new.execute(f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})", row)


_EVENT = (
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
_INSERT_EVENT = f"INSERT OR IGNORE INTO event (key, {', '.join(_EVENT)}) VALUES ({', '.join('?' * 14)})"
_BURY = """
UPDATE event SET state = 'dead', reason = 'corrupt', settled_at = ?
WHERE state = 'waiting' AND key NOT IN (SELECT key FROM body)
"""
_REQUEUE = """
DELETE FROM body WHERE key NOT IN (SELECT key FROM event WHERE state IN ('waiting', 'dead'));
INSERT OR IGNORE INTO dataset (id, name) SELECT DISTINCT dataset, 'unknown-' || dataset FROM event;
INSERT INTO queue SELECT dataset, 1, coalesce(sent_at, expires_at), key FROM event WHERE state = 'waiting';
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
        except apsw.Error:
            start = _past_damage(lambda at: _readable(db, sql, at), start)


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
    except apsw.Error:
        return False
    return True


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
