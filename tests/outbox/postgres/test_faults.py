"""A fleet under faults, in seconds; `python -m tests.outbox.postgres.faults` has the long form and tells what holds."""

import contextlib
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import Receipt
from conversion_relay.outbox.postgres import claimed, database, leases
from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.dsn import read_dsn
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Dead, Delivered
from tests.outbox.postgres import faults
from tests.outbox.postgres.between import Pooler, Wire, needs_pooler
from tests.outbox.postgres.server import Server, cheap, needs_postgres
from tests.outbox.suite import NOW, claim, sealed, settle_all
from tests.processes import free_port, until

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres"), pytest.mark.timeout(240)]


def test_nothing_that_was_acknowledged_is_lost_when_processes_and_the_server_are_killed():
    result = faults.mixed(3)
    assert result.is_good, str(result)


def test_what_was_acknowledged_is_on_the_standby_that_is_promoted():
    primary = Server(settings=faults.REPLICATED).start()
    standby = Server(copy_of=primary).start()  # without a standby of its own it need not wait for one
    outbox = PostgresOutbox(f"postgresql://postgres@/postgres?host={primary.folder},{standby.folder}&port=5432,5432")
    outbox.put([sealed("a")], NOW)
    lease = claim(outbox)
    primary.stop(signal.SIGKILL)
    standby.promote()
    settle_all(outbox, lease, Delivered())
    assert outbox.put([sealed("a"), sealed("b")], NOW) == [Receipt("a", duplicate=True), Receipt("b")]
    assert outbox.find("a")[0].state == "delivered"
    outbox.close()
    standby.remove()
    primary.remove()


@pytest.fixture
def wired():
    """An outbox behind a wire that can be cut."""
    server = Server(port=free_port()).start()
    wire = Wire(server.port)
    outbox = PostgresOutbox(f"postgresql://postgres@127.0.0.1:{wire.port}/postgres")
    yield server, wire, outbox
    wire.heal()
    outbox.close()
    server.remove()


def test_a_commit_whose_answer_is_lost_is_found_out(wired, monkeypatch):
    """The wire is silent from the moment that the commit is sent, so it is committed and nobody hears of it."""
    server, wire, outbox = wired
    monkeypatch.setattr(database, "PATIENCE", 1.0)
    outbox.put([sealed("before")], NOW)
    trigger = (
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON relay.queue DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION slow()"
    )
    server.execute(trigger)
    put = outbox.put_soon([sealed("a")], NOW)
    until(
        lambda: server.execute("SELECT 1 FROM pg_stat_activity WHERE query ~ 'given AS' AND wait_event = 'PgSleep'"),
        every=0.01,
    )
    wire.cut(silently=True)
    until(lambda: server.execute("SELECT 1 FROM relay.event WHERE event_id = 'a'"))
    wire.heal()
    assert put.result(60) == [Receipt("a")], "it was stored by this very call"
    assert outbox.counts()["1"].accepted == 2


PUT, CLAIM, SETTLE, COMMIT = b"given AS", b"must_shift AS", b"held AS", b"COMMIT"


def test_a_transaction_that_never_arrived_is_done_again(wired):
    """The connection ends while it is sent, and the server has not heard of it."""
    _, wire, outbox = wired
    outbox.put([sealed("before")], NOW)
    wire.ends_before = PUT
    assert outbox.put([sealed("a")], NOW) == [Receipt("a")]
    assert wire.ends_before is None and [story.state for story in outbox.find("a")] == ["pending"]
    wire.ends_before = CLAIM
    lease = claim(outbox)
    assert wire.ends_before is None
    wire.ends_before = SETTLE
    settle_all(outbox, lease, Delivered())
    assert wire.ends_before is None and [story.state for story in outbox.find("a")] == ["delivered"]
    assert outbox.counts()["1"].delivered == 2 and outbox.counts()["1"].imbalance == 0
    outbox.put([sealed("b")], NOW)
    lease = claim(outbox)
    wire.ends_before = COMMIT
    settle_all(outbox, lease, Dead("refused"))
    assert wire.ends_before is None and outbox.counts()["1"].dead == 1 and outbox.counts()["1"].imbalance == 0


