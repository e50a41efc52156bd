"""What pages ask again and again: figures by name and hour, and a search that does not read everything."""

import itertools
import json

import msgspec
import pytest

from conversion_relay.outbox import STATES, Search, Story
from conversion_relay.outbox.counting import MOST_NAMES, hour_of
from conversion_relay.outbox.protocol import LeasedEvent
from conversion_relay.outbox.sqlite import look
from conversion_relay.outbox.verdict import HELD, Dead, Delivered, Expired, Hold, RetryAt
from tests.outbox.sqlite.files import opened
from tests.outbox.sqlite.steps import steps
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


def in_every_state(outbox) -> list[Story]:
    """Events of two datasets and two names in every state, some of which were tried before. The newest first."""
    names = [("1", "Lead"), ("2", "Lead"), ("1", "Purchase"), ("2", "Purchase")]
    for n, (dataset, name) in enumerate(names):
        outbox.put([sealed(f"e{n}-{k}", dataset, name) for k in range(9)], NOW + 10 * (n // 2))
    for dataset in ("1", "2"):
        lease = claim(outbox, dataset=dataset)
        by_place: dict[int, list[LeasedEvent]] = {}
        for event in lease.events:
            by_place.setdefault(int(event.event_id[-1]), []).append(event)
        ends = (Delivered(), Dead("meta_100_2804009"), Expired(), Hold(HELD), RetryAt(NOW, "again"))
        for place, verdict in enumerate(ends):
            outbox.settle(lease, [(verdict, by_place[place])], REFUSED, NOW)
        for verdict in (RetryAt(NOW, "again"), Delivered()):  # tried again, and then it arrives
            some = lease if verdict != Delivered() else claim(outbox, dataset=dataset)
            these = [event for event in some.events if event.event_id[-1] == "5"]
            outbox.settle(some, [(verdict, these)], REFUSED, NOW)
            if some is not lease:
                outbox.release(some)
        outbox.settle(lease, [(RetryAt(NOW + 60, "again"), by_place[6])], REFUSED, NOW)
        outbox.erase_chosen([event.key for event in by_place[7]], NOW)
    return outbox.recent(1_000)


def walked(outbox, asked: Search) -> list[int]:
    """The keys of all answers, one after the other."""
    keys, rest, first = [], None, True
    while first or rest is not None:
        answer = outbox.search(msgspec.structs.replace(asked, before=rest))
        keys += [story.key for story in answer.stories]
        rest, first = answer.rest, False
    return keys


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

    def test_every_question_finds_what_fits_and_nothing_else(self, outbox):
        whole = in_every_state(outbox)
        assert {story.state for story in whole} == set(STATES) and whole == sorted(whole, key=lambda s: -s.key)
        states = (None, *STATES, "held")
        others: tuple[dict, ...] = ({}, {"event_name": "Purchase"}, {"dataset": "2"}, {"since": NOW + 5})
        others += tuple({"reason": reason} for reason in (HELD, "again", "meta_100_2804009"))
        others += ({"reason": "again", "event_name": "Lead"},)
        for state, other in itertools.product(states, others):
            asked = Search(state=state, **other, limit=4)
            assert walked(outbox, asked) == [story.key for story in whole if asked.fits(story)], asked
            asked = Search(text="e", state=state, **other)
            assert {one.key for one in outbox.search(asked).stories} == {s.key for s in whole if asked.fits(s)}, asked

    @pytest.mark.parametrize("state", ["held", "leased", "dead"])
    def test_the_few_are_found_however_many_came_after_them(self, outbox, monkeypatch, state):
        outbox.put([sealed("a")], NOW)
        lease = claim(outbox)
        if state != "leased":
            settle_all(outbox, lease, Hold(HELD) if state == "held" else Dead("x"))
        outbox.put([sealed(f"e{n}") for n in range(40)], NOW)
        monkeypatch.setattr(look, "SCANNED", 10)
        assert self.ids(outbox, state=state) == ["a"]

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


def test_a_name_beyond_the_bound_costs_the_same_after_an_hour_and_after_a_month(outbox):
    """Whoever settles such an event holds up everybody's puts meanwhile."""
    db = outbox._database.writer

    def taken(hours: int) -> int:
        of_names = [(f"n{n}", hour_of(NOW) - back) for n in range(MOST_NAMES) for back in range(hours)]
        db.executemany("INSERT OR IGNORE INTO figure VALUES (1, ?, ?, 'dead', 1)", of_names)
        return steps(db, lambda: deliver(outbox, sealed(f"{hours}", name=f"Another{hours}")))

    outbox.put([sealed("first")], NOW)
    few = taken(2)
    assert taken(60) < 2 * few
    assert {figures.event_name for figures in outbox.figures(NOW)} == {*(f"n{n}" for n in range(MOST_NAMES)), "other"}
