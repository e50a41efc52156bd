"""What only a store in a server has: the caller's own transaction, other processes' hints, parts that are dropped,
what may be told about the server, and what may not."""

import subprocess
import sys
import threading
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from conversion_relay import Event, Relay, UserData
from conversion_relay.errors import OutboxUnavailable, SettingsError
from conversion_relay.event import Receipt
from conversion_relay.outbox import open_outbox
from conversion_relay.outbox.postgres import database, ledger
from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.dsn import read_dsn
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.postgres.session import Session
from conversion_relay.outbox.postgres.slots import Slots
from conversion_relay.outbox.verdict import Dead, Delivered
from conversion_relay.settings import Settings
from tests.outbox.postgres.backend import url_of
from tests.outbox.postgres.server import cheap, needs_postgres
from tests.outbox.suite import DAY, NOW, claim, sealed, settle_all
from tests.processes import until

RELAYS = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAtest"})
BUYER = UserData(email="joe@example.com")
AMOUNT = {"value": 5, "currency": "EUR"}

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]


@pytest.fixture
def url():
    return url_of("s0")


@pytest.fixture
def outbox(url):
    outbox = PostgresOutbox(url)
    yield outbox
    outbox.close()


class TestTheCallersOwnTransaction:
    @pytest.fixture
    def shop(self):
        with psycopg.connect(cheap().conninfo) as connection:
            connection.execute("DROP TABLE IF EXISTS shop_order")
            connection.execute("CREATE TABLE shop_order (id text)")
            connection.commit()
            yield connection

    def order(self, outbox, shop, number: str) -> list[Receipt]:
        shop.execute("INSERT INTO shop_order VALUES (%s)", (number,))
        return outbox.put([sealed(f"purchase_{number}", name="Purchase")], NOW, connection=shop)

    def test_an_order_and_its_purchase_are_there_together(self, outbox, shop):
        assert self.order(outbox, shop, "7") == [Receipt("purchase_7")]
        assert outbox.waiting(NOW) == {} and outbox.find("purchase_7") == []
        shop.commit()
        assert outbox.waiting(NOW) == {"1": 0.0}
        assert [event.event_id for event in claim(outbox).events] == ["purchase_7"]

    def test_an_order_that_is_rolled_back_has_no_purchase(self, outbox, shop):
        self.order(outbox, shop, "7")
        shop.rollback()
        assert outbox.waiting(NOW) == {} and outbox.counts() == {}
        assert shop.execute("SELECT count(*) FROM shop_order").fetchone() == (0,)

    def test_in_django_what_is_rolled_back_has_no_purchase_and_what_is_stored_has_one(self, outbox, url, shop):
        module = "tests.outbox.postgres.django_shop"
        subprocess.run([sys.executable, "-m", module, url, str(cheap().folder)], check=True, timeout=60)
        assert outbox.waiting(NOW) == {"1": 0.0}
        assert {event.event_id for event in claim(outbox).events} == {"purchase_7", "purchase_9"}
        assert shop.execute("SELECT id FROM shop_order").fetchall() == [("7",), ("9",)]

    def test_a_program_tracks_by_its_own_connection(self, outbox, url, shop):
        with Relay(RELAYS, outbox=outbox, clock=lambda: NOW) as relay:
            event = Event(event_name="Purchase", event_id="purchase_7", user_data=BUYER, custom_data=AMOUNT)
            assert relay.track(event, connection=shop).status == "pending"
            shop.rollback()
            relay.track(event, connection=shop)
            shop.commit()
            assert outbox.waiting(NOW) == {"1": 0.0}
            assert [event.event_id for event in claim(outbox).events] == ["purchase_7"]

    def test_a_transaction_that_stays_open_keeps_nobody_waiting(self, outbox, shop):
        self.order(outbox, shop, "7")
        assert outbox.put([sealed("purchase_7", name="Purchase")], NOW) == [Receipt("purchase_7")]
        shop.commit()
        assert outbox.waiting(NOW) == {"1": 0.0}
        assert len(claim(outbox).events) == 1, "the second of them is a copy"
        assert outbox.counts()["1"].accepted == 1


def test_another_process_is_told_that_something_was_put(outbox, url):
    neighbour, woken = PostgresOutbox(url), threading.Event()
    neighbour.on_put(woken.set)
    channel = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN s0%'"
    until(lambda: cheap().execute(channel))
    outbox.put([sealed("a")], NOW)
    assert woken.wait(30)
    neighbour.close()


