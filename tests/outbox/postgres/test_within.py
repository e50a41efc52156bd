"""By which connections a program's order and its Purchase are stored together."""

import contextlib
import sqlite3
import threading
import traceback

import psycopg
import pytest

from conversion_relay import Event, Relay, UserData
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.postgres import storing
from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Dead, Delivered, RetryAt
from conversion_relay.settings import Settings
from tests import asgi
from tests.outbox.postgres.server import cheap, needs_postgres
from tests.outbox.suite import NOW, claim, sealed

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]
RELAYS = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAtest"})


class Inner:
    """As SQLAlchemy's `Connection`, whose `connection` has the driver's."""

    def __init__(self, connection):
        self.connection = connection


class Session:
    """As SQLAlchemy's, whose `connection` is a verb; the asynchronous one has `run_sync`."""

    def __init__(self, connection):
        self._inner = Inner(connection)

    def connection(self):
        return self._inner


class AsyncSession(Session):
    async def run_sync(self, work, *arguments):
        return work(Session(self._inner.connection), *arguments)


@pytest.mark.parametrize("wrapped", [lambda c: c, Inner, Session, lambda c: c.cursor()])
@pytest.mark.parametrize("kind", [psycopg.Cursor, psycopg.ClientCursor])
def test_a_connection_of_any_layer_takes_the_event(outbox, wrapped, kind):
    with psycopg.connect(cheap().conninfo, cursor_factory=kind) as shop:
        outbox.put([sealed("kept")], NOW, connection=wrapped(shop))
        with shop.transaction(force_rollback=True):
            outbox.put([sealed("rolled back")], NOW, connection=wrapped(shop))
    outbox.waiting(NOW)
    assert [event.event_id for event in claim(outbox).events] == ["kept"]


class Numbered:
    """As asyncpg's connection within SQLAlchemy, which reads $1."""

    def __init__(self, connection):
        self.cursor = lambda: psycopg.RawCursor(connection)


class Dialect:
    def __init__(self, name, paramstyle):
        self.name, self.paramstyle = name, paramstyle


def test_a_driver_that_reads_numbers_takes_the_event(outbox):
    with psycopg.connect(cheap().conninfo) as shop:
        connection = Inner(Numbered(shop))
        connection.dialect = Dialect("postgresql", "numeric_dollar")
        outbox.put([sealed("a"), sealed("b")], NOW, connection=connection)
    outbox.waiting(NOW)
    assert {event.event_id for event in claim(outbox).events} == {"a", "b"}


@pytest.mark.parametrize("way", ["sqlalchemy", "django"])
def test_a_database_of_another_kind_is_told_before_anything_is_sent_to_it(outbox, way):
    asked: list[str] = []
    connection = Inner(
        type("Driver", (), {"cursor": lambda self: asked.append("cursor") or sqlite3.connect(":memory:")})()
    )
    if way == "sqlalchemy":
        connection.dialect = Dialect("mysql", "format")
    else:
        connection.vendor = "mysql"
    with pytest.raises(OutboxUnavailable, match="PostgreSQL database"):
        outbox.put([sealed("a")], NOW, connection=connection)
    assert asked == []


def test_a_programs_own_kind_of_cursor_is_not_used(outbox):
    with psycopg.connect(cheap().conninfo, cursor_factory=psycopg.RawCursor) as shop:  # reads $1, not %s
        outbox.put([sealed("kept")], NOW, connection=shop)
    assert outbox.waiting(NOW) == {"1": 0.0}


def test_an_import_of_many_is_one_transaction_all_the_same(outbox):
    with psycopg.connect(cheap().conninfo) as shop:
        outbox.put([sealed(f"a{n}") for n in range(9_000)], NOW, connection=shop)
        assert shop.execute("SELECT count(*) FROM s0.inbox").fetchone() == (9_000,)
        shop.rollback()
        assert shop.execute("SELECT count(*) FROM s0.inbox").fetchone() == (0,)


def test_an_asynchronous_program_tracks_by_its_own_connection(outbox):
    def purchase(name: str) -> Event:
        return Event(event_name="Lead", event_id=name, user_data=UserData(email="joe@example.com"))

    async def shop(relay: Relay) -> None:
        async with await psycopg.AsyncConnection.connect(cheap().conninfo) as connection:
            assert (await relay.track_async(purchase("kept"), connection=connection)).status == "pending"
            async with connection.transaction(force_rollback=True):
                await relay.track_async(purchase("rolled back"), connection=connection)
            with pytest.raises(OutboxUnavailable, match="track_async"):
                relay.track(purchase("refused"), connection=connection)
        with psycopg.connect(cheap().conninfo) as connection:
            await relay.track_async(purchase("by a session"), connection=AsyncSession(connection))
            with pytest.raises(OutboxUnavailable, match="asynchronous"):
                await relay.track_async(purchase("refused"), connection=connection)

    with Relay(RELAYS, outbox=outbox, clock=lambda: NOW) as relay:
        asgi.run(shop(relay))
        relay.outbox.waiting(NOW)
        assert sorted(event.event_id for event in claim(outbox).events) == ["by a session", "kept"]


