"""Databases as people have them: roles with few rights and defaults of their own, names, poolers, what refuses."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from conversion_relay.errors import OutboxUnavailable, RelayError, SettingsError
from conversion_relay.outbox.postgres import refusals, schema
from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.dsn import read_dsn
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.postgres.session import LIMITS
from conversion_relay.outbox.verdict import Delivered
from tests.outbox.postgres.between import Pooler, needs_pooler
from tests.outbox.postgres.server import cheap, needs_postgres
from tests.outbox.suite import NOW, claim, sealed
from tests.processes import until

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]


@pytest.fixture
def clerk():
    """A role that may do nothing, and the address with which it comes to a schema of this name."""
    cheap().execute("DROP SCHEMA IF EXISTS taken, kept CASCADE")
    if cheap().execute("SELECT 1 FROM pg_roles WHERE rolname = 'clerk'"):
        cheap().execute("DROP OWNED BY clerk")
        cheap().execute("DROP ROLE clerk")
    cheap().execute("CREATE ROLE clerk LOGIN PASSWORD 'geheim-7'")
    return lambda schema, server=cheap: server().url.replace("//postgres@", "//clerk:geheim-7@") + f"&schema={schema}"


@pytest.mark.parametrize("given", ["AUTHORIZATION clerk", "; GRANT CREATE, USAGE ON SCHEMA kept TO clerk"])
def test_a_schema_that_an_administrator_made_is_enough(clerk, given):
    cheap().execute(f"CREATE SCHEMA kept {given}")
    outbox = PostgresOutbox(clerk("kept"))
    outbox.put([sealed("a")], NOW)
    assert len(claim(outbox).events) == 1
    outbox.close()


def test_of_two_that_start_at_once_one_makes_the_tables():
    cheap().execute("DROP SCHEMA IF EXISTS twice CASCADE")
    url = f"{cheap().url}&schema=twice"
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with psycopg.connect(cheap().conninfo) as holder, ThreadPoolExecutor(2) as two:
        holder.execute("SELECT pg_advisory_xact_lock(hashtext('conversion-relay'), hashtext('twice'))")
        opened = [two.submit(PostgresOutbox, url) for _ in range(2)]
        until(lambda: cheap().execute(waiting) == [(2,)])
        holder.commit()
        for future in opened:
            future.result().close()
    cheap().execute("DROP SCHEMA twice CASCADE")


def test_a_large_outbox_is_brought_up_to_date_however_long_it_takes(monkeypatch):
    """Also while a second process starts; both were refused after 15 and 6 seconds, and so at each start."""
    url = f"{cheap().url}&schema=large"
    PostgresOutbox(url).close()
    cheap().execute(f"UPDATE large.about SET version = {schema.VERSION - 1}")
    monkeypatch.setattr(schema, "MIGRATIONS", {schema.VERSION - 1: "SELECT pg_sleep(1)"})
    monkeypatch.setattr("conversion_relay.outbox.postgres.database.PATIENCE", 0.4)
    for name in ("statement_timeout", "lock_timeout"):
        monkeypatch.setitem(LIMITS, name, "200ms")
    with ThreadPoolExecutor(2) as two:
        for opened in [two.submit(PostgresOutbox, url) for _ in range(2)]:
            opened.result().close()
    assert cheap().execute("SELECT version FROM large.about") == [(schema.VERSION,)]
    cheap().execute("DROP SCHEMA large CASCADE")


def test_without_a_right_the_first_start_says_which(clerk):
    with pytest.raises(SettingsError, match="GRANT CREATE ON DATABASE"):
        PostgresOutbox(clerk("kept"))


def test_tables_of_another_role_are_refused_at_the_start_not_when_a_part_is_due(clerk):
    PostgresOutbox(f"{cheap().url}&schema=taken").close()
    cheap().execute("GRANT USAGE, CREATE ON SCHEMA taken TO clerk")
    cheap().execute("GRANT ALL ON ALL TABLES IN SCHEMA taken TO clerk")
    with pytest.raises(SettingsError, match="belong to another role"):
        PostgresOutbox(clerk("taken"))
    looks = PostgresOutbox(clerk("taken"), create=False)
    assert looks.counts() == {}
    looks.close()


@pytest.mark.parametrize("schema", ["order", "user", "table"])
def test_a_word_of_sql_is_the_name_of_a_schema_like_any_other(schema):
    outbox = PostgresOutbox(f"{cheap().url}&schema={schema}")
    outbox.put([sealed("a")], NOW)
    with psycopg.connect(cheap().conninfo) as connection:
        outbox.put([sealed("b")], NOW, connection=connection)
    outbox.waiting(NOW)
    lease = claim(outbox)
    assert sorted(event.event_id for event in lease.events) == ["a", "b"]
    outbox.settle(lease, [(Delivered(), lease.events)], None, NOW)
    assert outbox.find("a")[0].state == "delivered" and outbox.server()
    outbox.prune(NOW)
    outbox.close()
    cheap().execute(f'DROP SCHEMA "{schema}" CASCADE')


@pytest.mark.parametrize("schema", ["pg_relay", "information_schema", "Relay", "a-b", "1st", ""])
def test_what_is_no_name_of_a_schema_is_told(schema):
    with pytest.raises(SettingsError, match="schema="):
        read_dsn(f"postgresql://db/relay?schema={schema}")


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_roles_default_isolation_ends_nothing_that_two_do_at_once(clerk, level):
    """Each of many transactions adds to the same counter; at these levels the second one would fail."""
    cheap().execute(
        f"CREATE SCHEMA kept AUTHORIZATION clerk; ALTER ROLE clerk SET default_transaction_isolation = '{level}'"
    )
    url = clerk("kept")
    PostgresOutbox(url).close()
    for address in (url, f"{url}&pooler=transaction"):
        database = Database(read_dsn(address))
        database.read("INSERT INTO relay.notice VALUES ('counter', 0) ON CONFLICT DO NOTHING RETURNING 1")
        both = threading.Barrier(2, timeout=30)

        def add(database=database, both=both) -> None:
            def work(session):
                session.read("SELECT 1")  # the snapshot of such a level
                both.wait()
                session.run("UPDATE relay.notice SET at = at + 1")

            database.transact(work)

        with ThreadPoolExecutor(2) as two:
            for future in [two.submit(add), two.submit(add)]:
                future.result()
        database.close()


@pytest.mark.parametrize("pooler", ["", "&pooler=transaction"])
def test_a_function_of_somebody_else_is_not_taken_for_the_servers(clerk, pooler):
    """As a schema of another database's functions that stands before the server's own in `search_path`."""
    cheap().execute(
        "CREATE SCHEMA kept AUTHORIZATION clerk; CREATE FUNCTION kept.clock_timestamp() RETURNS timestamptz"
        " LANGUAGE sql AS $$SELECT '2000-01-01'::timestamptz$$; ALTER ROLE clerk SET search_path = kept, pg_catalog"
    )
    outbox = PostgresOutbox(clerk("kept") + pooler)
    outbox.put([sealed("a")], NOW)
    assert len(claim(outbox).events) == 1
    assert cheap().execute("SELECT min(until) > pg_catalog.now() FROM kept.lease") == [(True,)]
    outbox.close()


@needs_pooler
def test_a_pooler_that_drops_our_settings_is_told_before_the_first_event():
    pooler = Pooler(cheap())
    written = (cheap().folder / "pgbouncer.ini").read_text("utf-8")
    url = pooler.url.replace("?pooler=transaction", "")
    with pytest.raises(SettingsError, match="pooler=transaction"):
        PostgresOutbox(url)
    ignored = "ignore_startup_parameters = extra_float_digits,options\n"  # as many write it for JDBC
    (cheap().folder / "pgbouncer.ini").write_text(written + ignored, "utf-8")
    pooler.restart()
    with pytest.raises(SettingsError, match="pooler=transaction"):
        PostgresOutbox(url)
    PostgresOutbox(pooler.url).close()
    pooler.stop()


REFUSED = [
    ("postgresql://clerk:geheim-7@{host}/nowhere", "no such database"),
    ("postgresql://nobody:geheim-7@{host}/postgres", "no such role"),
    ("postgresql://postgres:geheim-7@127.0.0.1:1/postgres", "nobody answers"),
    ("postgresql://postgres:geheim-7@no.such.host.invalid/postgres", "nobody answers"),
    ("postgresql://?service=geheim-7", "no such service"),
    ("postgresql://postgres@127.0.0.1/postgres?sslmode=geheim-7", "value that libpq does not take"),
    ("postgresql://postgres@127.0.0.1:geheim-7/postgres", "value that libpq does not take"),
    ("postgresql://postgres:geheim-7@{host}/postgres?target_session_attrs=standby", "only reads"),
    ("postgresql://postgres@{host}/postgres?connect_timeout=geheim-7", "value that libpq does not take"),
    ("postgresql://postgres@127.0.0.1:1/postgres?sslmode=require&sslrootcert=system", "exclude each other"),
]


@pytest.mark.parametrize(("url", "said"), REFUSED)
def test_what_refuses_is_told_and_no_part_of_the_address_is(clerk, url, said):
    host = cheap().folder.as_posix().replace("/", "%2F")
    with pytest.raises(RelayError) as refused:
        PostgresOutbox(url.format(host=host))
    assert said in str(refused.value)
    assert not any(part in str(refused.value) for part in ("geheim", "clerk", "nowhere", str(cheap().folder)))


def test_no_connection_left_is_told_and_is_over_when_there_is_one(clerk):
    cheap().execute("CREATE SCHEMA kept AUTHORIZATION clerk; ALTER ROLE clerk CONNECTION LIMIT 1")
    with (
        psycopg.connect(clerk("kept").partition("&schema")[0]),
        pytest.raises(OutboxUnavailable, match="no connection left"),
    ):
        PostgresOutbox(clerk("kept"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('FATAL:  Peer authentication failed for user "clerk"', "lets in the system's user"),
        ("FATAL:  SASL authentication failed", "refuses the role or its password"),
        ("FATAL:  no such database: clerk", "no such database"),
        ("FATAL:  login rejected", "lets nobody in from here"),
        ("FATAL:  client_login_timeout (server down)", "pooler has no connection"),
        ("FATAL:  unsupported startup parameter: options", "give no options="),
        ('private key file "/clerk.key" has group or world access; file must have ...', "chmod 600"),
        ('could not load private key file "/clerk.key": bad decrypt', "sslpassword opens it"),
        ("channel binding required, but SSL not in use", "exclude each other"),
    ],
)
def test_what_debians_server_a_pooler_and_libpq_say_is_told_with_what_to_do(text, said):
    told = str(refusals.told(psycopg.OperationalError(f'connection to server at "clerk" failed: {text}')))
    assert said in told and "clerk" not in told


def test_another_language_is_told_by_the_sentence_for_all():
    error = psycopg.OperationalError("FATAL:  Passwort-Authentifizierung für Benutzer »clerk« fehlgeschlagen")
    assert str(refusals.told(error)) == refusals.LOST
    cut = psycopg.OperationalError("connection failed: server closed the connection unexpectedly")
    assert "network" in str(refusals.told(cut))
    for lacks in (psycopg.errors.FeatureNotSupported(), psycopg.errors.UndefinedFunction()):
        assert "lacks something" in str(refusals.told(lacks)), "an engine that speaks PostgreSQL's language"
    assert "disk" in str(refusals.told(psycopg.errors.DiskFull("kein Platz")))


def test_a_table_that_somebody_rewrites_is_told_and_nothing_is_half_done(clerk, monkeypatch):
    monkeypatch.setitem(LIMITS, "lock_timeout", "100ms")
    outbox = PostgresOutbox(f"{cheap().url}&schema=taken")
    outbox.put([sealed("before")], NOW)
    with psycopg.connect(cheap().conninfo) as administrator:
        administrator.execute("LOCK TABLE taken.body IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(OutboxUnavailable, match="locked by somebody else"):
            outbox.put([sealed("during")], NOW)
    assert [receipt.duplicate for receipt in outbox.put([sealed("during")], NOW)] == [False]
    outbox.close()


def test_a_full_disk_is_no_store_to_be_ready_with_until_a_put_finds_room(clerk):
    """A server whose disk is full still takes a small row: the events are what it has no room for."""
    outbox = PostgresOutbox(f"{cheap().url}&schema=taken")
    cheap().execute(
        "CREATE FUNCTION taken.no_room() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END$$;"
        " CREATE TRIGGER no_room BEFORE INSERT ON taken.body FOR EACH ROW EXECUTE FUNCTION taken.no_room()"
    )
    with pytest.raises(OutboxUnavailable, match="disk of PostgreSQL is full"):
        outbox.put([sealed("during")], NOW)
    with pytest.raises(OutboxUnavailable, match="disk of PostgreSQL is full"):
        outbox.probe()
    cheap().execute("DROP TRIGGER no_room ON taken.body")
    outbox.put([sealed("after")], NOW)
    outbox.probe()
    outbox.close()
