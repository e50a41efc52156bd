"""One connection to the database, with the few ways in which this store uses it."""

import select
import time
import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from conversion_relay.outbox.postgres.dsn import Dsn
from conversion_relay.outbox.postgres.slots import Slots

Rows = list[tuple[Any, ...]]
Values = Mapping[str, Any] | Sequence[Any] | None
LIMITS = {
    # A commit that the operator's role made cheaper would make our 202 worth less.
    "synchronous_commit": "on",
    "statement_timeout": "15s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    # To the planner a pinned plan is so dear that it is compiled first: 180 ms for each look at what waits, not 1.
    "jit": "off",
    # At a level that some database or role has as its default, what two processes do at once ends with an error.
    "default_transaction_isolation": r"read\ committed",
    # Names of ours have their schema; those of the server's own functions must not mean somebody else's (as orafce's).
    "search_path": "pg_catalog",
    # Below this level the server keeps to itself that a commit was not replicated (`Session._note`).
    "client_min_messages": "warning",
}
PINNED = {"enable_seqscan": "off", "enable_sort": "off", "enable_bitmapscan": "off", "enable_hashjoin": "off",
          "enable_mergejoin": "off"}  # fmt: skip
"""For claims: with old statistics the planner takes a sequential scan instead of the index, eight times as slow."""
NOT_REPLICATED = "01000"


class Session:
    """Autocommit, until `begin`. `schema` takes the place of `relay.` in each statement, in quotes: `order`
    and `user` are names of schemas, too."""

    def __init__(self, dsn: Dsn, slots: Slots, *, pinned: bool) -> None:
        settings = LIMITS | (PINNED if pinned else {})
        # A pooler refuses options, and a SET would be the next client's.
        given = str(conninfo_to_dict(dsn.conninfo).get("options") or "")
        options = " ".join([given, *(f"-c {name}={value}" for name, value in settings.items())]).strip()
        conninfo = dsn.conninfo if dsn.pooler else make_conninfo(dsn.conninfo, options=options)
        threshold = None if dsn.pooler else 5
        self._begin = _begin(settings if dsn.pooler else {})
        self.connection = psycopg.connect(conninfo, autocommit=True, prepare_threshold=threshold)
        self._cursor = self.connection.cursor(binary=True)
        self.slots = slots
        self.schema, self.opened_at = dsn.schema, time.monotonic()
        self.is_replicated = True
        self.connection.add_notice_handler(self._note)

    def _note(self, notice: psycopg.errors.Diagnostic) -> None:
        """ "canceling wait for synchronous replication": the commit reports success and the standby lacks it.
        https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION"""
        if notice.sqlstate == NOT_REPLICATED:
            self.is_replicated = False

    def begin(self, mark: uuid.UUID | None) -> None:
        """`mark`: is in the database if and only if the transaction was committed. One round trip for both."""
        self.is_replicated = True
        self.connection.execute(f"{self._begin}{_mark(mark, self.schema) if mark else ''}".encode())

    def commit(self) -> None:
        self.connection.execute(b"COMMIT")

    def rollback(self) -> None:
        self.connection.execute(b"ROLLBACK")

    def read(self, sql: str, values: Values = None) -> Rows:
        return self._cursor.execute(_for_schema(sql, self.schema), values).fetchall()

    def run(self, sql: str, values: Values = None) -> int:
        """How many rows it changed."""
        return self._cursor.execute(_for_schema(sql, self.schema), values).rowcount

    @property
    def is_usable(self) -> bool:
        return not self.connection.closed

    def was_left(self) -> bool:
        """While it was idle the server ended it, or said something. A statement sent on it would be in doubt."""
        looked = select.poll()
        looked.register(self.connection.fileno(), select.POLLIN)
        return bool(looked.poll(0))

    def close(self) -> None:
        self.connection.close()


def _begin(settings: Mapping[str, str]) -> str:
    given = {name: value for name, value in settings.items() if not name.startswith("default_")}
    local = "".join(f"; SET LOCAL {name} = '{value}'" for name, value in given.items())
    return f"BEGIN ISOLATION LEVEL READ COMMITTED{local}"


def _mark(mark: uuid.UUID, schema: str) -> str:
    return f"; INSERT INTO \"{schema}\".mark (id) VALUES ('{mark}')"


def marked(source: str) -> str:
    """The part of a statement for `Database.at_once` that says that it was done, if `source` has a row."""
    return (
        f"marked AS (INSERT INTO relay.mark (id) SELECT %(mark)b::uuid FROM {source} WHERE %(mark)b::uuid IS NOT NULL)"
    )


@cache
def _for_schema(sql: str, schema: str) -> bytes:
    return sql.replace("relay.", f'"{schema}".').encode()
