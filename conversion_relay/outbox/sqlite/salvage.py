"""A damaged outbox file is replaced by a sound one with all that can still be read; it is kept under another name.

What could go wrong. The process may be killed at any moment, and the next start must not open an empty outbox, nor lose
the log, nor read an old log into a new file: SQLite finds a log by its name alone, so a `-wal` that stayed beside a
replaced file would be copied into it. Another process may have the damaged file open and go on acknowledging events.

The rule: build beside, then replace, and leave a note until all is done. In this order, each step on the disk before
the next begins (P is the outbox file, A is its new name, `P.damaged-TIME`):

    1  write the note P-salvage, which holds the name A
    2  rename P-wal to A-wal and P-shm to A-shm
    3  copy what can be read of P and A-wal into P-salvaging; close it, so that it has no log of its own
    4  rename P-salvaging to P-salvaged: from here on the new file is whole
    5  link P to A as well (or copy it, where the file system knows no links), rename P-wal and P-shm once more
    6  rename P-salvaged to P, which replaces the damaged file in one step
    7  delete the note

Whoever opens the file looks for the note first (`finish_salvage`) and goes on: from step 5 when P-salvaged exists,
from step 7 when A exists and P-salvaged does not, and otherwise again from step 2; what was half built is deleted. So
after a kill the next start finds the damaged file or the new one, never an empty one.

Why the log moves first: every process checks after each commit that the log is where it was (`file.Identity`), and only
then answers its callers. From step 2 on another process acknowledges nothing any more; it waits to open the file
again (`one_at_a_time.py`) until the salvage is over. What it acknowledged before is in the log that step 3 reads. The
log without its file is no danger: SQLite ignores a log of another name.

Rejected: renaming the damaged file first and building in its place (a kill in between left an empty outbox);
`VACUUM INTO` and SQLite's recovery extension (they stop at wrongly typed rows or know nothing of our checksums).
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import msgspec

from conversion_relay.outbox.place import bring_to_disk, opened
from conversion_relay.outbox.sqlite.file import OLDER_PAGE, PAGE, migrate, open_file
from conversion_relay.outbox.sqlite.readable import Copied, copy

FAMILY = ("", "-wal", "-shm")
HEADER = 100
KINDS = (b"\x02", b"\x05", b"\x0a", b"\x0d")
"""What a page of an index or a table begins with."""
MOST_LOOKED_AT = 64 * 1_048_576
"""Bytes of a file without a header, to tell how large its pages are."""
OURS = (b"CREATE TABLE event", b"fbtrace_id")


class Salvaged(msgspec.Struct, frozen=True):
    """`aside`: the damaged file's new name. `events` are in the new file, `damaged` of them as dead letters; `skipped`
    rows made no sense and are in the damaged file only. `unknown`: names of datasets that could not be read."""

    aside: str
    events: int
    damaged: int
    skipped: int
    unknown: tuple[str, ...] = ()


def is_ours(path: Path) -> bool:
    """Whether this was an outbox once; somebody else's file is left alone."""
    with path.open("rb") as file:
        start = file.read(65_536)
    return all(mark in start for mark in OURS)


def salvage(path: Path, dataset: str | None = None) -> Salvaged:
    """Puts a sound file in the place of the damaged one. `dataset`: where events go whose own cannot be read; None if
    several are configured. After apsw.Error, OSError or Unusable the next call, or `finish_salvage`, goes on from where
    it stopped."""
    finish_salvage(path, dataset)
    aside = _free_name(path)
    _write_note(path, aside)
    copied = _carry_out(path, aside, dataset)
    return Salvaged(aside.name, copied.events, copied.damaged, copied.skipped, copied.unknown)


def finish_salvage(path: Path, dataset: str | None = None) -> str | None:
    """The rest of a salvage that was interrupted; the name under which the damaged file is kept, None if there was no
    such salvage. To be called before the file is opened."""
    try:
        aside = path.with_name(_beside(path, "-salvage").read_text("utf-8"))
    except FileNotFoundError:
        return None
    except PermissionError:
        if os.access(path.parent, os.X_OK):
            raise
        return None  # nothing in this folder can be seen; opening the file tells why, in better words
    _carry_out(path, aside, dataset)
    return aside.name


def set_aside(path: Path) -> list[str]:
    """Names of the files beside the outbox that hold events but are not the outbox: damaged ones, copies of deleted
    ones, what was moved to another store, and what an interrupted salvage or restore left."""
    marks = (".damaged-", ".rescued-", "-salvaging", "-salvaged", ".moved", ".restoring")
    starts = tuple(path.name + mark for mark in marks)
    return sorted(found.name for found in path.parent.iterdir() if found.name.startswith(starts))


