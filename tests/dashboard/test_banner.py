"""What stands above each page."""

import pytest

from conversion_relay.dashboard.banner import lines
from conversion_relay.delivery.attention import Known
from conversion_relay.outbox import Counts, Figures, SignOfLife
from conversion_relay.outbox.story import AtWork
from conversion_relay.outbox.verdict import HELD, Dead, Delivered, Hold
from conversion_relay.settings import Dataset
from tests.dashboard.here import REFUSED, Here

NOW = 1_795_700_000.0


def shown(*, dead=0, kept=0, delivered=0, held=0, state=None, datasets=()):
    known = Known(
        now=NOW,
        books={"1": Counts(accepted=kept + delivered, dead=kept, delivered=delivered)},
        signs=[SignOfLife(worker="w", at=NOW, datasets={"1": state or AtWork()})],
        configured=frozenset({"1"}),
        version="v27.0",
    )
    today = [Figures(dataset="1", event_name="Purchase", hour=int(NOW), dead=dead, delays={1: delivered})]
    return lines(known, today=today, held=held, datasets=datasets)


@pytest.mark.parametrize(
    ("dead", "kept", "delivered", "is_shown"),
    [(6, 6, 0, True), (2, 2, 100, True), (1, 1, 100, False), (0, 6, 100, False), (6, 0, 0, False)],
)
def test_more_than_a_few_refused_events_are_not_called_nothing(dead, kept, delivered, is_shown):
    assert [line.cause for line in shown(dead=dead, kept=kept, delivered=delivered)] == ["refused"] * is_shown


def test_what_is_held_for_a_person_is_said_to_that_person(tmp_path):
    here = Here(tmp_path, NOW)
    assert "Nothing needs you" in here.page("/dashboard")
    here.put("a", "b")
    here.settle(Hold(HELD))
    page = here.page("/dashboard")
    assert "Nothing needs you" not in page and "2 events are held" in page and 'href="/dashboard/dead"' in page
    here.relay.close()


def test_a_need_leads_to_the_page_where_it_is_looked_at(here):
    for why, path in (("all_refused", "/dashboard/dead"), ("unauthorized", "/dashboard/datasets"),
                      ("unknown_error", "/dashboard/events?state=pending&dataset=1")):  # fmt: skip
        (line,) = shown(state=AtWork(why=why))
        assert line.path == path, why
    here.put("a", ago=300)
    assert '<a href="/dashboard/events?state=pending">What waits</a>' in here.page("/dashboard")


def test_a_test_code_that_was_left_on_is_said():
    live, test = (Dataset(pixel_id="1", access_token="t"), Dataset(pixel_id="2", access_token="t", test_event_code="T"))
    assert shown(datasets=[live]) == []
    (line,) = shown(datasets=[live, test])
    assert not line.urgent and "every event of dataset 2 is a test event" in line.what


def test_payment_notices_are_shown_before_the_first_event(here):
    here.counters.add("relay_webhooks_total", 5, provider="stripe", code="400", reason="signature_wrong")
    page = here.page("/dashboard")
    assert "No event yet" in page and "refused: signed with another secret" in page


def test_a_letter_that_arrived_at_last_is_no_need_any_more(here):
    here.put("a")
    here.settle(Dead("meta_100_2804009"), REFUSED)
    assert "Meta refused 1 of 1 events" in here.page("/dashboard")
    here.change(do="replay", dataset="1", name="Purchase", reason="meta_100_2804009")
    here.settle(Delivered())
    page = here.page("/dashboard")
    assert "Nothing needs you" in page and "was refused" not in page


def test_events_that_the_door_refused_are_counted_by_reason(here):
    here.counters.add("relay_events_rejected_total", 20, reason="consent_missing")
    here.counters.add("relay_events_rejected_total", 1, reason="value_too_high")
    page = here.page("/dashboard")
    assert page.index("nothing was said of consent") < page.index("more money than a page may report")
    assert "/dashboard#door" in here.page("/dashboard/life?id=none")
