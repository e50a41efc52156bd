"""What pages ask again and again: figures by name and hour, and a search that does not read everything."""

import json

import pytest

from conversion_relay.outbox import Search
from conversion_relay.outbox.sqlite import look
from conversion_relay.outbox.verdict import HELD, Dead, Delivered, Hold
from tests.outbox.sqlite.files import opened
from tests.outbox.suite import NOW, REFUSED, claim, sealed, settle_all


@pytest.fixture
def outbox(path):
    outbox = opened(path)
    yield outbox
    outbox.close()


def purchase(event_id: str, value: object = 10.5, currency: str = "eur", **keys):
    body = {"custom_data": {"value": value, "currency": currency}, "user_data": keys}
    return sealed(event_id, name="Purchase", body=json.dumps(body).encode())


def deliver(outbox, *events, at: float = NOW) -> None:
    outbox.put(events, NOW)
    outbox.settle(lease := claim(outbox), [(Delivered(), lease.events)], None, at)


def test_delivered_events_are_counted_by_name_with_delay_worth_and_keys(outbox):
    deliver(outbox, purchase("a", em=["x"], fbp="y"), purchase("b", 4, em=["x"]), sealed("c"), at=NOW + 2.5)
    lead, bought = sorted(outbox.figures(NOW), key=lambda figures: figures.event_name)
    assert (bought.delivered, bought.delays, bought.worth) == (2, {3: 2}, {"EUR": 14.5})
    assert (bought.sampled, bought.keys) == (2, {"em": 2, "fbp": 1})
    assert (lead.delivered, lead.worth, lead.keys) == (1, {}, {})
    assert outbox.figures(NOW + 7_200) == []


@pytest.mark.parametrize("value", ["much", -3, 1e300, [1], None, {"a": 1}])
def test_a_value_that_is_no_amount_spoils_no_sum(outbox, value):
    deliver(outbox, purchase("a", value), purchase("b", 4))
    assert outbox.figures(NOW)[0].worth == {"EUR": 4.0}


def test_a_body_that_is_no_json_is_settled_like_any_other(outbox):
    deliver(outbox, sealed("a", name="Purchase", body=b"\xff{"), purchase("b", 4))
    assert outbox.counts()["1"].delivered == 2 and outbox.figures(NOW)[0].delivered == 2


def test_names_that_somebody_makes_up_fill_no_table(outbox):
    for n in range(0, 400, 100):
        deliver(outbox, *(sealed(f"{n}-{m}", name=f"N{n + m}") for m in range(100)))
    names = {figures.event_name for figures in outbox.figures(NOW)}
    assert len(names) <= 201 and "other" in names
    assert sum(figures.delivered for figures in outbox.figures(NOW)) == 400


def test_what_was_erased_while_it_was_leased_is_not_counted(outbox):
    outbox.put([purchase("a", 7), purchase("b", 4), sealed("c")], NOW)
    lease = claim(outbox)
    erased = next(event for event in lease.events if event.event_id == "a")
    outbox.erase_chosen([erased.key], NOW)
    outbox.settle(lease, [(Delivered(), lease.events)], None, NOW + 2)
    lead, bought = sorted(outbox.figures(NOW), key=lambda figures: figures.event_name)
    assert (bought.delivered, bought.worth, lead.delivered) == (1, {"EUR": 4.0}, 1)


def test_of_a_large_batch_a_sample_is_looked_at_for_keys(outbox):
    deliver(outbox, *(sealed(str(n), body=b'{"user_data":{"em":["x"],"shoe":1}}') for n in range(640)))
    (lead,) = outbox.figures(NOW)
    assert (lead.delivered, lead.sampled, lead.keys) == (640, 10, {"em": 10})


def test_what_was_refused_is_counted_where_it_was(outbox):
    outbox.put([sealed("a")], NOW)
    settle_all(outbox, claim(outbox), Dead("meta_100_2804009"), REFUSED)
    assert (outbox.figures(NOW)[0].dead, outbox.figures(NOW)[0].delivered) == (1, 0)


class TestSearch:
    def ids(self, outbox, **asked) -> list[str]:
        return [story.event_id for story in outbox.search(Search(**asked)).stories]

    def test_by_id_its_beginning_or_an_orders_id(self, outbox):
        outbox.put([sealed("purchase_1001"), sealed("purchase_1002"), sealed("other")], NOW)
        assert self.ids(outbox, text="purchase_1001") == ["purchase_1001"]
        assert set(self.ids(outbox, text="purchase")) == {"purchase_1001", "purchase_1002"}
        assert self.ids(outbox, text="1001") == ["purchase_1001"]
        assert self.ids(outbox, text="nobody") == []

    def test_events_that_share_an_id_are_told_apart(self, outbox):
        outbox.put([sealed("a"), sealed("a", name="Purchase"), sealed("a", dataset="2")], NOW)
        found = outbox.search(Search(text="a", event_name="Purchase", dataset="1")).stories
        assert [(story.dataset, story.event_name) for story in found] == [("1", "Purchase")]

    def test_by_state_name_reason_and_time(self, outbox):
        outbox.put([sealed("a"), sealed("b", name="Purchase")], NOW)
        settle_all(outbox, claim(outbox), Dead("meta_100_2804009"), REFUSED)
        outbox.put([sealed("c")], NOW + 100)
        assert set(self.ids(outbox, state="dead")) == {"a", "b"}
        assert self.ids(outbox, state="dead", event_name="Purchase") == ["b"]
        assert set(self.ids(outbox, reason="meta_100_2804009")) == {"a", "b"}
        assert self.ids(outbox, state="pending") == ["c"] == self.ids(outbox, since=NOW + 50)
        settle_all(outbox, claim(outbox), Hold(HELD))
        assert self.ids(outbox, state="held") == ["c"] and self.ids(outbox, state="pending") == []

    def test_what_is_not_shown_at_once_is_found_by_going_on(self, outbox, monkeypatch):
        monkeypatch.setattr(look, "SCANNED", 10)
        outbox.put([sealed(f"p{n}", name="Purchase") for n in range(3)], NOW)
        outbox.put([sealed(f"e{n}") for n in range(40)], NOW)
        found, rest, asked = [], None, 0
        while asked == 0 or rest is not None:
            answer = outbox.search(Search(event_name="Purchase", before=rest, limit=2))
            found += [story.event_id for story in answer.stories]
            rest, asked = answer.rest, asked + 1
        assert found == ["p2", "p1", "p0"] and asked < 10