def _free_name(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside, n = _beside(path, f".damaged-{stamp}"), 1
    while any(_beside(aside, suffix).exists() for suffix in FAMILY):
        aside, n = _beside(path, f".damaged-{stamp}-{n}"), n + 1
    return aside


def _write_note(path: Path, aside: Path) -> None:
    """Whole or not at all."""
    draft = _beside(path, "-salvage.new")
    with _written(draft) as file:
        os.write(file, aside.name.encode())
    draft.rename(_beside(path, "-salvage"))
    _sync(path.parent)


def _carry_out(path: Path, aside: Path, dataset: str | None) -> Copied:
    """Steps 2 to 7, or those of them that are not done yet."""
    whole = _beside(path, "-salvaged")
    copied = Copied()
    if not whole.exists() and not aside.exists() and path.exists():
        _move_log(path, aside)
        copied = _build(path, aside, whole, dataset)
    if whole.exists():
        if path.exists():
            _keep(path, aside)
        _move_log(path, aside)
        whole.rename(path)
        _sync(path.parent)
    _beside(path, "-salvage").unlink()
    _sync(path.parent)
    return copied


def _move_log(path: Path, aside: Path) -> None:
    for suffix in FAMILY[1:]:
        source, target = _beside(path, suffix), _beside(aside, suffix)
        while target.exists():  # a stranger opened the damaged file after its log was moved
            target = _beside(target, "-again")
        if source.exists():
            source.rename(target)
    _sync(path.parent)


def _keep(path: Path, aside: Path) -> None:
    """The damaged file under its new name too, so that replacing it deletes nothing."""
    if aside.exists():
        return
    try:
        os.link(path, aside)
    except OSError:
        draft = _beside(aside, ".new")
        _copy_file(path, draft)
        draft.rename(aside)
    _sync(path.parent)


def _build(path: Path, aside: Path, whole: Path, dataset: str | None) -> Copied:
    fresh = _beside(path, "-salvaging")
    _delete_family(fresh)
    writer, reader = open_file(fresh)
    reader.close()
    try:
        copied = copy(_open_damaged(path, aside), writer, time.time(), dataset)
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        writer.close()
    _sync(fresh)
    fresh.rename(whole)
    _sync(path.parent)
    return copied


def _open_damaged(path: Path, aside: Path) -> apsw.Connection:
    """A connection to a copy, since reading a log writes; with a new first page where the old one is unreadable."""
    reading = _beside(aside, ".reading")
    _delete_family(reading)
    try:
        _copy_file(path, reading)
        if (log := _beside(aside, "-wal")).exists():
            _copy_file(log, _beside(reading, "-wal"))
        for repair in _repairs(reading):
            with reading.open("r+b") as file:
                file.write(repair)
            if (db := _opened(reading)) is not None:
                return db
        return apsw.Connection(":memory:")
    finally:
        _delete_family(reading)  # a connection holds them open; they go with it


def _opened(reading: Path) -> apsw.Connection | None:
    """None where not even the schema can be read."""
    try:
        db = apsw.Connection(str(reading), flags=apsw.SQLITE_OPEN_READWRITE)
        # writable_schema also lets a file be read that is shorter than its header says.
        db.execute("PRAGMA writable_schema = ON; PRAGMA synchronous = OFF").fetchall()
        found = db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'body'").fetchall()
    except apsw.Error:
        return None
    return db if found == [(1,)] else None


def _repairs(reading: Path) -> Iterator[bytes]:
    """What may have to stand at the beginning of the file, the least first."""
    yield b""
    size = _page_size(reading)
    first_page = _first_page(size, reading.stat().st_size // size)
    yield first_page[:HEADER]
    yield first_page


def _page_size(reading: Path) -> int:
    """Bytes of a page. The header says it; where that is lost, the pages themselves do: each page of a tree begins with
    its kind, and in the middle of a larger one stands what somebody sent."""
    with reading.open("rb") as file:
        stated = int.from_bytes(file.read(18)[16:], "big")
        if stated in (PAGE, OLDER_PAGE):
            return stated
        begins = []
        for at in range(OLDER_PAGE, min(reading.stat().st_size, MOST_LOOKED_AT), PAGE):
            file.seek(at)
            begins.append(file.read(1) in KINDS)
    return OLDER_PAGE if begins.count(True) > len(begins) / 2 else PAGE


def _first_page(size: int, pages: int) -> bytes:
    """Of a sound file of the same schema, with this file's length and no free pages: https://sqlite.org/fileformat2.html"""
    model = apsw.Connection(":memory:")
    model.execute(f"PRAGMA page_size = {size}").fetchall()
    migrate(model)
    page = bytearray(model.serialize("main")[:size])
    page[18:20] = b"\x02\x02"  # it has a log
    page[28:32] = pages.to_bytes(4, "big")
    page[32:40] = bytes(8)
    page[92:96] = page[24:28]
    return bytes(page)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _delete_family(path: Path) -> None:
    for suffix in FAMILY:
        _beside(path, suffix).unlink(missing_ok=True)


def _copy_file(source: Path, target: Path) -> None:
    """Readable by its owner alone, as the source is: it names browsers."""
    import shutil  # with all that it brings, for what hardly ever happens

    with source.open("rb") as kept, _written(target) as file, open(file, "wb", closefd=False) as copied:
        shutil.copyfileobj(kept, copied, 1_048_576)


@contextlib.contextmanager
def _written(path: Path) -> Iterator[int]:
    """A new file's descriptor; on the disk afterwards."""
    file = opened(path, os.O_TRUNC | os.O_WRONLY)
    try:
        yield file
        bring_to_disk(file)
    finally:
        os.close(file)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        bring_to_disk(handle)
    finally:
        os.close(handle)