def test_an_old_part_is_dropped_whole_and_what_must_stay_is_kept(outbox):
    outbox.put([sealed("delivered"), sealed("dead"), sealed("waits")], NOW)
    lease = claim(outbox)
    outbox.settle(lease, [(Delivered(), lease.events[:1]), (Dead("meta_100"), lease.events[1:2])], None, NOW)
    outbox.release(lease)
    outbox.put([sealed("young")], NOW + 11 * DAY)
    assert outbox.prune(NOW + 11 * DAY) == 1
    assert outbox.put([sealed(name) for name in ("delivered", "dead", "waits")], NOW + 11 * DAY) == [
        Receipt("delivered"),
        Receipt("dead", duplicate=True),
        Receipt("waits", duplicate=True),
    ]
    assert cheap().execute(f"SELECT to_regclass('s0.event_{int(NOW // (2 * DAY))}')") == [(None,)]
    assert outbox.counts()["1"].imbalance == 0
    settle_all(outbox, claim(outbox, now=NOW + 11 * DAY), Delivered())
    assert outbox.prune(NOW + 100 * DAY) > 0


def test_a_kept_row_whose_event_was_delivered_late_is_forgotten_eight_days_later(outbox):
    outbox.put([sealed("late"), sealed("newest")], NOW)
    outbox.prune(NOW + 11 * DAY)
    lease = claim(outbox, now=NOW + 11 * DAY)
    outbox.settle(lease, [(Delivered(), lease.events)], None, NOW + 11 * DAY)
    outbox.prune(NOW + 18 * DAY)
    assert outbox.find("late")[0].state == "delivered"
    outbox.prune(NOW + 20 * DAY)
    assert outbox.find("late") == []


def test_all_old_parts_are_dropped_at_once(outbox):
    for days in (0, 4, 8):
        outbox.put([sealed(f"of day {days}")], NOW + days * DAY)
        settle_all(outbox, claim(outbox, now=NOW + days * DAY), Delivered())
    outbox.put([sealed("young")], NOW + 30 * DAY)
    assert outbox.prune(NOW + 30 * DAY) == 3
    assert [outbox.find(f"of day {days}") for days in (0, 4, 8)] == [[], [], []]


def test_a_part_of_which_much_must_stay_waits_and_so_do_those_behind_it(outbox, monkeypatch):
    outbox.put([sealed("waits"), sealed("waits too")], NOW)
    outbox.put([sealed("waits longer")], NOW + 4 * DAY)
    monkeypatch.setattr(ledger, "MOST_KEPT", 1)
    assert outbox.prune(NOW + 30 * DAY) == 0
    monkeypatch.undo()
    assert outbox.prune(NOW + 30 * DAY) == 0
    assert len(claim(outbox, now=NOW + 30 * DAY).events) == 3


