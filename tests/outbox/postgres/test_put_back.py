"""A database that is not the one of which a running process remembers ids and numbers: yesterday's was put back, or a
standby was promoted that lacked the last moments. Here it is an empty one."""

import re
import time
from pathlib import Path

import psycopg
import pytest

from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from tests.outbox.postgres.server import cheap, needs_postgres
from tests.outbox.suite import claim, sealed

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]
FAR = 2_000_000_000


def outbox_url():
    return f"{cheap().url}&schema=putback"


@pytest.fixture
def put_back():
    """Outboxes that knew the database before, and one that sees it as it is now."""
    url, now = outbox_url(), time.time()
    cheap().execute("DROP SCHEMA IF EXISTS putback CASCADE")  # ids and numbers begin anew
    opened = [PostgresOutbox(url), PostgresOutbox(url)]
    for outbox in opened:
        outbox.put([sealed("before", dataset="ours", expires_in=FAR)], now)
        outbox.claim("ours", 10, 60, now)
    cheap().execute("DROP SCHEMA putback CASCADE")
    opened.append(PostgresOutbox(url))
    yield (*opened, now)
    for outbox in opened:
        outbox.close()


def test_nothing_is_stored_under_an_id_or_a_number_that_another_has_by_now(put_back):
    collector, worker, other, now = put_back
    other.put([sealed(f"other-{n}", dataset="theirs", expires_in=FAR) for n in range(20)], now)
    receipts = collector.put([sealed(f"after-{n}", dataset="ours", expires_in=FAR) for n in range(5)], now)
    assert not any(receipt.duplicate for receipt in receipts)
    assert collector.put([sealed("after-0", dataset="ours", expires_in=FAR)], now)[0].duplicate
    assert worker.waiting(now) == {"ours": 0.0, "theirs": 0.0}
    found = [lease for _ in range(2) if (lease := worker.claim("ours", 100, 60, now))]
    assert sorted(event.event_id for lease in found for event in lease.events) == [f"after-{n}" for n in range(5)]
    assert len(claim(worker, now=now, dataset="theirs").events) == 20
    books = other.counts()
    assert (books["ours"].accepted, books["theirs"].accepted) == (5, 20)


def test_the_number_of_a_dataset_that_another_has_by_now_is_not_used(put_back):
    """Each of the two alone: a part of the ledger and the numbers of keys are as they were."""
    _, _, outbox, now = put_back
    outbox.put([sealed("first", dataset="ours", expires_in=FAR)], now)
    cheap().execute("UPDATE putback.dataset SET name = 'theirs' WHERE name = 'ours'")
    assert outbox.claim("ours", 10, 60, now) is None
    assert [event.event_id for event in claim(outbox, now=now, dataset="theirs").events] == ["first"]
    outbox.put([sealed("second", dataset="theirs", expires_in=FAR)], now)
    cheap().execute("UPDATE putback.dataset SET name = 'ours' WHERE name = 'theirs'")
    outbox.put([sealed("third", dataset="theirs", expires_in=FAR)], now)
    assert [event.event_id for event in claim(outbox, now=now, dataset="theirs").events] == ["third"]


def test_a_number_that_another_has_by_now_makes_no_event_a_copy(put_back):
    _, _, outbox, now = put_back
    first, second = PostgresOutbox(outbox_url()), PostgresOutbox(outbox_url())
    first.put([sealed("first", expires_in=FAR)], now)
    cheap().execute("SELECT setval('putback.event_number', 1024, false)")
    second.put([sealed(f"second-{n}", expires_in=FAR) for n in range(5)], now)
    assert not first.put([sealed("third", expires_in=FAR)], now)[0].duplicate
    assert len(claim(outbox, now=now).events) == 7
    for opened in (first, second):
        opened.close()


def test_a_part_of_the_ledger_that_is_not_there_any_more_is_made_again(put_back):
    collector, _, other, now = put_back
    assert not collector.put([sealed("after", dataset="ours", expires_in=FAR)], now)[0].duplicate
    assert [event.event_id for event in claim(other, now=now, dataset="ours").events] == ["after"]


def test_what_a_caller_committed_is_taken_in_by_a_worker_that_remembers_another_database(put_back):
    _, worker, other, now = put_back
    other.put([sealed(f"other-{n}", dataset="theirs", expires_in=FAR) for n in range(20)], now)
    with psycopg.connect(cheap().conninfo) as connection:
        other.put([sealed("order", dataset="ours", expires_in=FAR)], now, connection=connection)
    worker.waiting(now)
    assert [event.event_id for event in claim(other, now=now, dataset="ours").events] == ["order"]


def test_an_older_state_is_made_doubtful_by_the_statement_on_the_page(put_back):
    _, _, outbox, now = put_back
    outbox.put([sealed("delivered since", dataset="ours", expires_in=FAR)], now - 3 * 86_400)
    page = Path("docs/postgres.md").read_text("utf-8")
    (statement,) = re.findall(r"^UPDATE relay.event .*$", page, re.MULTILINE)
    cheap().execute(statement.replace("relay.", "putback."))
    (event,) = claim(outbox, now=now, dataset="ours").events
    assert event.sent_at == now - 3 * 86_400
