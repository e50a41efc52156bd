"""The table of the overview: added up by the store or by us it is the same, hour by hour."""

import random

import pytest

from conversion_relay.dashboard.figures import DAY, HOUR, WEEK, Memory
from conversion_relay.event import SealedEvent
from conversion_relay.outbox import SideCounts, Sums
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.verdict import Dead, Delivered

NOW = 1_795_000_000.0
BODY = b'{"user_data":{"em":["a"],"fbp":"x"},"custom_data":{"value":10,"currency":"EUR"}}'


class OnlyHours:
    """A store that adds nothing up."""

    def __init__(self, outbox: SqliteOutbox) -> None:
        self.figures = outbox.figures


@pytest.fixture
def outbox(tmp_path):
    """A week and a day of three datasets, at random hours."""
    box, chance = SqliteOutbox(str(tmp_path / "outbox.db")), random.Random(7)
    for n in range(300):
        at = NOW - chance.randrange(WEEK + DAY)
        dataset, name = str(chance.randrange(1, 4)), chance.choice(["Purchase", "Lead"])
        event = SealedEvent(
            dataset=dataset, event_name=name, event_id=str(n), event_time=int(at), expires_at=int(NOW + WEEK), body=BODY
        )
        box.put([event], at)
        lease = box.claim(dataset, 10, 60, at)
        box.settle(lease, [(chance.choice([Delivered(), Dead("x")]), lease.events)], None, at + chance.randrange(100))
    yield box
    box.close()


@pytest.mark.parametrize("dataset", ["", "2"])
def test_the_store_adds_up_what_we_would(outbox, dataset):
    assert isinstance(outbox, Sums) and not isinstance(OnlyHours(outbox), Sums)
    ours, its = Memory(), Memory()
    sides = {"2": {"Lead": SideCounts(both=3), "Contact": SideCounts(browser_only=1)}}
    for now in (NOW, NOW + 61, NOW + HOUR, NOW + 2 * HOUR + 1, NOW + DAY):
        expected = ours.rows(OnlyHours(outbox), sides, now, dataset)
        assert its.rows(outbox, sides, now, dataset) == expected
        assert [row.event_name for row in expected] == ["Purchase", "Lead", "Contact"]
    delivered = sum(one.delivered for one in its.today(outbox, now))
    assert delivered == sum(row.today for row in its.rows(outbox, {}, now))


def test_looking_twice_counts_nothing_twice(outbox):
    memory = Memory()
    first = memory.rows(outbox, {}, NOW)
    assert first == memory.rows(outbox, {}, NOW + 1) == memory.rows(outbox, {}, NOW + 2)
    assert sum(row.sampled for row in first) > 0 and all(row.days[-1] <= row.week for row in first)


def test_what_ends_now_is_there_at_the_next_look(outbox):
    memory = Memory()
    before = memory.rows(outbox, {}, NOW)[0]
    outbox.put([SealedEvent(dataset="1", event_name="Purchase", event_id="new", event_time=int(NOW),
                            expires_at=int(NOW + WEEK), body=BODY)], NOW)  # fmt: skip
    lease = outbox.claim("1", 10, 60, NOW)
    outbox.settle(lease, [(Delivered(), lease.events)], None, NOW)
    after = memory.rows(outbox, {}, NOW)[0]
    assert (after.today, after.worth["EUR"]) == (before.today + 1, before.worth.get("EUR", 0) + 10)


def test_a_name_that_had_none_today_is_told_with_nothing(outbox):
    later = NOW + 2 * DAY
    assert {(one.dataset, one.event_name) for one in Memory().today(outbox, later)} >= {
        ("1", "Purchase"),
        ("3", "Lead"),
    }
    assert sum(one.delivered for one in Memory().today(outbox, later)) == 0
