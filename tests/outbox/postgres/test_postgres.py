"""The outbox in PostgreSQL: the common suite, and what only a server can show."""

import pytest

from tests.outbox.postgres.backend import PostgresBackend
from tests.outbox.postgres.server import needs_postgres
from tests.outbox.suite.everything import EverySuite

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]


class TestPostgres(PostgresBackend, EverySuite):
    """What is promised of every store."""
