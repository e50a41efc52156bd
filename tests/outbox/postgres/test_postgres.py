"""The outbox in PostgreSQL: the common suite, and what only a server can show."""

import re

import pytest

from conversion_relay.event import Receipt
from conversion_relay.outbox.postgres import lanes, look, waiting
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Delivered, Hold, RetryAt, Suspect
from tests.outbox.postgres.backend import PostgresBackend, url_of
from tests.outbox.postgres.server import cheap, needs_postgres
from tests.outbox.suite import NOW, claim, sealed, settle_all
from tests.outbox.suite.everything import EverySuite
from tests.outbox.suite.notices import NoticesSuite

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]


def test_a_new_place_is_empty_whatever_another_test_left_in_its_schema(tmp_path):
    """The model once found another test's events, in some orders of the tests."""
    left, backend = PostgresOutbox(url_of("s0")), PostgresBackend()
    left.put([sealed("a")], NOW)
    left.close()
    outbox = backend.open(tmp_path)
    assert outbox.put([sealed("a")], NOW) == [Receipt("a")]
    outbox.close()
    backend.schemas.clear()


@pytest.mark.parametrize("many", [waiting.MANY, 0])
def test_a_look_finds_the_same_whichever_way_it_goes(tmp_path, monkeypatch, many):
    """From one dataset that has something to the next, or asking for each."""
    monkeypatch.setattr(waiting, "MANY", many)
    backend = PostgresBackend()
    outbox = backend.open(tmp_path)
    for dataset in "123456":
        outbox.put([sealed(dataset, dataset=dataset)], NOW)
    verdicts = {"2": RetryAt(NOW + 5, "x"), "3": Suspect(NOW + 7), "4": Delivered(), "5": Hold("x")}
    for dataset, verdict in verdicts.items():
        settle_all(outbox, claim(outbox, dataset=dataset), verdict)
    outbox.put([sealed("more", dataset="3")], NOW)
    for _ in range(2):  # which way the second one goes is told by what the first one found
        waits = outbox.waiting(NOW)
        assert waits.pop("5") > NOW + 86_400, "one that is held, until it ends"
        assert waits == {"1": 0.0, "2": NOW + 5, "3": 0.0, "6": 0.0}
        assert outbox.suspects(NOW) == {"3": NOW + 7}
    outbox.close()
    backend.schemas.clear()


def test_a_look_costs_nothing_for_datasets_that_have_nothing(tmp_path):
    backend = PostgresBackend()
    outbox = backend.open(tmp_path)
    # Not by deleting their events: a deleted row costs pages until no transaction of this database can see it.
    cheap().execute("INSERT INTO s0.dataset (name) SELECT generate_series(1, 120)::text")
    cheap().execute("INSERT INTO s0.tally SELECT id, unnest('{pending, delivered}'::text[]), 0, 0 FROM s0.dataset")
    outbox.put([sealed("a", dataset="7")], NOW)
    values = dict.fromkeys([f"{side}{n}" for side in "au" for n in range(5)], NOW)
    # To ask each dataset takes a page of each. The books have two rows of each; the heads of lanes are twelve pages.
    most = {waiting.WAITING: 60, waiting.SUSPECTS: 60, lanes.TO_SHIFT: 60, look.COUNTS: 480}
    for statement, bound in most.items():
        plan = outbox._database.read(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", values, pinned=True)
        pages = next(int(found[1]) for (line,) in plan if (found := re.search(r"shared hit=(\d+)", line)))
        assert pages < bound, (pages, plan)
    outbox.close()
    backend.schemas.clear()


class TestPostgres(PostgresBackend, EverySuite, NoticesSuite):
    """What is promised of every store."""
