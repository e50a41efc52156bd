"""A database that is not the one of which a running process remembers ids and numbers: yesterday's was put back, or a
standby was promoted that lacked the last moments. Here it is an empty one."""

import re
import time
from pathlib import Path

import psycopg
import pytest

from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Dead
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
    cheap().execute(on_the_page("UPDATE relay.event SET sent_at"))
    (event,) = claim(outbox, now=now, dataset="ours").events
    assert event.sent_at == now - 3 * 86_400


def test_what_stands_in_the_inbox_of_an_older_state_is_doubtful_once_it_is_taken_in(put_back):
    _, _, outbox, now = put_back
    with psycopg.connect(cheap().conninfo) as connection:
        outbox.put([sealed("order", dataset="ours", expires_in=FAR)], now, connection=connection)
    outbox.erase([], now)
    cheap().execute(on_the_page("UPDATE relay.event SET sent_at"))
    (event,) = claim(outbox, now=now, dataset="ours").events
    assert event.sent_at == now


def on_the_page(start):
    page = Path("docs/postgres.md").read_text("utf-8")
    (statement,) = re.findall(rf"^{re.escape(start)}.*$", page, re.MULTILINE)
    return statement.replace("relay.", "putback.").removesuffix(";")


def test_who_was_forgotten_in_the_later_state_is_forgotten_in_the_older_one_by_the_page(put_back):
    _, _, outbox, now = put_back
    outbox.put([sealed("dead", dataset="ours", expires_in=FAR)], now)
    lease = claim(outbox, now=now, dataset="ours")
    outbox.settle(lease, [(Dead("refused"), lease.events)], None, now)
    outbox.put([sealed(name, dataset="ours", expires_in=FAR) for name in ("erased", "stays")], now)
    outbox.remember_visitor("order", Visit(client_ip_address="203.0.113.7"), now)
    tables = ("event", "body", "queue", "tally", "visitor")
    cheap().execute("; ".join(f"CREATE TABLE putback.was_{name} AS SELECT * FROM putback.{name}" for name in tables))
    keys = [outbox.find(name)[0].key for name in ("dead", "erased")]
    assert outbox.erase_chosen(keys, now) == 2
    outbox.remember_visitor("order", Visit(consent="denied", for_long=True), now)
    with psycopg.connect(cheap().conninfo, autocommit=True) as psql:
        written = [copied(psql, on_the_page(f"\\copy {what}")) for what in ("(SELECT", "relay.visitor TO")]
        for name in tables:
            psql.execute(f"DELETE FROM putback.{name}".encode())
            psql.execute(f"INSERT INTO putback.{name} SELECT * FROM putback.was_{name}".encode())
        psql.execute(on_the_page("CREATE TABLE relay_erased").encode())
        copied(psql, on_the_page("\\copy relay_erased FROM"), written[0])
        for start in ("UPDATE relay.event e", "DELETE FROM relay.body", "DELETE FROM relay.visitor"):
            psql.execute(on_the_page(start).encode())
        copied(psql, on_the_page("\\copy relay.visitor FROM"), written[1])
        psql.execute(on_the_page("DROP TABLE").encode())
    told = {event.event_id: event.consent for event in claim(outbox, now=now, dataset="ours").events}
    assert told == {"erased": "withdrawn", "stays": None}
    assert outbox.replay(now) == 0, "of the dead letter nothing is left to be sent"
    assert outbox.visitor("order", now).consent == "denied"


def copied(psql, command, data=b""):
    """psql's own command, without its file."""
    sql = re.sub(
        r" (TO|FROM) \w+\.txt$", lambda found: f" {found[1]} {'STDOUT' if found[1] == 'TO' else 'STDIN'}", command
    )
    with psql.cursor().copy(sql.removeprefix("\\").encode()) as copy:
        if "STDIN" in sql:
            copy.write(data)
            return b""
        return b"".join(bytes(part) for part in copy)
