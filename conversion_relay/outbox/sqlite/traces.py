"""Copies of a deleted body that SQLite leaves behind, found in the file and overwritten.

What could go wrong. `secure_delete` overwrites a row where it lies. But when rows are deleted, SQLite moves others from
page to page to fill them evenly, and the bytes of a moved row stay in the unused middle of the page that it came from.
If that row is deleted later, its new place is overwritten and the old one is not. Of 300 deleted bodies one was found
in the file afterwards.

The rule: after an erasure the file itself is searched, page by page. Where a digest stands outside of the rows that
live on that page, these are deleted and written again in one transaction: the page becomes free, and a free page is
overwritten. That may move rows once more, so it is repeated until nothing is found.

Of events that somebody chose there may be fifty thousand, and no digest is given: what to look for are the marks of
their bodies, which are digests, ids of browsers and their own ids, all in one pass.

The file is read through SQLite's own layer: a file handle of Python's, once closed, would drop the locks that this
process holds on the file. A table's page (https://www.sqlite.org/fileformat2.html#b_tree_pages) has a type, the first
free block, the count of cells and more, then an offset for each cell; a cell begins with the payload's length and the
row's key.

Rejected: VACUUM (it copies the whole file and keeps writers waiting; a backlog may have ten million rows); searching
after each delivery (what is delivered leaves the page with its neighbours, within the seven days that one may wait).
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import msgspec

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.sqlite.books import Read, read
from conversion_relay.outbox.sqlite.told import explain
from conversion_relay.patterns import seldom

if TYPE_CHECKING:
    from conversion_relay.outbox.sqlite.database import Database

ROUNDS = 8
STEP = 256
"""Pages, or bodies, that are read at once."""
FEW_MARKS = 32
"""So many are looked for one after the other; more together, at 90 MB/s however many they are."""
PAGE_SIZE_AT = 16
"""In the header: two bytes, and one stands for 65,536."""
LEAF_OF_A_TABLE = 13
FILE_HEADER = 100


def overwrite(database: "Database", digests: Sequence[str]) -> None:
    """None of these digests stands in the file afterwards, except where its event still waits."""
    overwrite_marks(database, frozenset(digest.encode() for digest in digests))


def overwrite_marks(database: "Database", marks: frozenset[bytes]) -> None:
    """The same of `marks_of`."""
    if len(marks) > FEW_MARKS and all(_MARK.fullmatch(mark) for mark in marks):
        _overwrite(database, lambda content: any(found in marks for found in _MARK.findall(content)))
    elif marks:
        _overwrite(database, lambda content: any(mark in content for mark in marks))


def marks_of(read_rows: Read, keys: Sequence[int]) -> frozenset[bytes]:
    """What tells a copy of these events' bodies from others. To be asked before they are erased."""
    marks: set[bytes] = set()
    for first in range(0, len(keys), STEP):
        these = apsw.carray(array("q", keys[first : first + STEP]))
        for event_id, body in read_rows(_KNOWN, (these,)):
            marks.update(_MARK.findall(b'"event_id":' + msgspec.json.encode(event_id)), _MARK.findall(body or b""))
    return frozenset(marks)


_KNOWN = "SELECT event_id, body FROM event LEFT JOIN body ON body.key = event.key WHERE event.key IN carray(?)"
_MARK = seldom(rb'"event_id":"[^"]*"|[0-9a-f]{64}|fb\.\d\.\d{10,13}\.[\w-]{8,}')


def _overwrite(database: "Database", is_there: Callable[[bytes], bool]) -> None:
    for _ in range(ROUNDS):
        try:
            keys = keys_beside(database.path, is_there)
        except apsw.Error as error:
            raise OutboxUnavailable(explain(database.path, error)) from None
        if not keys:
            return
        database.carry_out(partial(rewrite, keys=tuple(keys)))
        database.empty_log()


def keys_beside(path: Path, is_there: Callable[[bytes], bool]) -> set[int]:
    """Keys of the rows on each page of the file in which something of that kind stands outside of its rows."""
    found: set[int] = set()
    for page, begins_at in pages_with(path, is_there):
        rows = rows_on(page, begins_at)
        if rows and is_there(_without(page, rows.values())):
            found.update(rows)
    return found


def pages_with(path: Path, is_there: Callable[[bytes], bool]) -> Iterator[tuple[bytes, int]]:
    """Pages of the file in which something of that kind stands, and where each begins behind the file's own header."""
    file = apsw.VFSFile("", str(path), [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0])
    try:
        size = int.from_bytes(file.xRead(2, PAGE_SIZE_AT), "big")
        size = 65_536 if size == 1 else size
        for start in range(0, file.xFileSize(), size * STEP):
            pages = file.xRead(size * STEP, start)
            if not is_there(pages):
                continue
            for at in range(0, len(pages), size):
                page = pages[at : at + size]
                if is_there(page):
                    yield page, FILE_HEADER if start + at == 0 else 0
    finally:
        file.xClose()


def rows_on(page: bytes, begins_at: int = 0) -> dict[int, slice]:
    """The rows on a leaf of a table by their keys, and where each stands; none on any other page."""
    if page[begins_at] != LEAF_OF_A_TABLE:
        return {}
    cells = int.from_bytes(page[begins_at + 3 : begins_at + 5], "big")
    offsets = memoryview(page)[begins_at + 8 : begins_at + 8 + 2 * cells]
    rows = {}
    for n in range(cells):
        begins = int.from_bytes(offsets[2 * n : 2 * n + 2], "big")
        payload, after = _varint(page, begins)
        key, after = _varint(page, after)
        rows[key] = slice(begins, after + _on_this_page(payload, len(page)))
    return rows


def _on_this_page(payload: int, size: int) -> int:
    """Bytes of a row that stand on its leaf; the rest has pages of its own, which are overwritten when they are freed.
    https://www.sqlite.org/fileformat2.html#b_tree_pages"""
    if payload <= size - 35:
        return payload
    least = (size - 12) * 32 // 255 - 23
    here = least + (payload - least) % (size - 4)
    return here if here <= size - 35 else least


def _without(page: bytes, rows: Iterable[slice]) -> bytes:
    rest = bytearray(page)
    for row in rows:
        rest[row] = bytes(len(rest[row]))
    return bytes(rest)


def rewrite(db: apsw.Connection, keys: Sequence[int]) -> None:
    """The bodies of these events move to pages that are written anew. Works inside the caller's transaction."""
    these = apsw.carray(array("q", keys))
    rows = read(db, "SELECT key, checksum, body FROM body WHERE key IN carray(?)", (these,))
    db.execute("DELETE FROM body WHERE key IN carray(?)", (these,))
    db.executemany("INSERT INTO body (key, checksum, body) VALUES (?, ?, ?)", rows)


def _varint(page: bytes, at: int) -> tuple[int, int]:
    """A number, and where the next one begins: seven bits of each byte, of the ninth eight."""
    value = 0
    for n in range(9):
        byte = page[at + n]
        if n == 8:
            return (value << 8) | byte, at + 9
        value = (value << 7) | (byte & 127)
        if byte < 128:
            return value, at + n + 1
    raise AssertionError("nine bytes at most")
