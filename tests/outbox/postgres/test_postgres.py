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
    outbox.put([sealed(str(n), dataset=str(n)) for n in range(120)], NOW)
    others = "dataset <> (SELECT id FROM s0.dataset WHERE name = '7')"
    cheap().execute(f"DELETE FROM s0.queue WHERE {others}")
    cheap().execute(f"UPDATE s0.tally SET n = 0 WHERE state = 'pending' AND {others}")
    values = dict.fromkeys([f"{side}{n}" for side in "au" for n in range(5)], NOW)
    # The books have two rows of each dataset; to ask each for the heads of its lanes takes twelve pages more.
    most = {waiting.WAITING: 200, waiting.SUSPECTS: 200, lanes.TO_SHIFT: 200, look.COUNTS: 480}
    for statement, bound in most.items():
        for _ in range(2):  # the first one marks what was deleted
            plan = outbox._database.read(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", values, pinned=True)
        pages = next(int(found[1]) for (line,) in plan if (found := re.search(r"shared hit=(\d+)", line)))
        assert pages < bound, (pages, plan)
    outbox.close()
    backend.schemas.clear()


class TestPostgres(PostgresBackend, EverySuite, NoticesSuite):
    """What is promised of every store."""
