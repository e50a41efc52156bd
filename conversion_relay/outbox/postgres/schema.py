"""Makes the tables, and brings those of an older version to this one."""

import secrets
from importlib import resources

from psycopg.errors import DuplicateObject, DuplicateTable

from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.keys import BLOCK, NUMBER_BITS
from conversion_relay.outbox.postgres.refusals import LACKS, POOLER
from conversion_relay.outbox.postgres.session import LIMITS, Session

VERSION = 3
MIGRATIONS: dict[int, str] = {
    1: "CREATE INDEX IF NOT EXISTS figure_hour ON relay.figure (hour)",
    2: "ALTER TABLE relay.about DROP CONSTRAINT IF EXISTS about_pkey\n--\nALTER TABLE relay.about ADD PRIMARY KEY (id)",
}
"""By the version that it starts from; statements parted as in `schema.sql`."""
LONGEST = 3_600.0
"""Seconds for all of it: an index over what thousand datasets left in a month takes minutes."""
OLDEST_SERVER = 140_000
NO_SCHEMA = "RELAY_OUTBOX: no outbox in this schema of the database; start `serve` once, it makes one"
NEWER = "RELAY_OUTBOX: the outbox was made by a newer Conversion Relay; install that version here too"
TAKEN = "RELAY_OUTBOX: this schema holds tables of another program; name one of our own, such as ?schema=relay"
CHARSETS = ("UTF8", "SQL_ASCII")
CHARSET = (
    "RELAY_OUTBOX: the database's encoding lacks most letters, and an id or a name may hold any; make one with"
    " CREATE DATABASE relay ENCODING 'UTF8' TEMPLATE template0"
)
NOT_OURS = (
    "RELAY_OUTBOX: the tables belong to another role, and every two days a new one joins them; give them to this role"
    " (ALTER TABLE ... OWNER TO), or this role the other one (GRANT ... TO)"
)
MAKES_NO_TABLE = (
    "RELAY_OUTBOX: the role may make no table in the schema, and every two days a new one joins the others: ALTER"
    " SCHEMA ... OWNER TO this role, or GRANT CREATE ON SCHEMA ... TO it"
)
NO_ROWS = (
    "RELAY_OUTBOX: the tables are there without their rows, as after a dump of the schema alone: restore the rows too,"
    " or drop the schema and start `serve` once, it makes one"
)
ROWS_OF_TWO = (
    "RELAY_OUTBOX: the tables hold the rows of two outboxes, as after rows that were restored into tables of ours that"
    " were there: drop the schema and restore the dump whole"
)
OLD_SERVER = "RELAY_OUTBOX: PostgreSQL 14 or newer is needed"


def prepare(database: Database, *, create: bool) -> None:
    """Raises SettingsError for an outbox that is not there, unless it may be made, and for one that is too new."""
    version = _version(database)
    if version is None and not create:
        raise SettingsError(NO_SCHEMA)
    if version is None or (create and version < VERSION):
        database.transact(_bring_up, marked=False, patience=LONGEST)
        version = VERSION
    if version > VERSION:
        raise SettingsError(NEWER)
    if create and not database.read(_IS_OWNER, (f'"{database.dsn.schema}".event',))[0][0]:
        raise SettingsError(NOT_OURS)
    if create:
        if not database.read(_MAKES_TABLES, (database.dsn.schema,))[0][0]:
            raise SettingsError(MAKES_NO_TABLE)
        try:
            _advance_numbers(database)
        except OutboxUnavailable as error:
            if str(error) != LACKS:  # an engine without these functions goes on as it is
                raise


def _version(database: Database) -> int | None:
    about = f'"{database.dsn.schema}".about'
    ((number, charset, is_there, lock_timeout),) = database.read(_SERVER, (about,))
    if lock_timeout != LIMITS["lock_timeout"] and not database.dsn.pooler:
        raise SettingsError(f"RELAY_OUTBOX: {POOLER}")
    if number < OLDEST_SERVER:
        raise SettingsError(OLD_SERVER)
    if not is_there and charset not in CHARSETS:
        raise SettingsError(CHARSET)
    if not is_there:
        return None
    rows = database.read("SELECT version FROM relay.about")
    if len(rows) != 1:
        raise SettingsError(ROWS_OF_TWO if rows else NO_ROWS)
    return int(rows[0][0])


_SERVER = """
SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), to_regclass(%b) IS NOT NULL,
  current_setting('lock_timeout')
"""


_IS_MADE = """
SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %b AND c.relname = 'about'
"""
_IS_OWNER = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(%b)"
_MAKES_TABLES = "SELECT has_schema_privilege(%b, 'CREATE')"


def _advance_numbers(database: Database) -> None:
    """Logical replication copies rows and leaves the sequences as they were. Each number that they give is then taken,
    and until they have passed the last row nothing that Meta answered can be recorded."""
    for table in _NUMBERED:
        database.read(_ADVANCE.format(table=table), (f'"{database.dsn.schema}".{table}',))
    database.read(_ADVANCE_KEYS, (f'"{database.dsn.schema}".event_number', 2**NUMBER_BITS, BLOCK, BLOCK))


_NUMBERED = ("dataset", "answer", "delivered", "inbox")
# setval only where it is behind, so that no number is given twice to those that run.
_ADVANCE = """
SELECT setval(numbers, top) FROM (
  SELECT pg_get_serial_sequence(%b, 'id')::regclass AS numbers, (SELECT max(id) FROM relay.{table}) AS top
) AS found WHERE top > coalesce(pg_sequence_last_value(numbers), 0)
"""
# Only numbers of the same two days can be taken, and the newest key is of the newest of them.
_ADVANCE_KEYS = """
SELECT setval(numbers, top) FROM (
  SELECT %b::regclass AS numbers, (SELECT max(key) %% %b::bigint / %b::bigint * %b::bigint FROM relay.event) AS top
) AS found WHERE top > coalesce(pg_sequence_last_value(numbers), 0)
"""


def _bring_up(session: Session) -> None:
    """Two processes may start at once: the second one waits, and finds it done. Within the limits of an ordinary
    transaction a large outbox could never be brought up; only a table is waited for no longer, since whoever waits for
    one holds up all that come behind."""
    session.run("SET LOCAL statement_timeout = 0")
    session.run("SET LOCAL lock_timeout = 0")
    session.read("SELECT pg_advisory_xact_lock(hashtext('conversion-relay'), hashtext(%b))", (session.schema,))
    session.run(f"SET LOCAL lock_timeout = '{LIMITS['lock_timeout']}'")
    # Not by to_regclass: what it found before the lock, nothing, stays in the session's cache until a table is opened.
    if not session.read(_IS_MADE, (session.schema,)):
        # IF NOT EXISTS asks for the right to create one even where one was created for us.
        if not session.read("SELECT 1 FROM pg_namespace WHERE nspname = %b", (session.schema,)):
            session.run(f'CREATE SCHEMA "{session.schema}"')
        try:
            _run_all(session, (resources.files(__package__) / "schema.sql").read_text("utf-8"))
        except (DuplicateTable, DuplicateObject):
            raise SettingsError(TAKEN) from None
        session.run("INSERT INTO relay.about (version, id) VALUES (%b, %b)", (VERSION, secrets.token_hex(8)))
        return
    ((version,),) = session.read("SELECT version FROM relay.about FOR UPDATE")
    for old in range(version, VERSION):
        _run_all(session, MIGRATIONS[old])
    session.run("UPDATE relay.about SET version = %b", (max(version, VERSION),))


def _run_all(session: Session, statements: str) -> None:
    for statement in statements.split("\n--\n"):
        session.run(statement)
