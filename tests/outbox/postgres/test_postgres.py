"""The outbox in PostgreSQL: the common suite, and what only a server can show."""

import pytest

from conversion_relay.event import Receipt
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from tests.outbox.postgres.backend import PostgresBackend, url_of
from tests.outbox.postgres.server import needs_postgres
from tests.outbox.suite import NOW, sealed
from tests.outbox.suite.everything import EverySuite

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]


def test_a_new_place_is_empty_whatever_another_test_left_in_its_schema(tmp_path):
    """The model once found another test's events, in some orders of the tests."""
    left, backend = PostgresOutbox(url_of("s0")), PostgresBackend()
    left.put([sealed("a")], NOW)
    left.close()
    outbox = backend.open(tmp_path)
    assert outbox.put([sealed("a")], NOW) == [Receipt("a")]
    outbox.close()
    backend.schemas.clear()


class TestPostgres(PostgresBackend, EverySuite):
    """What is promised of every store."""
