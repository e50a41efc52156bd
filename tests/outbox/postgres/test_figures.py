"""Figures and search in PostgreSQL: the same tests as for the embedded outbox, which count in another place there."""

import itertools

import pytest

from conversion_relay.outbox import Search
from conversion_relay.outbox.counting import MOST_NAMES
from conversion_relay.outbox.postgres import look, schema
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.verdict import Delivered
from tests.outbox.postgres.backend import url_of
from tests.outbox.postgres.server import cheap, needs_postgres
from tests.outbox.sqlite.test_figures import (
    TestSearch as _TestSearch,
)
from tests.outbox.sqlite.test_figures import (  # noqa: F401
    deliver,
    purchase,
    test_a_body_that_is_no_json_is_settled_like_any_other,
    test_a_value_that_is_no_amount_spoils_no_sum,
    test_delivered_events_are_counted_by_name_with_delay_worth_and_keys,
    test_names_that_somebody_makes_up_fill_no_table,
    test_of_a_large_batch_a_sample_is_looked_at_for_keys,
    test_what_was_erased_while_it_was_leased_is_not_counted,
    test_what_was_refused_is_counted_where_it_was,
)
from tests.outbox.suite import NOW, sealed

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]


class TestSearch(_TestSearch):
    def test_what_is_not_shown_at_once_is_found_by_going_on(self, outbox, monkeypatch):
        monkeypatch.setattr(look, "SCANNED", 10)
        outbox.put([sealed(f"p{n}", name="Purchase") for n in range(3)], NOW)
        outbox.put([sealed(f"e{n}") for n in range(40)], NOW)
        found, rest, asked = [], None, 0
        while asked == 0 or rest is not None:
            answer = outbox.search(Search(event_name="Purchase", before=rest, limit=2))
            found += [story.event_id for story in answer.stories]
            rest, asked = answer.rest, asked + 1
        assert sorted(found) == ["p0", "p1", "p2"] and asked < 10


def test_sums_of_a_period_are_those_of_its_hours(outbox):
    deliver(outbox, purchase("a", em=["x"]), sealed("b"), at=NOW + 2)
    deliver(outbox, purchase("c", 4), at=NOW + 7_200)
    hour = NOW // 3_600 * 3_600
    lead, bought = sorted(outbox.figure_sums(hour, hour + 10_800), key=lambda figures: figures.event_name)
    assert (lead.delivered, bought.delivered, bought.worth) == (1, 2, {"EUR": 14.5})
    assert sorted(outbox.delivered_by_hour(hour, hour + 3_600)) == [("1", "Lead", hour, 1), ("1", "Purchase", hour, 1)]


def test_processes_that_come_and_go_add_no_made_up_names_without_end():
    url = url_of("s0")
    for process in range(3):
        outbox = PostgresOutbox(url)
        for n in range(MOST_NAMES // 2):
            deliver(outbox, sealed(f"{process}-{n}", name=f"N{process}-{n}"))
        names = {figures.event_name for figures in outbox.figures(NOW)}
        outbox.close()
    assert len(names) == MOST_NAMES + 1 and "other" in names


def test_a_thousand_datasets_are_not_asked_for_their_names_one_by_one(outbox, monkeypatch):
    for n in range(12):
        outbox.put([sealed(f"a{n}", dataset=str(n)), sealed(f"b{n}", name="Purchase", dataset=str(n))], NOW)
    asked, read = [], outbox._database.read
    monkeypatch.setattr(outbox._database, "read", lambda sql, *of, **how: asked.append(sql) or read(sql, *of, **how))
    for n in range(12):
        lease = outbox.claim(str(n), 10, 60, NOW)
        outbox.settle(lease, [(Delivered(), lease.events)], None, NOW)
    assert sum("relay.figure" in sql for sql in asked) == 1  # others read beside it


def test_an_hour_that_is_over_has_one_row_for_each_figure_and_the_same_sums(outbox, monkeypatch):
    slots = itertools.cycle(range(16))
    monkeypatch.setattr(outbox._database.slots, "one", lambda: next(slots))
    for n in range(20):
        deliver(outbox, purchase(f"p{n}", em=["x"]), sealed(f"l{n}"), at=NOW + 2)
    before, hour = outbox.figures(NOW), int(NOW // 3_600)
    rows = "SELECT count(*), count(DISTINCT (event_name, what)), max(slot) FROM relay.figure"
    assert outbox._database.read(rows)[0][2] == 15
    assert outbox.prune(NOW + 3_600) == 0 and outbox._database.read(rows)[0][2] == 15, "an hour after may be written to"
    assert outbox.prune(NOW + 7_200) > 0
    ((n, cells, most),) = outbox._database.read(rows)
    assert (n, most) == (cells, 0) and outbox.figures(NOW) == before
    deliver(outbox, sealed("late"), at=NOW + 2)
    assert sum(one.delivered for one in outbox.figures(NOW)) == 41
    assert sum(n for *_, n in outbox.delivered_by_hour(hour * 3_600, hour * 3_600 + 3_600)) == 41


def test_an_outbox_of_the_first_schema_gets_the_index():
    url = url_of("s1")
    PostgresOutbox(url).close()
    cheap().execute("DROP INDEX s1.figure_hour")
    cheap().execute("UPDATE s1.about SET version = 1")
    PostgresOutbox(url).close()
    assert cheap().execute("SELECT version FROM s1.about") == [(schema.VERSION,)]
    assert cheap().execute("SELECT to_regclass('s1.figure_hour') IS NOT NULL") == [(True,)]


@pytest.mark.parametrize("number", range(1, schema.VERSION))
def test_a_number_that_was_set_back_for_an_older_version_is_set_forward_by_the_next_upgrade(number):
    url = url_of("back")
    PostgresOutbox(url).close()
    cheap().execute(f"UPDATE back.about SET version = {number}")  # as docs/postgres.md has it
    outbox = PostgresOutbox(url)
    assert cheap().execute("SELECT version FROM back.about") == [(schema.VERSION,)]
    outbox.put([sealed(f"after {number}")], NOW)
    assert outbox.counts()["1"].imbalance == 0
    outbox.close()
