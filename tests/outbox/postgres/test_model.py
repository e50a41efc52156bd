"""The outbox in PostgreSQL against the model of `machine.py`; and its sessions are ended."""

import pytest
from hypothesis.stateful import rule

from tests.outbox.machine import OutboxMachine, runs
from tests.outbox.postgres.backend import PostgresBackend
from tests.outbox.postgres.server import cheap, needs_postgres

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]
END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
)


class PostgresMachine(OutboxMachine):
    backend = PostgresBackend()

    def teardown(self) -> None:
        super().teardown()
        self.backend.schemas.clear()

    @rule()
    def an_administrator_ends_all_sessions(self) -> None:
        """Nothing is lost and nobody is told: each verb does its work by a new connection."""
        cheap().execute(END_SESSIONS)


PostgresMachine.TestCase.settings = runs(4)
TestPostgresModel = PostgresMachine.TestCase
