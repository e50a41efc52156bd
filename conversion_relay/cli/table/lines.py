"""Reads a file of events as a stream: so many bytes at a time, however large it is."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

HEAD_BYTES = 256 * 1_024
LONGEST_CELL = 1_048_576


class Head(msgspec.Struct, frozen=True):
    """The beginning of a file."""

    content: bytes
    is_whole: bool
    size: int

    @property
    def is_json(self) -> bool:
        return self.content.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[")


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


def first_line(head: Head, encoding: str) -> str:
    return next(iter(head.content.decode(encoding, "replace").splitlines()), "")


def rows(file: BinaryIO, encoding: str, delimiter: str) -> Iterator[list[str]]:
    """All rows. Raises UnicodeDecodeError where a later part of the file is written in another charset, and csv.Error
    for a cell that is longer than LONGEST_CELL: somewhere a quote is not closed."""
    csv.field_size_limit(LONGEST_CELL)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    yield from csv.reader(text, delimiter=delimiter)


def json_lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines that hold something."""
    for number, line in enumerate(file):
        stripped = (line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line).strip()
        if stripped:
            yield stripped
