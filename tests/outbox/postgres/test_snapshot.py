"""While another session holds a snapshot, what was deleted stays. How much of it a claim reads, the server counts."""

from types import SimpleNamespace

import psycopg
import pytest

from conversion_relay.outbox.postgres import crowd, floors, slots, waiting
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Delivered, RetryAt
from tests.one_module import replace_in
from tests.outbox.postgres.backend import url_of
from tests.outbox.postgres.server import cheap, needs_postgres
from tests.outbox.suite import NOW, claim, sealed, settle_all
from tests.processes import until

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]
GONE = 450
"""Events that came and went while the snapshot was held."""
FEW = 100
"""Entries of an index; each of a claim's events needs some."""


@pytest.fixture
def clock(monkeypatch):
    """Of the looks that are due now and then; it stands still."""
    now = SimpleNamespace(at=1_000.0)
    replace_in(floors, "time", monkeypatch, monotonic=lambda: now.at)
    monkeypatch.setattr(crowd, "CROWD", -1)
    return now


@pytest.fixture
def outbox(clock):
    outbox = PostgresOutbox(url_of("s0"))
    outbox.tidy(NOW)
    with psycopg.connect(cheap().conninfo) as holder:
        holder.execute(b"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute(b"SELECT 1 FROM pg_class LIMIT 1")
        for n in range(3):
            outbox.put([sealed(f"e{n}-{m}") for m in range(GONE // 3)], NOW + n)
            settle_all(outbox, claim(outbox, GONE), Delivered())
        outbox.put([sealed("last")], NOW + 3)
        settle_all(outbox, claim(outbox, GONE), Delivered())
        yield outbox
    outbox.close()


def read_by(outbox, index, work) -> int:
    """Index entries that the server read for it."""
    if not cheap().execute("SELECT 1 FROM pg_proc WHERE proname = 'pg_stat_force_next_flush'"):
        pytest.skip("PostgreSQL 14 cannot be asked for them at once")

    def read() -> int:
        # Of each connection, whichever thread had it: what one still holds back would be counted later.
        database = outbox._database
        for pinned, kept in database._idle.items():
            taken = [database._take(pinned=pinned) for _ in list(kept)]
            for session in taken:
                session.read("SELECT pg_stat_force_next_flush()")
                database._give_back(session, pinned=pinned)
        ((n,),) = cheap().execute(
            f"SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelid = '{index}'::regclass"
        )
        return int(n)

    def all_read() -> int:
        """A thread that is about to give its connection back is waited for."""
        seen = [read()]
        until(lambda: seen.append(read()) or (len(seen) > 4 and len({*seen[-4:]}) == 1), every=0.02)
        return seen[-1]

    before = all_read()
    work()
    return all_read() - before


def test_a_claim_reads_no_body_but_those_of_its_events_when_statistics_saw_none_alive(outbox):
    with psycopg.connect(cheap().conninfo, autocommit=True) as connection:
        connection.execute(b"VACUUM (ANALYZE) s0.body, s0.event, s0.queue")
    outbox.put([sealed("a"), sealed("b")], NOW + 4)
    assert read_by(outbox, "s0.body_pkey", lambda: claim(outbox, 10)) < FEW


@pytest.mark.parametrize("verb", ["claim", "waiting"])
def test_what_just_came_is_found_without_reading_what_came_and_went_before(outbox, verb):
    outbox.put([sealed("a"), sealed("b")], NOW + 4)
    found = []
    look = {"claim": lambda: found.append(claim(outbox, 10)), "waiting": lambda: found.append(outbox.waiting(NOW + 4))}
    assert read_by(outbox, "s0.queue_pkey", look[verb]) < FEW
    assert found[0]


@pytest.mark.parametrize("verb", ["claim", "waiting"])
def test_retries_that_waited_their_time_are_not_read_again(outbox, verb):
    outbox.put([sealed(f"r{n}") for n in range(GONE)], NOW + 4)
    settle_all(outbox, claim(outbox, GONE), RetryAt(at=NOW + 10, why="later"))
    settle_all(outbox, outbox.claim("1", GONE, 60, NOW + 20), Delivered())
    outbox.put([sealed("last of all")], NOW + 19)
    settle_all(outbox, outbox.claim("1", GONE, 60, NOW + 20), Delivered())
    assert outbox.claim("1", GONE, 60, NOW + 20) is None
    outbox.put([sealed("a")], NOW + 20)
    look = {"claim": lambda: outbox.claim("1", 10, 60, NOW + 20), "waiting": lambda: outbox.waiting(NOW + 20)}
    assert read_by(outbox, "s0.queue_pkey", look[verb]) < FEW


def test_a_retry_whose_time_is_past_is_claimed_at_once(outbox):
    outbox.put([sealed("a")], NOW + 100)
    assert outbox.claim("1", 10, 60, NOW + 100)
    outbox.put([sealed("b")], NOW + 101)
    lease = outbox.claim("1", 10, 60, NOW + 101)
    settle_all(outbox, lease, RetryAt(at=NOW + 50, why="a clock was set back"))
    assert "1" in outbox.waiting(NOW + 101)
    assert ids(outbox.claim("1", 10, 60, NOW + 101)) == ["b"]


def test_a_retry_by_a_worker_whose_clock_is_behind_is_found_by_house_keeping(outbox, clock):
    other = PostgresOutbox(f"{cheap().url}&schema=s0")
    other.put([sealed("a")], NOW + 3)
    lease = other.claim("1", 10, 60, NOW + 3)
    assert outbox.claim("1", 10, 60, NOW + 100) is None
    settle_all(other, lease, RetryAt(at=NOW + 10, why="its clock was behind"))
    other.close()
    assert outbox.claim("1", 10, 60, NOW + 100) is None
    clock.at += floors.FROM_FRONT.every * 2
    outbox.tidy(NOW + 100)
    assert ids(outbox.claim("1", 10, 60, NOW + 100)) == ["a"]


def test_counters_move_on_to_other_rows_and_are_added_up_when_it_is_over(outbox, monkeypatch):
    """Each update of a row steps over all of its versions that stay."""
    monkeypatch.setattr(slots, "MOST_USES", 5)
    for n in range(8):
        outbox.put([sealed(f"c{n}")], NOW + 4)
        settle_all(outbox, claim(outbox, 10), Delivered())
    told, rows = outbox.counts(), "SELECT count(DISTINCT slot) FROM s0.{} WHERE slot >= 16"
    ((used,),) = cheap().execute(rows.format("tally"))
    assert used >= 5
    outbox.prune(NOW + 4)
    assert cheap().execute(rows.format("tally")) == [(used,)]  # not while it lasts
    monkeypatch.setattr(crowd, "CROWD", 1_000_000_000)
    outbox.tidy(NOW + 4)
    while outbox.prune(NOW + 4):
        pass
    assert [cheap().execute(rows.format(table)) for table in ("tally", "meter")] == [[(0,)], [(0,)]]
    assert outbox.counts() == told
    assert outbox.deduplication()["1"]["Lead"].server_only == GONE + 9


def put_by_another_process(name, at) -> None:
    other = PostgresOutbox(f"{cheap().url}&schema=s0")
    other.put([sealed(name)], at)
    other.close()


@pytest.mark.parametrize("seconds", [1.0, 20.0, 3_600.0])
def test_what_another_process_put_earlier_is_found_by_house_keeping(outbox, clock, seconds):
    clock.at += floors.FROM_FRONT.every * 2
    put_by_another_process("late", NOW + 3 - seconds)
    assert outbox.claim("1", 10, 60, NOW + 3) is None
    outbox.tidy(NOW + 3)
    assert "1" in outbox.waiting(NOW + 3)
    assert ids(claim(outbox, 10)) == ["late"]


def test_what_another_process_put_a_little_earlier_is_not_waited_for(outbox):
    put_by_another_process("late", NOW + 3 - floors.SLACK / 2)
    assert "1" in outbox.waiting(NOW + 3)
    assert ids(claim(outbox, 10)) == ["late"]


def test_a_look_from_the_front_is_rare_when_it_is_dear(outbox, clock):
    """A hundredth of the time."""
    outbox._floors.looked(floors.AHEAD, 5.0)
    outbox._floors.looked(floors.AHEAD, 0.0, floors.A_LITTLE)
    clock.at += 400
    put_by_another_process("late", NOW - 10)  # still fresh, or another look would find it
    outbox.tidy(NOW + 3)
    assert "1" not in outbox.waiting(NOW + 3)
    clock.at += 101
    outbox.tidy(NOW + 3)
    assert ids(claim(outbox, 10)) == ["late"]


def ids(lease) -> list[str]:
    return [event.event_id for event in lease.events] if lease else []


def test_looks_at_all_datasets_take_no_more_than_a_third_of_the_time(outbox, monkeypatch):
    rested = []
    replace_in(waiting, "time", monkeypatch, sleep=rested.append)
    outbox.waiting(NOW + 4)
    outbox.waiting(NOW + 4)
    assert rested[0] == 0 < rested[1] <= floors.LONGEST_REST


def test_deleted_rows_that_nobody_holds_do_not_wait_for_the_minute_of_autovacuum(monkeypatch):
    monkeypatch.setattr(crowd, "CROWD", 200)
    url = url_of("s0")
    before, outbox = PostgresOutbox(url), PostgresOutbox(url)
    cheap().execute("ALTER TABLE s0.queue SET (autovacuum_enabled = false)")
    before.put([sealed(f"e{n}") for n in range(GONE)], NOW)
    settle_all(before, claim(before, GONE), Delivered())
    before.close()  # the server learns what a session did at its end
    deleted = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relid = 's0.queue'::regclass"
    until(lambda: cheap().execute(deleted) > [(200,)], every=0.02)
    outbox.tidy(NOW)
    until(lambda: cheap().execute(deleted) == [(0,)], every=0.02)
    outbox.close()
