"""Reads a file of events as a stream: so many bytes at a time, however large it is."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

HEAD_BYTES = 256 * 1_024
MOST_DOCUMENT = 268_435_456
"""Bytes of a JSON document; it is read as a whole, JSON lines are not."""
LONGEST_CELL = 1_048_576
LONGEST_LINE = 4 * 1_048_576
"""Bytes that are kept of a JSON line; more than an event may have."""


class Head(msgspec.Struct, frozen=True):
    """The beginning of a file."""

    content: bytes
    is_whole: bool
    size: int

    @property
    def is_json(self) -> bool:
        return self._text[:1] in (b"{", b"[")

    @property
    def is_document(self) -> bool:
        """JSON, but not one event a line: an array, Meta's {"data": [...]}, or one event on many lines."""
        text = self._text
        if text[:1] == b"[" or self.content[:2] in _UTF_16:
            return self.is_json
        return text[:1] == b"{" and (_OPENS.match(text) is not None)

    @property
    def no_table(self) -> str | None:
        """What the file is instead of a text, and what to do."""
        text = self._text[:200].lower()
        if text.startswith((b"<!doctype", b"<html", b"<table", b"<?xml", b"<meta")):
            return "the file is a web page or XML, whatever its name; open it in a spreadsheet and save it as CSV UTF-8"
        return next((said for magic, said in _MAGIC if self.content.startswith(magic)), None)

    @property
    def _text(self) -> bytes:
        content = self.content
        if content[:2] in _UTF_16:
            content = content.decode("utf-16", "replace").encode()
        return content.lstrip(b"\xef\xbb\xbf \r\n\t")


_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_OPENS = re.compile(rb'\{\s*(?:\n|"data"\s*:\s*\[)')
_SAVE = "the file is a workbook, not a text; open it and save it as CSV UTF-8"
_UNPACK = "the file is compressed; unpack it first"
_MAGIC = (
    (b"PK\x03\x04", f"{_SAVE} (or unpack it, if it is a ZIP archive)"),
    (b"\xd0\xcf\x11\xe0", _SAVE),
    (b"\x1f\x8b", f"{_UNPACK}, with gunzip -k FILE"),
    (b"BZh", f"{_UNPACK}, with bunzip2 -k FILE"),
    (b"\xfd7zXZ", f"{_UNPACK}, with unxz -k FILE"),
    (b"\x28\xb5\x2f\xfd", f"{_UNPACK}, with unzstd FILE"),
    (b"%PDF", "the file is a PDF; export the orders as CSV"),
    (b"PAR1", "the file is a Parquet table; write it as CSV or JSON lines"),
    (b"SQLite format 3", "the file is a SQLite database; write its table as CSV"),
)


def instead_of_events(content: bytes) -> str | None:
    """What is no JSON: what it is, and what to do with it."""
    head = Head(content[:HEAD_BYTES], len(content) <= HEAD_BYTES, len(content))
    first = head._text[:2_000].partition(b"\n")[0]
    if head.is_json:
        return None
    is_table = b":" not in first and any(sign in first for sign in (b",", b";", b"\t"))
    return head.no_table or ("the file is a table; `conversion-relay import FILE` reads it" if is_table else None)


def head_of(path: Path) -> Head:
    size = path.stat().st_size
    with path.open("rb") as file:
        content = file.read(HEAD_BYTES)
    return Head(content, len(content) == size, size)


def sample_rows(head: Head, encoding: str, delimiter: str) -> list[list[str]]:
    """The rows of the head, but for the last one, which may be cut off."""
    csv.field_size_limit(LONGEST_CELL)  # no cell of the head is longer
    text = head.content.decode(encoding, "replace")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    return rows if head.is_whole else rows[:-1]


def first_lines(head: Head, encoding: str) -> list[str]:
    """Without their ends; at least one."""
    return [line.rstrip("\n") for line in io.StringIO(head.content.decode(encoding, "replace"), newline=None)] or [""]


def rows(file: BinaryIO, encoding: str, delimiter: str) -> Iterator[tuple[list[str], bool]]:
    """All rows, and whether each is ended by a line end: the last one of a file may not be. Raises UnicodeDecodeError
    where a later part of the file is written in another charset, and csv.Error for a cell that is longer than
    LONGEST_CELL, where somewhere a quote is not closed, and for a line that is longer than LONGEST_LINE."""
    csv.field_size_limit(LONGEST_CELL)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    line = ""

    def read() -> Iterator[str]:
        nonlocal line
        while line := text.readline(LONGEST_LINE):
            if len(line) == LONGEST_LINE and line[-1] not in "\r\n":
                raise csv.Error
            yield line

    for cells in csv.reader(read(), delimiter=delimiter):
        yield cells, line[-1:] in ("\n", "\r")


def json_lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines that hold something; of one that could fill the memory its beginning, which is refused as too large."""
    is_first = True
    while line := file.readline(LONGEST_LINE):
        rest = line
        while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE)
        stripped = (line.removeprefix(b"\xef\xbb\xbf") if is_first else line).strip()
        is_first = False
        if stripped:
            yield stripped