def test_a_transaction_whose_answer_is_lost_is_not_done_again(wired):
    """The server did it, and the connection ends before it can say so."""
    _, wire, outbox = wired
    outbox.put([sealed("before")], NOW)
    wire.ends_after = PUT
    assert outbox.put([sealed("before"), sealed("a")], NOW) == [Receipt("before", duplicate=True), Receipt("a")]
    assert wire.ends_after is None and outbox.counts()["1"].accepted == 2
    wire.ends_after = CLAIM
    assert outbox.claim("1", 10, 60, NOW) is None, "its events are not known here"
    assert wire.ends_after is None and outbox.counts()["1"].pending == 2, "they wait again at once"
    lease = claim(outbox)
    assert all(event.sent_at is None for event in lease.events), "it is known that they were not sent"
    wire.ends_after = SETTLE
    settle_all(outbox, lease, Delivered())
    assert wire.ends_after is None and outbox.counts()["1"].delivered == 2 and outbox.counts()["1"].imbalance == 0
    assert sum(n for row in outbox.figures(NOW - 3_600) for n in row.delays.values()) == 2, "counted once"


def test_a_connection_that_the_server_left_while_it_was_idle_is_not_used(wired, monkeypatch):
    """What is sent on it would be in doubt for as long as the server is away."""
    server, _, outbox = wired
    outbox.put([sealed("a")], NOW)
    monkeypatch.setattr(outbox._database, "was_committed", None)
    ours = "SELECT {} FROM pg_stat_activity WHERE application_name = 'conversion-relay'"
    ended = {pid for pid, _ in server.execute(ours.format("pid, pg_terminate_backend(pid)"))}
    until(lambda: not ended & {pid for (pid,) in server.execute(ours.format("pid"))})  # who listens comes again at once
    # By the server's process, for one that was lent when the server ended it is idle, too, and hears of it later.
    until(lambda: all(one.was_left() for one in _idle_ones(outbox) if _pid(one) in ended), every=0.01)
    assert outbox.put([sealed("b")], NOW) == [Receipt("b")]


def _idle_ones(outbox):
    return [session for kept in outbox._database._idle.values() for _, session in kept]


def _pid(session):
    return session.connection.info.backend_pid


def test_what_a_lost_connection_still_holds_is_not_stepped_over(wired):
    """The claim's connection is gone, and its server still works on the claim: the claim that is made instead waits for
    the end of that transaction."""
    server, wire, outbox = wired
    outbox.put([sealed("a")], NOW)
    server.execute(
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END $$;"
        "CREATE TRIGGER hold AFTER INSERT ON relay.lease FOR EACH ROW EXECUTE FUNCTION hold()"
    )
    waits = "SELECT pid FROM pg_stat_activity WHERE wait_event = '{}'"
    with psycopg.connect(server.conninfo, autocommit=True) as holder, ThreadPoolExecutor(1) as pool:
        holder.execute("SELECT pg_advisory_lock(7)")
        claimed = pool.submit(claim, outbox)
        until(lambda: server.execute(waits.format("advisory")), every=0.01)
        wire.lose_clients()
        until(lambda: claimed.done() or server.execute(waits.format("transactionid")), every=0.01)
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'advisory'")
        holder.execute("SELECT pg_advisory_unlock(7)")
        assert [event.event_id for event in claimed.result(60).events] == ["a"]


def test_a_server_that_stands_still_is_left_and_asked_again(wired, monkeypatch):
    """Its kernel answers, so no time-out of TCP ends the wait."""
    _, wire, outbox = wired
    monkeypatch.setattr(database, "PATIENCE", 0.5)
    outbox.put([sealed("before")], NOW)
    wire.cut(silently=True)
    threading.Timer(2.0, wire.heal).start()
    assert outbox.put([sealed("a")], NOW) == [Receipt("a")]
    assert outbox.counts()["1"].accepted == 2


def test_what_a_refused_claim_leased_is_taken_back_as_unsent_however_often_that_fails(outbox, monkeypatch):
    """Its commit stands and nobody was told of it, so nothing was sent; else its events wait until the lease ends."""
    really_claim, really_take_back, fails = claimed.claim, leases.take_back, [2]

    def claim_and_lose(*arguments: object) -> None:
        really_claim(*arguments)
        raise OutboxUnavailable("nobody answers")

    def take_back(*arguments: object, **how: object) -> None:
        if fails[0]:
            fails[0] -= 1
            raise OutboxUnavailable("nobody answers")
        really_take_back(*arguments, **how)

    outbox.put([sealed("a")], NOW)
    with monkeypatch.context() as patch:
        patch.setattr(claimed, "claim", claim_and_lose)
        with pytest.raises(OutboxUnavailable):
            claim(outbox)
    monkeypatch.setattr(leases, "take_back", take_back)
    for _ in range(2):
        with pytest.raises(OutboxUnavailable):
            outbox.waiting(NOW)
    assert outbox.waiting(NOW) == {"1": 0.0}
    (event,) = claim(outbox).events
    assert (event.event_id, event.sent_at) == ("a", None)


