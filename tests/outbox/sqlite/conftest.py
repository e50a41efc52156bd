from pathlib import Path

import pytest

from conversion_relay.outbox.sqlite.database import Database
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


@pytest.fixture
def database(path):
    database = Database(path)
    yield database
    database.close()
