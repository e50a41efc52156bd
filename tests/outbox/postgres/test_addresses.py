"""RELAY_OUTBOX as people write it for libpq, and databases that were made with another encoding."""

import psycopg
import pytest
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from conversion_relay.errors import SettingsError
from conversion_relay.outbox import open_outbox
from conversion_relay.outbox.postgres.dsn import read_dsn
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.postgres.session import Session
from conversion_relay.outbox.postgres.slots import Slots
from tests.outbox.postgres.server import cheap, needs_postgres
from tests.outbox.suite import NOW, claim, sealed

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]
LETTERS = "bestellung-ü-漢字-😀"


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("postgresql:///relay?host=/run/postgresql&schema=s", {"dbname": "relay", "host": "/run/postgresql"}),
        ("postgresql:///?service=relay", {"service": "relay"}),
        ("postgresql:///relay", {"dbname": "relay"}),
        ("postgres://relay:p%2Bw+d@db/relay", {"password": "p+w+d", "host": "db"}),
        ("postgresql://db/relay?password=p+w%26d&schema=s", {"password": "p+w&d"}),
        ("postgresql://relay:p#w@db/relay?listen=no", {"password": "p#w", "dbname": "relay"}),
        ("postgresql://db/relay?passfile=/etc/my%20relay/pass&sslmode=verify-full", {"passfile": "/etc/my relay/pass"}),
        ("postgresql://a:1,b:2/relay?target_session_attrs=primary", {"host": "a,b", "port": "1,2"}),
        ("postgresql://a,b/relay?target_session_attrs=any", {"target_session_attrs": "read-write"}),
        ("postgresql:///relay?host=a,b&target_session_attrs=prefer-standby", {"target_session_attrs": "read-write"}),
        ("postgresql://standby/relay?target_session_attrs=any", {"target_session_attrs": "any"}),
        ("postgresql://db/relay?options=-c%20role%3Dshop&schema=s", {"options": "-c role=shop"}),
        ("postgresql://db/relay?client_encoding=latin1", {"client_encoding": "UTF8"}),
    ],
)
def test_what_is_libpqs_is_left_as_it_was_written_but_of_several_hosts_one_must_write(url, known):
    made = conninfo_to_dict(read_dsn(url).conninfo)
    assert {name: made.get(name) for name in known} == known
    assert read_dsn(url).schema == ("s" if "schema=" in url else "relay")


REFUSED_SINCE_17 = ["canary x"] if pq.version() >= 170_000 else []
"""Before that libpq took the blank for a part of the password, as it was meant."""


@pytest.mark.parametrize(
    "password", ["canary@host", "canary@host/x", "p%40/canary@x", "/canary", "canary%zz", *REFUSED_SINCE_17]
)
def test_a_password_that_ends_too_early_is_told_and_no_part_of_it_is_taken_for_a_host(password):
    with pytest.raises(SettingsError, match="percent-encoded") as error:
        read_dsn(f"postgresql://relay:{password}@db.internal/relay?schema=s")
    assert "canary" not in str(error.value)


def test_options_of_the_operators_own_hold_beside_ours():
    url = f"{cheap().url}&options=-c%20work_mem%3D7MB%20-c%20statement_timeout%3D1"
    session = Session(read_dsn(url), Slots(), pinned=False)
    assert session.read("SHOW work_mem") == [("7MB",)] and session.read("SHOW statement_timeout") == [("15s",)]
    session.close()


@pytest.mark.parametrize("pooler", ["", "&pooler=transaction"])
def test_what_a_service_or_the_environment_says_holds_beside_ours(pooler, monkeypatch, tmp_path):
    """`-c role=` of a service was dropped, since an address wins over it in libpq."""
    services = tmp_path / "services"
    services.write_text("[shop]\nhost=a,b\nport=1,2\noptions=-c work_mem=7MB\nconnect_timeout=9\n", "utf-8")
    for name, value in {"PGSERVICEFILE": services, "PGAPPNAME": "shop", "PGTARGETSESSIONATTRS": "any"}.items():
        monkeypatch.setenv(name, str(value))
    made = conninfo_to_dict(read_dsn(f"postgresql:///?service=shop{pooler}").conninfo)
    assert (made["options"], made["connect_timeout"], made["application_name"]) == ("-c work_mem=7MB", "9", "shop")
    assert made["target_session_attrs"] == "read-write" and "host" not in made and "password" not in made
    monkeypatch.setenv("PGOPTIONS", "-c work_mem=8MB")
    session = Session(read_dsn(cheap().url), Slots(), pinned=False)
    assert session.read("SHOW work_mem") == [("8MB",)] and session.read("SHOW statement_timeout") == [("15s",)]
    session.close()


@pytest.mark.parametrize("parameter", ["pgbouncer=true", "connection_limit=5", "POOLER=transaction", "canary=1"])
def test_a_parameter_of_another_program_is_told_as_one(parameter):
    with pytest.raises(SettingsError, match="parameters of libpq") as error:
        read_dsn(f"postgresql://relay:geheim@db/relay?{parameter}")
    assert "canary" not in str(error.value) and "geheim" not in str(error.value)


def test_the_scheme_is_read_in_any_case_and_a_line_break_of_a_secrets_file_is_none_of_the_databases_name():
    assert conninfo_to_dict(read_dsn("PostgreSQL://db/relay\n").conninfo)["dbname"] == "relay"


@pytest.fixture
def database_of():
    """A database with an encoding."""
    made = []

    def make(encoding: str) -> str:
        name = f"of_{encoding.lower()}"
        with psycopg.connect(cheap().conninfo, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name}")
            connection.execute(
                f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
            )
        made.append(name)
        return cheap().url.replace("/postgres?", f"/{name}?")

    yield make
    for name in made:
        with psycopg.connect(cheap().conninfo, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_database_that_knows_no_encoding_keeps_every_letter(database_of):
    outbox = PostgresOutbox(database_of("SQL_ASCII"))
    outbox.put([sealed(LETTERS)], NOW)
    assert [event.event_id for event in claim(outbox).events] == [LETTERS]
    assert outbox.find(LETTERS)[0].event_id == LETTERS
    outbox.close()


def test_a_database_that_lacks_letters_is_refused_before_the_first_event(database_of):
    with pytest.raises(SettingsError, match=r"^RELAY_OUTBOX: .*ENCODING 'UTF8'"):
        open_outbox(database_of("LATIN1"))


def test_doctor_names_an_encoding_that_an_older_outbox_was_made_with(database_of, monkeypatch):
    monkeypatch.setattr("conversion_relay.outbox.postgres.schema.CHARSETS", ("LATIN1",))
    outbox = PostgresOutbox(database_of("LATIN1"))
    told = {fact.name: fact for fact in outbox.server()}
    assert told["encoding"].is_error and "UTF8" in told["encoding"].fix
    outbox.put([sealed("bestellung-ü")], NOW)
    assert outbox.find("bestellung-ü")[0].event_id == "bestellung-ü" and outbox.find(LETTERS) == []
    outbox.close()


def test_a_schema_of_another_program_is_named_and_left_alone():
    cheap().execute("DROP SCHEMA IF EXISTS shops CASCADE")
    cheap().execute("CREATE SCHEMA shops")
    cheap().execute("CREATE TABLE shops.event (id int)")
    with pytest.raises(SettingsError, match="another program"):
        open_outbox(f"{cheap().url}&schema=shops")
    tables = cheap().execute("SELECT tablename FROM pg_tables WHERE schemaname = 'shops'")
    assert tables == [("event",)]
    cheap().execute("DROP SCHEMA shops CASCADE")
