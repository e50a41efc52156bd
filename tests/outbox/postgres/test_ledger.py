"""What others do with the database while the ledger is pruned: a backup that reads all of it, a publication of all."""

import psycopg
import pytest

from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.postgres import ledger
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Dead, Delivered
from tests.outbox.postgres.server import cheap, needs_postgres
from tests.outbox.suite import DAY, NOW, REFUSED, claim, sealed, settle_all

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]


def test_what_reads_the_ledger_for_hours_holds_up_no_put_and_keeps_no_visitor(outbox, monkeypatch):
    """As pg_dump does: whoever waits for its lock on the ledger has all puts behind it."""
    monkeypatch.setattr(ledger, "SHORT", "1ms")
    outbox.put([sealed("old")], NOW)
    settle_all(outbox, claim(outbox), Delivered())
    outbox.remember_visitor("order-1", Visit(fbp="fb.1.1.1"), NOW)
    with psycopg.connect(cheap().conninfo) as reader:
        reader.execute("LOCK TABLE s0.event IN ACCESS SHARE MODE")
        assert outbox.prune(NOW + 11 * DAY) == 1, "the visitor"
        assert outbox.find("old")
    assert outbox.prune(NOW + 11 * DAY) == 1 and outbox.find("old") == []


@pytest.mark.parametrize("version", [2, 3])
def test_a_database_that_publishes_all_its_tables_is_pruned(outbox, version):
    """As Debezium has them published: a table without a key then takes no change."""
    if version == 2:
        cheap().execute("UPDATE s0.about SET version = 2; ALTER TABLE s0.about DROP CONSTRAINT about_pkey")
    cheap().execute("CREATE PUBLICATION everything FOR ALL TABLES")
    try:
        outbox.close()
        outbox = PostgresOutbox(f"{cheap().url}&schema=s0")
        outbox.put([sealed("old")], NOW)
        settle_all(outbox, claim(outbox), Delivered())
        assert outbox.prune(NOW + 11 * DAY) == 1 and outbox.find("old") == []
    finally:
        cheap().execute("DROP PUBLICATION everything")
        outbox.close()


def test_a_dead_letter_outlives_its_part_of_the_ledger_and_goes_when_meta_takes_it_no_more(outbox):
    outbox.put([sealed("dead"), sealed("old")], NOW)
    lease = claim(outbox)
    by_id = {event.event_id: event for event in lease.events}
    outbox.settle(lease, [(Dead("x"), [by_id["dead"]]), (Delivered(), [by_id["old"]])], REFUSED, NOW)
    outbox.put([sealed("next")], NOW + 2 * DAY)  # into the part behind it
    assert outbox.prune(NOW + 11 * DAY) == 1 and outbox.find("old") == []
    assert outbox.find("dead") and outbox.find("next")
    assert outbox.prune(NOW + 91 * DAY) == 1 and outbox.find("dead") == []
    ((n,),) = cheap().execute("SELECT count(*) FROM s0.body")
    assert n == 1, "what waits has a body, and nobody else"
