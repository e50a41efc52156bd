"""Why PostgreSQL, or what stands before it, refused: in sentences of ours.

No text of the driver or the server is ever repeated, since it may quote the address, a role or a row. But it is read:
a connection that fails has no SQLSTATE, and "cannot be reached" does not help whoever forgot to create the database.
A server or a libpq that speaks another language than English is told by the sentence for all of them.
"""

import psycopg

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.postgres.arrays import UNSTORABLE

GONE = frozenset({"25006", "25P03", "57P01", "57P02", "57P03", "57P05", "0A000"})
TRANSIENT = frozenset({"40001", "40P01", "55P03"})
LOST = (
    "PostgreSQL cannot be reached, refuses the role, the password or the database's name, or only reads; look at its"
    " log and at RELAY_OUTBOX"
)
POOLER = (
    "a pooler stands between that keeps no settings of a session: add pooler=transaction to RELAY_OUTBOX; if it is"
    " there, give no options=, also not by PGOPTIONS or a service"
)
VALUE = "a parameter of RELAY_OUTBOX has a value that libpq does not take (sslmode, port, target_session_attrs ...)"
STARTING = "PostgreSQL is starting or shutting down"
AWAY = "nobody answers as PostgreSQL at the address in RELAY_OUTBOX; start it, or correct host and port"
READS = "PostgreSQL only reads: a standby, or default_transaction_read_only; name the primary in RELAY_OUTBOX"
BROKEN = (
    "the connection to PostgreSQL was lost, or did not come about: look whether the server and the network are well"
)
WAITED = "the pooler has no connection to PostgreSQL in time; look at its log"
FULL = "PostgreSQL has no connection left: raise max_connections (of the server, the role or the database) or the pool"
NO_DISK = "the disk of PostgreSQL is full"
_BY_TEXT = (
    (("unsupported startup parameter",), POOLER),
    (("statement pooling",), "the pooler is in statement mode; set pool_mode=transaction, no transaction works there"),
    (("query_wait_timeout", "pgbouncer cannot connect", "server login has been failing", "bouncer config error",
      "client_login_timeout"), WAITED),
    (("too many clients", "connection slots", "too many connections", "no more connections allowed"), FULL),
    (("pg_hba.conf", "login rejected"),
     "pg_hba.conf of the server lets nobody in from here with this role, database and encryption"),
    (("Peer authentication failed", "Ident authentication failed"),
     "PostgreSQL asks for no password here, but lets in the system's user whose name is the role's (peer): run as that"
     " user, or name host=127.0.0.1 in RELAY_OUTBOX, where Debian's servers ask for a password"),
    (("password authentication failed", "SASL authentication failed", "no password supplied", "fe_sendauth"),
     "PostgreSQL refuses the role or its password in RELAY_OUTBOX; percent-encode what is no letter or digit"),
    (("is not permitted to log in",), "PostgreSQL knows the role, but it may not log in: ALTER ROLE ... LOGIN"),
    (("permission denied for database",), "PostgreSQL lets the role not into the database: GRANT CONNECT ON DATABASE"),
    (("role \"",), "PostgreSQL has no such role; CREATE ROLE relay LOGIN PASSWORD ..."),
    (("database \"", "no such database"),
     "PostgreSQL has no such database; CREATE DATABASE relay OWNER relay ENCODING 'UTF8'"),
    (("read-only", "hot standby"), READS),
    (("starting up", "shutting down", "not accepting"), STARTING),
    (("definition of service", "service file"),
     "libpq finds no such service: look at service= in RELAY_OUTBOX, and at PGSERVICEFILE"),
    (("value: \"", "invalid integer value", "could not match"), VALUE),
    (("private key file",),
     "libpq does not take the client's private key: sslkey fits the certificate, is readable by this user alone (chmod"
     " 600), and sslpassword opens it"),
    (("weak sslmode", "channel binding", "auth method", "GSSAPI"),
     "PostgreSQL does not offer what a parameter of RELAY_OUTBOX asks for, or two of them exclude each other (sslmode,"
     " sslrootcert, channel_binding, require_auth, gssencmode)"),
    (("SSL", "certificate", "TLS"), "PostgreSQL and sslmode in RELAY_OUTBOX do not agree on TLS, or on a certificate"),
    (("Connection refused", "could not translate", "failed to resolve", "Name or service", "No such file", "timeout",
      "No route to host", "unreachable"), AWAY),
    (("closed the connection unexpectedly",), BROKEN),
)  # fmt: skip
LACKS = (
    "the server lacks something that the outbox needs of PostgreSQL 14 (advisory locks, partitions, SKIP LOCKED ...);"
    " its log says what"
)
RIGHTS = (
    "PostgreSQL denies the role a right: it must own the schema and all tables in it; the first start needs"
    " GRANT CREATE ON DATABASE, or a schema that is the role's already"
)
_BY_SQLSTATE = {
    "0A000": LACKS,
    "42601": LACKS,
    "42883": LACKS,
    "42501": RIGHTS,
    "23505": "PostgreSQL gives numbers that are taken, as after a replication that leaves out its sequences; start one"
    " of the relay's processes again, which sets them forward",
    "26000": POOLER,
    "42P05": POOLER,
    "42P01": "PostgreSQL has not all of our tables any more; put the schema back, or drop it and start `serve` once",
    "3F000": "PostgreSQL has our schema no more; put it back, or start `serve` once, it makes one",
    "53100": NO_DISK,
    "53200": "PostgreSQL has no memory left",
    "53300": FULL,
    "55P03": "a table of ours is locked by somebody else (VACUUM FULL, REINDEX, ALTER ...); it goes on when that ends",
    "57014": "PostgreSQL took too long, or somebody cancelled the statement",
}

_PASSING = frozenset({WAITED, FULL, READS, STARTING, AWAY, BROKEN})
_OF_SETTINGS = {VALUE, POOLER, LACKS, RIGHTS, *(sentence for _, sentence in _BY_TEXT)} - _PASSING


def is_of_settings(error: OutboxUnavailable) -> bool:
    """A start ends for good then. A server that is not up yet, a fail-over, a full disk or a sentence that nobody knows
    may pass: whoever supervises the process starts it again until they have."""
    return str(error) in _OF_SETTINGS


def is_lost(error: psycopg.Error) -> bool:
    """The connection cannot be used again."""
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and error.sqlstate is None:
        return True
    return error.sqlstate is not None and (error.sqlstate in GONE or error.sqlstate.startswith("08"))


def may_be_repeated(error: psycopg.Error) -> bool:
    """At once. Not where nobody answered in the whole time that a connection is given: whoever waits for a put would
    wait three times as long for the same refusal, and all that came meanwhile once more."""
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return False
    return is_lost(error) or error.sqlstate in TRANSIENT


def told(error: psycopg.Error) -> Exception:
    if isinstance(error, psycopg.DataError):
        return ValueError(UNSTORABLE)
    if is_lost(error):
        text = str(error)
        why = (sentence for texts, sentence in _BY_TEXT if any(part in text for part in texts))
        return OutboxUnavailable(next(why, _BY_SQLSTATE.get(error.sqlstate or "", LOST)))
    if error.sqlstate is None:  # psycopg's own, of a value that it reads by itself
        return OutboxUnavailable(VALUE)
    refused = f"PostgreSQL refused with SQLSTATE {error.sqlstate}; look at the server's log"
    return OutboxUnavailable(_BY_SQLSTATE.get(error.sqlstate or "", refused))
