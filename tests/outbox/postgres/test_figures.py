"""Figures and search in PostgreSQL: the same tests as for the embedded outbox, which count in another place there."""

import pytest

from conversion_relay.outbox import Search
from conversion_relay.outbox.postgres import look
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from tests.outbox.postgres.backend import url_of
from tests.outbox.postgres.server import needs_postgres
from tests.outbox.sqlite.test_figures import (
    TestSearch as _TestSearch,
)
from tests.outbox.sqlite.test_figures import (  # noqa: F401
    test_a_body_that_is_no_json_is_settled_like_any_other,
    test_a_value_that_is_no_amount_spoils_no_sum,
    test_delivered_events_are_counted_by_name_with_delay_worth_and_keys,
    test_names_that_somebody_makes_up_fill_no_table,
    test_what_was_refused_is_counted_where_it_was,
)
from tests.outbox.suite import NOW, sealed

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]


@pytest.fixture
def outbox():
    outbox = PostgresOutbox(url_of("s0"))
    yield outbox
    outbox.close()


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
