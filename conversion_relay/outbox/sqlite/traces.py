"""Copies of a deleted body that SQLite leaves behind, found in the file and overwritten.

What could go wrong. `secure_delete` overwrites a row where it lies. But when rows are deleted, SQLite moves others from
page to page to fill them evenly, and the bytes of a moved row stay in the unused middle of the page that it came from.
If that row is deleted later, its new place is overwritten and the old one is not. Of 300 deleted bodies one was found
in the file afterwards.

The rule: after an erasure the file itself is searched, page by page. Where a digest still stands, the rows that live on
that page are deleted and written again in one transaction: the page becomes free, and a free page is overwritten. That
may move rows once more, so it is repeated until nothing is found.

The file is read through SQLite's own layer: a file handle of Python's, once closed, would drop the locks that this
process holds on the file. A table's page (https://www.sqlite.org/fileformat2.html#b_tree_pages) has a type, the first
free block, the count of cells and more, then an offset for each cell; a cell begins with the payload's length and the
row's key.

Rejected: VACUUM (it copies the whole file and keeps writers waiting; a backlog may have ten million rows); searching
after each delivery (what is delivered leaves the page with its neighbours, within the seven days that one may wait).
"""

from array import array
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from conversion_relay.outbox.sqlite.books import read

if TYPE_CHECKING:
    from conversion_relay.outbox.sqlite.database import Database

ROUNDS = 8
STEP = 256
"""Pages that are read at once."""
PAGE_SIZE_AT = 16
"""In the header: two bytes, and one stands for 65,536."""
LEAF_OF_A_TABLE = 13
FILE_HEADER = 100


def overwrite(database: "Database", digests: Sequence[str]) -> None:
    """None of these digests stands in the file afterwards, except where its event still waits."""
    for _ in range(ROUNDS):
        keys = keys_beside(database.path, digests)
        if not keys:
            return
        database.carry_out(partial(rewrite, keys=tuple(keys)))
        database.empty_log()


def keys_beside(path: Path, digests: Sequence[str]) -> set[int]:
    """Keys of the rows on each page of the file in which one of the digests stands."""
    wanted = [digest.encode() for digest in digests]
    file = apsw.VFSFile("", str(path), [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0])
    found: set[int] = set()
    try:
        size = int.from_bytes(file.xRead(2, PAGE_SIZE_AT), "big")
        size = 65_536 if size == 1 else size
        for start in range(0, file.xFileSize(), size * STEP):
            pages = file.xRead(size * STEP, start)
            if not any(digest in pages for digest in wanted):
                continue
            for at in range(0, len(pages), size):
                page = pages[at : at + size]
                if any(digest in page for digest in wanted):
                    found.update(keys_on(page, FILE_HEADER if start + at == 0 else 0))
    finally:
        file.xClose()
    return found


def keys_on(page: bytes, begins_at: int = 0) -> list[int]:
    """Of the rows on a leaf of a table; none on any other page."""
    if page[begins_at] != LEAF_OF_A_TABLE:
        return []
    cells = int.from_bytes(page[begins_at + 3 : begins_at + 5], "big")
    offsets = memoryview(page)[begins_at + 8 : begins_at + 8 + 2 * cells]
    keys = []
    for n in range(cells):
        _, after = _varint(page, int.from_bytes(offsets[2 * n : 2 * n + 2], "big"))
        keys.append(_varint(page, after)[0])
    return keys


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