def test_a_transaction_that_somebody_leaves_open_blocks_neither_claims_nor_puts(outbox):
    outbox.put([sealed("a"), sealed("b")], NOW)
    with psycopg.connect(cheap().conninfo) as idler:
        idler.execute("SELECT * FROM s0.queue ORDER BY key LIMIT 1 FOR UPDATE")
        assert [event.event_id for event in claim(outbox).events] == ["b"], "the locked one is stepped over"
        outbox.put([sealed("c")], NOW)
        assert [event.event_id for event in claim(outbox).events] == ["c"]
    assert [event.event_id for event in claim(outbox).events] == ["a"]


def test_a_commit_that_the_standby_did_not_get_is_not_acknowledged():
    """Somebody cancels the wait for a standby that is gone: PostgreSQL then reports success with a warning, which it
    keeps to itself where the role has `client_min_messages` so."""
    primary = Server(settings=faults.REPLICATED | {"synchronous_standby_names": ""}).start()
    primary.execute("ALTER ROLE postgres SET client_min_messages = error")
    outbox = PostgresOutbox(primary.url)
    outbox.put([sealed("a")], NOW)
    primary.execute("ALTER SYSTEM RESET ALL")
    primary.stop()
    primary.settings["synchronous_standby_names"] = "nobody"
    primary.start()
    put = outbox.put_soon([sealed("b")], NOW)
    waits = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    until(lambda: primary.execute(waits))
    with pytest.raises(OutboxUnavailable, match="did not replicate"):
        put.result(60)
    primary.remove()


@needs_pooler
class TestBehindAPoolerInTransactionMode:
    @pytest.fixture
    def pooler(self):
        pooler = Pooler(cheap())
        yield pooler
        pooler.stop()

    def test_events_go_their_way_and_no_setting_leaks_to_others(self, pooler):
        from tests.outbox.postgres.backend import url_of

        url_of("s0")
        first, second = (PostgresOutbox(f"{pooler.url}&schema=s0") for _ in range(2))
        for n in range(12):  # a prepared statement would be another server connection's by now
            first.put([sealed(f"a{n}"), sealed(f"b{n}")], NOW)
            lease = claim(second, limit=2)
            settle_all(second, lease, Delivered())
        assert second.counts()["1"].delivered == 24 == first.counts()["1"].accepted
        with psycopg.connect(pooler.url.partition("?")[0], prepare_threshold=None) as stranger:
            assert stranger.execute("SHOW enable_seqscan").fetchone() == ("on",)
            assert stranger.execute("SHOW statement_timeout").fetchone() == ("0",)
        first.close()
        second.close()

    def test_a_pooler_that_is_restarted_loses_nothing(self, pooler):
        from tests.outbox.postgres.backend import url_of

        url_of("s0")
        outbox = PostgresOutbox(f"{pooler.url}&schema=s0")
        outbox.put([sealed("a")], NOW)
        pooler.restart()
        outbox.put([sealed("b")], NOW)
        assert {event.event_id for event in claim(outbox).events} == {"a", "b"}
        outbox.close()


def test_where_nobody_answers_a_call_waits_for_one_connection_and_not_for_three():
    """A host whose packets are dropped: a put took 15 seconds to be refused, and what came meanwhile 15 more."""
    asked: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(2) as callers:
        database = Database(read_dsn(f"postgresql://a@127.0.0.1:{silent.getsockname()[1]}/a?connect_timeout=2"))
        calls = [callers.submit(database.read, "SELECT 1"), callers.submit(database.transact, lambda session: None)]
        for call in calls:
            with pytest.raises(OutboxUnavailable, match="nobody answers"):
                call.result()
        silent.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                asked.append(silent.accept()[0])
    for connection in asked:
        connection.close()
    assert len(asked) == len(calls)
