"""RELAY_OUTBOX=postgresql://...: how it is read. No part of it is ever repeated in an error."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from conversion_relay.errors import SettingsError

OURS = ("schema", "pooler", "listen")
DEADLINES: Mapping[str, Any] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 5_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "target_session_attrs": "read-write",
}
"""A server that is gone is noticed; of several hosts the primary is chosen."""
SCHEMA = (
    "RELAY_OUTBOX: schema= takes at most 49 letters from a to z, digits and underscores; the first is no digit, and no"
    " name begins with pg_"
)
FORM = "RELAY_OUTBOX: expected postgresql://USER:PASSWORD@HOST/DATABASE[?schema=relay&pooler=transaction&listen=no]"

PARAMETERS = (
    f"{FORM}; after the ? stand parameters of libpq or these, in small letters: other programs' own (pgbouncer=true,"
    " connection_limit, pool_size ...) are none, and a ? of a password is written %3F"
)
ENCODED = f"{FORM}; in user and password each sign that is no letter or digit is percent-encoded, such as %40 for @"


class Dsn(msgspec.Struct, frozen=True):
    conninfo: str
    schema: str
    pooler: bool
    """A pooler in transaction mode stands between: nothing of a session lasts."""
    listen: bool

    def __repr__(self) -> str:
        return "Dsn(postgresql://...)"


def read_dsn(url: str) -> Dsn:
    """Parts of our own are taken out: `schema`, `pooler=transaction`, `listen=no`."""
    try:
        return _read(url)
    except SettingsError as error:
        raise error.with_traceback(None) from None  # an error page shows variables: there the password


def _read(url: str) -> Dsn:
    from psycopg import ProgrammingError, conninfo

    if _splits_a_password(url):
        raise SettingsError(ENCODED)
    scheme, colon, rest = url.strip().partition(":")
    url = f"{scheme.lower()}{colon}{rest}"  # libpq takes another spelling for no address at all
    try:
        # What is libpq's stays as it was written: it reads a plus, three slashes and a `#` in its own way.
        address, _, query = url.partition("?")
        parts = [part for part in query.split("&") if part]
        given = dict(parse_qsl("&".join(filter(_is_ours, parts)), keep_blank_values=True))
        rest = "&".join(part for part in parts if not _is_ours(part))
        known = conninfo.conninfo_to_dict(f"{address}?{rest}" if rest else address)
        ours = {**DEADLINES, "application_name": "conversion-relay", **_given_elsewhere(known)}
        named = {**ours, **known, **_writable(known)}
        # In the database's own charset a text that it lacks would be an error here, and of no charset all are bytes.
        made = conninfo.make_conninfo("", **{**named, "client_encoding": "UTF8"})
    except (ValueError, ProgrammingError) as error:
        raise SettingsError(PARAMETERS if "query parameter" in str(error) else ENCODED) from None
    schema, pooler, listen = given.get("schema", "relay"), given.get("pooler", ""), given.get("listen", "")
    is_name = schema.isascii() and schema.isidentifier() and schema == schema.lower() and len(schema) < 50
    if not is_name or schema.startswith("pg_") or schema == "information_schema":
        raise SettingsError(SCHEMA)
    if pooler not in ("", "transaction") or listen not in ("", "no", "yes"):
        raise SettingsError(FORM)
    return Dsn(made, schema, pooler == "transaction", listen != "no" and not (pooler and listen != "yes"))


def _given_elsewhere(known: Mapping[str, Any]) -> dict[str, str]:
    """What a service file or the environment (PGOPTIONS, PGCONNECT_TIMEOUT ...) says of the parameters that we set:
    libpq lets an address win over both, so ours would take the place of the operator's. Which server must be able to
    write is not theirs to say. Libpq tells it of a connection alone; this one is to no server."""
    from psycopg import conninfo, pq

    nowhere = {**known, "host": "/", "hostaddr": "", "port": "", "password": "none", "sslpassword": ""}
    tried = pq.PGconn.connect_start(conninfo.make_conninfo("", **nowhere).encode())
    found = {option.keyword.decode(): option.val for option in tried.info}
    tried.finish()
    names = ("options", "application_name", *(name for name in DEADLINES if name != "target_session_attrs"))
    return {name: value.decode() for name in names if (value := found.get(name))}


def _splits_a_password(url: str) -> bool:
    """libpq ends the password at the first @, and the address of the server at the first slash: what comes after them
    of a password would be looked up as the name of a host, in clear, and "nobody answers" would be said of it."""
    authority, _, path = url.partition("?")[0].partition("//")[2].partition("/")
    return authority.count("@") > 1 or "@" in path


def _is_ours(parameter: str) -> bool:
    return parameter.partition("=")[0] in OURS


def _writable(known: Mapping[str, Any]) -> dict[str, str]:
    """Of several hosts the one that can write, whatever else was copied from another program's address: with `any`, a
    primary that comes back as a standby behind its successor kept every put, with the new primary in the list."""
    is_list = any("," in str(known.get(name, "")) for name in ("host", "hostaddr"))
    chosen = known.get("target_session_attrs", "read-write")
    return {"target_session_attrs": "read-write"} if is_list and chosen not in ("read-write", "primary") else {}
