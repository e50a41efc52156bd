"""What is read in two steps, while others write."""

from functools import partial

import pytest

from conversion_relay.outbox import Search
from conversion_relay.outbox.sqlite import look, rows
from conversion_relay.outbox.sqlite.books import read
from conversion_relay.outbox.sqlite.figures import told
from conversion_relay.outbox.verdict import Hold, RetryAt, Suspect
from tests.outbox.sqlite.steps import steps
from tests.outbox.suite import NOW, sealed


def test_the_first_event_of_a_dataset_may_come_between_the_two_reads_of_the_books():
    answers = iter([[], [("1", 1_800_000_000, 1_800_600_000)]])
    assert look.counts(lambda sql, values=(): next(answers)) == {}


@pytest.mark.parametrize("lane", [RetryAt(NOW + 60, "limit"), Suspect(NOW + 60), Hold("late")])
def test_a_page_of_events_that_wait_costs_little_more_than_one_of_them(db, lane):
    """The lanes of those that wait for a time can only be searched: that must not be done for each event."""
    rows.insert(db, [sealed(f"e{n}") for n in range(2_000)], NOW)
    keys = rows.claim(db, "token", "us", "1", NOW, NOW + 60, 2_000)
    rows.settle(db, "token", [(keys, told(lane, [], NOW))], None, NOW)
    found: list[look.Found] = []
    one = steps(db, lambda: look.search(partial(read, db), Search(text="e", limit=1)))
    page = steps(db, lambda: found.append(look.search(partial(read, db), Search(text="e", limit=50))))
    due_at = int(NOW) + 600_000 if isinstance(lane, Hold) else NOW + 60
    assert [story.due_at for story in found[0].stories] == [due_at] * 50
    assert page < 3 * one


def test_the_beginning_of_every_id_is_not_looked_for_among_all(db, monkeypatch):
    def taken(events: int) -> int:
        rows.insert(db, [sealed(f"e{events}-{n}") for n in range(events)], NOW)
        return steps(db, lambda: look.search(partial(read, db), Search(text="e", limit=1)))

    few = taken(look.SCANNED // 50)
    monkeypatch.setattr(look, "_BY_ID", look._BY_ID.replace(str(look.SCANNED), "1000"))
    assert taken(9_000) < 2 * few