def test_an_event_at_the_turn_of_a_part_is_known_on_both_sides(outbox):
    turn = (NOW // (2 * DAY) + 1) * 2 * DAY
    assert not outbox.put([sealed("a")], turn - 1)[0].duplicate
    assert outbox.put([sealed("a")], turn + 1)[0].duplicate
    assert not outbox.put([sealed("b")], turn + 1)[0].duplicate
    assert outbox.put([sealed("b")], turn - 1)[0].duplicate


def test_one_callers_mistake_refuses_nobody_elses_event(outbox):
    puts = [outbox.put_soon([sealed("good")], NOW), outbox.put_soon([sealed("zero\0byte")], NOW)]
    puts.append(outbox.put_soon([sealed("good too")], NOW))
    with pytest.raises(ValueError, match="zero byte"):
        puts[1].result()
    assert [puts[0].result(), puts[2].result()] == [[Receipt("good")], [Receipt("good too")]]


class Counted(Session):
    opened = 0

    def __init__(self, *how, **more) -> None:
        super().__init__(*how, **more)
        Counted.opened += more["pinned"]


def test_the_threads_of_a_worker_share_a_few_connections(outbox, monkeypatch):
    """With one for each of 64 a new one was opened for most turns, as few are kept."""
    monkeypatch.setattr(database, "Session", Counted)
    monkeypatch.setattr(Counted, "opened", 0)
    outbox.put([sealed(f"{n}", dataset=f"{n}") for n in range(40)], NOW)

    def turn(n: int) -> bool:
        lease = outbox.claim(f"{n}", 10, 60, NOW)
        outbox.settle(lease, [(Delivered(), lease.events)], None, NOW)
        return outbox.revoked(lease.events) == frozenset()

    with ThreadPoolExecutor(40) as threads:
        list(threads.map(turn, range(40)))
    assert 0 < Counted.opened <= database.MOST_PINNED


def test_who_has_a_connection_and_needs_another_one_does_not_wait_for_those_that_wait(outbox):
    together = threading.Barrier(database.MOST_PINNED)

    def work(session) -> int:
        together.wait(60)
        return outbox._database.read("SELECT 7", pinned=True)[0][0]

    with ThreadPoolExecutor(database.MOST_PINNED) as threads:
        begun = [threads.submit(outbox._database.transact, work, pinned=True) for _ in range(database.MOST_PINNED)]
        assert [one.result(60) for one in begun] == [7] * database.MOST_PINNED


def test_the_server_compiles_no_plan_of_ours(url):
    """It took 180 ms of its CPU for each look at what waits."""
    for pinned in (True, False):
        session = Session(read_dsn(url), Slots(), pinned=pinned)
        assert session.read("SHOW jit") == [("off",)]
        session.close()


class TestWhatIsTold:
    SECRET = "hunter2-pass"

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://relay:hunter2-pass@127.0.0.1:1/relay?connect_timeout=1",
            "postgresql://relay:hunter2-pass@[::1/relay",
            "postgresql://relay:hunter2-pass@127.0.0.1:1/relay?no_such_option=1",
            "postgresql://relay:hunter2-pass@127.0.0.1:1/relay?schema=no;such",
            "postgresql://relay@127.0.0.1:1/relay?password=hunter2-pass&connect_timeout=1&pooler=session",
        ],
    )
    def test_no_error_shows_the_password_or_the_address(self, url):
        with pytest.raises((SettingsError, OutboxUnavailable)) as caught:
            open_outbox(url)
        told = "".join(traceback.format_exception(caught.value))
        assert str(caught.value).startswith("RELAY_OUTBOX: ") and self.SECRET not in str(caught.value)
        assert self.SECRET not in told.replace(f'"{url}"', "")

    def test_settings_do_not_show_it_and_the_log_leaves_it_out(self):
        url = "postgresql://relay:hunter2%2Dpass@db.example/relay"
        settings = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_OUTBOX": url})
        assert "hunter2" not in repr(settings) and "postgresql" in repr(settings)
        assert {"hunter2%2Dpass", self.SECRET, url} <= set(settings.secrets())

    def test_doctor_hears_of_settings_that_lose_events(self, outbox):
        told = {fact.name: fact for fact in outbox.server()}
        assert told["durability"].is_error and "fsync" in told["durability"].what  # as these tests want it
        assert told["database clock"].fix is None and told["bloat"].fix is None
        assert "postgresql" in told


def test_an_outbox_that_is_not_there_is_not_made_by_looking():
    url = f"{cheap().url}&schema=nowhere"
    with pytest.raises(SettingsError, match="no outbox in this schema"):
        open_outbox(url, "read")
    assert cheap().execute("SELECT 1 FROM pg_namespace WHERE nspname = 'nowhere'") == []


def test_a_role_that_may_make_no_schema_is_told_which_right_it_needs():
    cheap().execute("DROP ROLE IF EXISTS visitor")
    cheap().execute("CREATE ROLE visitor LOGIN")
    with pytest.raises(SettingsError, match=r"^RELAY_OUTBOX: .*GRANT CREATE ON DATABASE"):
        open_outbox(f"{cheap().url.replace('postgres@', 'visitor@')}&schema=visited")


def test_a_newer_outbox_is_left_alone(url):
    PostgresOutbox(url).close()
    cheap().execute("UPDATE s0.about SET version = 99")
    try:
        with pytest.raises(SettingsError, match="newer"):
            PostgresOutbox(url)
    finally:
        cheap().execute("UPDATE s0.about SET version = 1")


def test_a_closed_outbox_refuses_every_verb(url):
    outbox = PostgresOutbox(url)
    outbox.close()
    outbox.close()
    for verb in (outbox.counts, outbox.probe, outbox.note_pixel("1", [("Lead", "a")], NOW).result):
        with pytest.raises(OutboxUnavailable):
            verb()


def test_a_question_about_a_commit_that_is_asked_again_is_not_taken_for_the_commit(outbox, url):
    """The question's own connection may be lost too: it then finds what it has written itself."""
    database, never = Database(read_dsn(url)), uuid.uuid4()
    assert [database.was_committed(never) for _ in range(3)] == [False] * 3
    outbox.probe()
    ((done,),) = database.read("SELECT id FROM relay.mark WHERE NOT asked ORDER BY at DESC LIMIT 1")
    assert [database.was_committed(done) for _ in range(3)] == [True] * 3
    database.close()
