"""The PostgreSQL store for the suite and the model: a schema for each place, emptied when used anew."""

from pathlib import Path
from typing import ClassVar

import pytest

from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from tests.outbox.postgres.server import cheap
from tests.outbox.suite import DAY, Backend


class PostgresBackend(Backend):
    keeps_longer = 2 * DAY
    schemas: ClassVar[dict[Path, str]] = {}

    @pytest.fixture(autouse=True)
    def forget(self):
        """The next test has the same tables, emptied."""
        yield
        self.schemas.clear()

    def open(self, place: Path) -> PostgresOutbox:
        if place not in self.schemas:
            schema = f"s{len(self.schemas)}"
            self.schemas[place] = schema
            empty(schema)  # whoever used it before: not all of them open it here
        return PostgresOutbox(f"{cheap().url}&schema={self.schemas[place]}")

    def pass_time(self, seconds: float) -> None:
        for schema in self.schemas.values():
            cheap().execute(f"UPDATE {schema}.lease SET until = until - interval '{seconds} seconds'")


def empty(schema: str) -> None:
    """As if it were new; to make the tables anew, or to truncate them, takes ten times as long."""
    about = cheap().execute(f"SELECT to_regclass('{schema}.about') IS NOT NULL")
    if about == [(True,)] and cheap().execute(f"SELECT old_until FROM {schema}.about") == [(0,)]:
        tables = cheap().execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
            f" WHERE nspname = '{schema}' AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'about'"
        )
        cheap().execute("; ".join(f"DELETE FROM {schema}.{name}" for (name,) in tables))
    else:
        cheap().execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def url_of(schema: str) -> str:
    empty(schema)
    return f"{cheap().url}&schema={schema}"
