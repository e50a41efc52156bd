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
    from psycopg import ProgrammingError, conninfo

    if _splits_a_password(url):
        raise SettingsError(ENCODED)
    try:
        # What is libpq's stays as it was written: it reads a plus, three slashes and a `#` in its own way.
        address, _, query = url.partition("?")
        parts = [part for part in query.split("&") if part]
        given = dict(parse_qsl("&".join(filter(_is_ours, parts)), keep_blank_values=True))
        rest = "&".join(part for part in parts if not _is_ours(part))
        known = conninfo.conninfo_to_dict(f"{address}?{rest}" if rest else address)
        named = {**DEADLINES, "application_name": "conversion-relay", **known, **_writable(known)}
        # In the database's own charset a text that it lacks would be an error here, and of no charset all are bytes.
        made = conninfo.make_conninfo("", **{**named, "client_encoding": "UTF8"})
    except (ValueError, ProgrammingError):
        raise SettingsError(ENCODED) from None
    schema, pooler, listen = given.get("schema", "relay"), given.get("pooler", ""), given.get("listen", "")
    is_name = schema.isascii() and schema.isidentifier() and schema == schema.lower() and len(schema) < 50
    if not is_name or schema.startswith("pg_") or schema == "information_schema":
        raise SettingsError(SCHEMA)
    if pooler not in ("", "transaction") or listen not in ("", "no", "yes"):
        raise SettingsError(FORM)
    return Dsn(made, schema, pooler == "transaction", listen != "no" and not (pooler and listen != "yes"))


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
