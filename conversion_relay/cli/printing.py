"""What a verb prints: JSON for programs, aligned text for people."""

import io
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import TextIO

import click
import msgspec


def print_json(value: object) -> None:
    """One line of JSON, for programs; with escapes where the output is in a charset that JSON is not written in."""
    text = msgspec.json.encode(value)
    if not text.isascii() and not _is_utf_8(sys.stdout):
        text = json.dumps(msgspec.json.decode(text)).encode()
    click.echo(text.decode())


def open_what_is_closed() -> None:
    """A stream that was closed before the start (`>&-`, some supervisors) leads nowhere from now on. Python has None
    for it, which every print would trip over, and the next file that is opened would get its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is that of the stream
            os.set_inheritable(nowhere, True)  # the processes of --workers open theirs by these numbers
            setattr(sys, name, os.fdopen(nowhere, "w" if number else "r", encoding="utf-8"))


def print_in_any_charset() -> None:
    """From now on a letter that the terminal or the pipe cannot hold is printed as an escape, such as \\u6f22. Python
    would end with a traceback, perhaps after events were accepted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not _is_utf_8(stream):
            stream.reconfigure(errors="backslashreplace")


def _is_utf_8(stream: TextIO) -> bool:
    return (stream.encoding or "utf-8").lower().replace("-", "").startswith("utf8")


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Aligned columns; numbers to the right. Control characters never reach the terminal."""
    texts = [[printable(cell) for cell in row] for row in rows]
    is_number = [bool(rows) and any(isinstance(row[n], int) for row in rows) for n in range(len(headings))]
    if not (sys.stdout.isatty() and _print_folded(headings, texts, is_number)):
        widths = [max(map(len, column)) for column in zip(headings, *texts, strict=True)]
        for line in (headings, *texts):
            cells = zip(line, widths, is_number, strict=True)
            aligned = [text.rjust(width) if number else text.ljust(width) for text, width, number in cells]
            click.echo("  ".join(aligned).rstrip())


def _print_folded(headings: Sequence[str], texts: Sequence[Sequence[str]], is_number: Sequence[bool]) -> bool:
    """In a terminal long cells are folded, where rich is installed (the extra `cli`); whether it is."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ModuleNotFoundError:
        return False
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, number in zip(headings, is_number, strict=True):
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    for row in texts:
        table.add_row(*map(Text, row))
    Console().print(table)
    return True


def ago(seconds: float | None) -> str:
    """
    >>> ago(None), ago(5), ago(90), ago(7300), ago(200000)
    ('', '5 s', '1 min', '2 h', '2 d')
    """
    if seconds is None:
        return ""
    for size, unit in ((172_800, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // (86_400 if unit == 'd' else size))} {unit}"
    return f"{int(seconds)} s"


def clock(at: float) -> str:
    """Unix seconds as a date and time in UTC.

    >>> clock(1_700_000_000.9)
    '2023-11-14 22:13:20Z'
    """
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))


def printable(cell: object) -> str:
    """Without characters that could steer a terminal; "" for None."""
    return "" if cell is None else "".join(c for c in str(cell) if c.isprintable())