@pytest.mark.parametrize("connection", [sqlite3.connect(":memory:"), "postgresql://db/shop", AsyncSession(None)])
def test_what_is_no_connection_to_the_outbox_is_told(outbox, connection):
    with pytest.raises(OutboxUnavailable, match="connection="):
        outbox.put([sealed("a")], NOW, connection=connection)


class Translating:
    """As Django's connection, whose errors are its own with the driver's behind them."""

    def __init__(self, connection):
        self._connection = connection

    def cursor(self):
        return self

    def execute(self, sql, values):
        try:
            self._connection.execute(sql, values)
        except psycopg.Error as error:
            raise sqlite3.DatabaseError("of another kind") from error

    def close(self):
        """As a cursor's."""


def shown_variables(error: BaseException | None) -> str:
    """What an error report shows of the frames behind the test's own, of the error and of those that caused it."""
    frames = []
    while error is not None:
        frames += [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        error = error.__cause__
    return repr([frame.f_locals for frame in frames if not frame.f_code.co_name.startswith("test_")])


VISITOR = b'{"user_data":{"client_ip_address":"203.0.113.77"}}'


@pytest.mark.parametrize("wrapped", [lambda c: c, Session, Translating])
def test_the_variables_of_a_put_that_the_transaction_refused_show_no_visitor(outbox, wrapped):
    with psycopg.connect(cheap().conninfo) as shop:
        shop.execute("SET TRANSACTION READ ONLY")
        with pytest.raises((psycopg.Error, sqlite3.DatabaseError)) as raised:
            outbox.put([sealed("a", body=VISITOR)], NOW, connection=wrapped(shop))
    assert "203.0.113.77" not in shown_variables(raised.value)
    assert isinstance(raised.value.__cause__ or raised.value, psycopg.errors.ReadOnlySqlTransaction)


def test_the_same_holds_for_an_asynchronous_one(outbox):
    async def put():
        async with await psycopg.AsyncConnection.connect(cheap().conninfo) as shop:
            await shop.execute("SET TRANSACTION READ ONLY")
            await outbox.put_within_async(shop, [sealed("a", body=VISITOR)], NOW)

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as raised:
        asgi.run(put())
    assert "203.0.113.77" not in shown_variables(raised.value)


def test_no_transaction_of_a_worker_asks_for_a_second_connection(outbox, monkeypatch):
    """Where a role has few connections, it would wait for itself. Everything is new: dataset, part, numbers, names."""
    lend, lent = Database._lent, []

    @contextlib.contextmanager
    def one_at_a_time(database, **how):
        lent.append(len(lent))
        try:
            assert len(lent) == 1
            with lend(database, **how) as session:
                yield session
        finally:
            lent.pop()

    monkeypatch.setattr(Database, "_lent", one_at_a_time)
    with psycopg.connect(cheap().conninfo) as shop:
        outbox.put([sealed(event_id, dataset="new") for event_id in "abc"], NOW, connection=shop)
    assert outbox.waiting(NOW) == {"new": 0.0}
    lease = claim(outbox, dataset="new")
    first, second, third = ([event] for event in lease.events)
    outbox.settle(lease, [(Delivered(), first), (Dead("refused"), second), (RetryAt(NOW + 9, "x"), third)], None, NOW)
    assert outbox.counts()["new"].delivered == 1


def put_within(outbox, *events) -> None:
    with psycopg.connect(cheap().conninfo) as shop:
        outbox.put(events, NOW, connection=shop)


def test_a_person_is_erased_from_what_no_worker_has_taken_in_yet(outbox):
    digest = "ab" * 32
    put_within(outbox, sealed("theirs", body=digest.encode()), sealed("another's"))
    assert outbox.erase([digest], NOW) == 1
    assert outbox.find("theirs")[0].state == "erased"
    assert [event.event_id for event in claim(outbox).events] == ["another's"]


def test_a_visitor_takes_back_what_no_worker_has_taken_in_yet(outbox):
    put_within(outbox, sealed("contact"))
    assert outbox.withdraw("1", ["contact"], NOW) == 1
    assert outbox.claim("1", 10, 60, NOW) is None


def test_an_erasure_waits_for_the_worker_that_takes_it_in_just_now(outbox, monkeypatch):
    digest = "ab" * 32
    put_within(outbox, sealed("theirs", body=digest.encode()))
    waits, goes_on = threading.Event(), threading.Event()
    worker, insert = PostgresOutbox(f"{cheap().url}&schema=s0"), storing.insert

    def slow(session, rows):
        if threading.current_thread() is taking:
            waits.set()
            goes_on.wait(20)
        insert(session, rows)

    monkeypatch.setattr(storing, "insert", slow)
    taking = threading.Thread(target=worker.waiting, args=(NOW,))
    taking.start()
    assert waits.wait(20)
    threading.Timer(0.3, goes_on.set).start()
    assert outbox.erase([digest], NOW) == 1
    taking.join()
    worker.close()
