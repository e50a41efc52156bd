"""Copies of the outbox that were not made by `backup`, and what a copy does not know."""

import contextlib
import sqlite3

import pytest

from conversion_relay.outbox.sqlite.backup import restore
from tests.outbox.sqlite.files import opened
from tests.outbox.sqlite.old_schemas import write_schema_1, write_schema_2, write_schema_3, write_schema_4
from tests.outbox.suite import NOW, sealed


def write_ours(path):
    outbox = opened(path)
    outbox.put([sealed("a")], NOW)
    outbox.close()


@pytest.mark.parametrize("write", [write_schema_1, write_schema_2, write_schema_3, write_schema_4, write_ours])
def test_what_sqlite_dumped_is_an_outbox_again(tmp_path, write):
    """A dump has everything but the number of the schema."""
    path, dumped = tmp_path / "outbox.db", tmp_path / "dumped.db"
    write(path)
    with contextlib.closing(sqlite3.connect(path)) as old, contextlib.closing(sqlite3.connect(dumped)) as new:
        new.executescript("\n".join(old.iterdump()))
    events = restore(dumped, tmp_path / "restored.db")
    for file in (dumped, tmp_path / "restored.db"):
        outbox = opened(file)
        (book,) = outbox.counts().values()
        assert (book.accepted, book.imbalance) == (events, 0)
        outbox.close()
