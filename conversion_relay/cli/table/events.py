"""The events of a file, one after the other, from where an earlier call stopped."""

import csv
from collections.abc import Iterator
from typing import BinaryIO

import click

from conversion_relay.cli.table.asked import Read
from conversion_relay.cli.table.lines import LONGEST_CELL, LONGEST_LINE, MOST_DOCUMENT, Head, json_lines, rows
from conversion_relay.cli.table.rows import Rows, identified
from conversion_relay.event import Event, Rejection
from conversion_relay.intake.reading import read_event, read_lines


def events(file: BinaryIO, head: Head, read: Read | None, skip: int) -> Iterator[Event | Rejection]:
    """`read`: how a table is read; None for JSON. `skip`: so many were read before."""
    if read is not None:
        yield from _of_table(file, read, skip)
        return
    texts = _of_document(file, head) if head.is_document else json_lines(file)
    for number, text in enumerate(texts):
        if number >= skip:
            yield identified(read_event(text), text)


def _of_document(file: BinaryIO, head: Head) -> Iterator[bytes]:
    if head.size > MOST_DOCUMENT:
        raise click.UsageError(
            f"the file is one JSON document of more than {MOST_DOCUMENT:,} bytes; write one event a line, such as by"
            " jq -c '.[]' FILE"
        )
    found = read_lines(file.read())
    if isinstance(found, Rejection):
        raise click.ClickException(f"{found.field}: {found.message}")
    yield from (bytes(line.event) for line in found)


def _of_table(file: BinaryIO, read: Read, skip: int) -> Iterator[Event | Rejection]:
    reader = Rows(read.plan)
    lines = rows(file, read.encoding, read.delimiter)
    for _ in range(read.skipped + 1):
        next(lines, None)
    number = 0
    try:
        for cells, is_ended in lines:
            if not any(cells):
                continue
            number += 1
            if number > skip:
                yield reader.event(cells, is_ended=is_ended)
    except UnicodeDecodeError:
        raise click.ClickException(
            f"after row {number} the file is not {read.encoding}; say --encoding, and --anew"
        ) from None
    except csv.Error:
        raise click.ClickException(
            f"after row {number} a cell is longer than {LONGEST_CELL:,} characters, or a line than {LONGEST_LINE:,};"
            " look for a quote that is not closed, mend it, and import the file again: what was accepted is known"
            " already"
        ) from None
