from pathlib import Path

import pytest

from conversion_relay.outbox.sqlite.file import open_file


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def db(path):
    """A connection to an empty outbox file, with a transaction open."""
    writer, reader = open_file(path)
    writer.execute("BEGIN IMMEDIATE")
    yield writer
    writer.close()
    reader.close()
