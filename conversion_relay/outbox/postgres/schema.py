"""Makes the tables, and brings those of an older version to this one."""

import secrets
from importlib import resources

from psycopg.errors import DuplicateObject, DuplicateTable

from conversion_relay.errors import SettingsError
from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.refusals import POOLER
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


def _version(database: Database) -> int | None:
    about = f'"{database.dsn.schema}".about'
    ((number, charset, is_there, lock_timeout),) = database.read(_SERVER, (about,))
    if lock_timeout != LIMITS["lock_timeout"] and not database.dsn.pooler:
        raise SettingsError(f"RELAY_OUTBOX: {POOLER}")
    if number < OLDEST_SERVER:
        raise SettingsError(OLD_SERVER)
    if not is_there and charset not in CHARSETS:
        raise SettingsError(CHARSET)
    return int(database.read("SELECT version FROM relay.about")[0][0]) if is_there else None


_SERVER = """
SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), to_regclass(%b) IS NOT NULL,
  current_setting('lock_timeout')
"""


_IS_MADE = """
SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %b AND c.relname = 'about'
"""
_IS_OWNER = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(%b)"


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
