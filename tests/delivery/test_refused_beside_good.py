"""Hundreds of refused events beside good ones, on a clock that each call advances: nobody good waits for them."""

import json
import random
from math import log2

import pytest

from conversion_relay.event import SealedEvent
from tests.delivery.standins import NOW, Meta, delivery, error, states, taken
from tests.outbox.memory import MemoryOutbox
from tests.outbox.memory_store import Store

CALL = 0.1


@pytest.fixture
def outbox(clock):
    """In memory: thousands of turns need no disk."""
    return MemoryOutbox(Store(clock))


NEW_EVERY = 0.1


def sealed(event_id: str, name: str = "Lead", **more) -> SealedEvent:
    event = {"event_name": name, "event_id": event_id, "event_time": int(NOW), "action_source": "website"}
    event |= {"user_data": {"em": ["0" * 64]}} | more
    body = json.dumps(event).encode()
    return SealedEvent(
        dataset="1", event_name=name, event_id=event_id, event_time=int(NOW), expires_at=int(NOW) + 600_000, body=body
    )


class Site:
    """Fresh events ten times a second, and a Meta that takes a tenth of a second for each call, one after the other."""

    def __init__(self, outbox, clock, refuse) -> None:
        self.outbox, self.clock, self.refuse = outbox, clock, refuse
        self.delivered_at: dict[str, float] = {}
        self.put_at: dict[str, float] = {}
        self.fresh = 0
        self.refused_calls = self.fresh_calls = 0
        self.meta = Meta(self.answer)
        self.running = delivery(outbox, self.meta, clock)

    def put(self, events) -> None:
        self.outbox.put(events, self.clock.now)
        self.put_at |= {event.event_id: self.clock.now for event in events}

    def answer(self, ids):
        self.clock.now += CALL
        events = [json.loads(body) for body in self.bodies()]
        if (refusal := self.refuse(events)) is not None:
            self.refused_calls += 1
            return refusal
        self.delivered_at |= dict.fromkeys(ids, self.clock.now)
        return taken(ids)

    def bodies(self) -> list[str]:
        return [json.dumps(event) for event in json.loads(self.meta.bodies[-1])["data"]]

    def live(self, seconds: float, *, fresh: bool = True, until=lambda: False) -> None:
        ends_at, next_at = self.clock.now + seconds, self.clock.now
        while self.clock.now < ends_at and not until():
            while fresh and self.clock.now >= next_at:
                self.put([sealed(f"{self.fresh:08x}f")])
                self.fresh, next_at = self.fresh + 1, next_at + NEW_EVERY
            if self.running.step() is None:
                self.clock.now += 0.02

    def slowest(self, ids) -> float:
        return max(self.delivered_at[i] - self.put_at[i] for i in ids)


def mixed(bad: list[SealedEvent], good: list[SealedEvent]) -> list[SealedEvent]:
    events = [*bad, *good]
    random.Random(7).shuffle(events)
    return events


def ids(events) -> list[str]:
    return [event.event_id for event in events]


def bad_lead(events):
    """Refused without a word on which; bad is whoever has this member."""
    return error(100, 2804036) if any("lead_id" in event["user_data"] for event in events) else None


def is_over(site, bad):
    return lambda: site.outbox.counts()["1"].dead == len(bad)


def test_400_refused_of_one_shape_keep_200_good_and_fresh_ones_from_nothing(outbox, clock, capsys):
    """Each must be refused alone: 400 calls; what they have in common saves the good ones from all of it."""
    good = [sealed(f"{n:x}a") for n in range(200)]
    bad = [sealed(f"{n:x}b", user_data={"em": ["0" * 64], "lead_id": "1"}) for n in range(400)]
    site = Site(outbox, clock, bad_lead)
    site.put(mixed(bad, good))
    site.live(15)
    assert set(ids(good)) <= site.delivered_at.keys() and site.slowest(ids(good)) < 2
    site.live(200, until=is_over(site, ids(bad)))
    assert states(outbox, *ids(bad)) == {"dead": 400}
    assert {outbox.find(i)[0].reason for i in ids(bad)} == {"meta_100_2804036"}
    fresh = [i for i in site.put_at if site.delivered_at.get(i) and i not in ids(good)]
    assert site.fresh - len(fresh) <= 5 and site.slowest(fresh) < 2
    assert site.refused_calls <= 420
    with capsys.disabled():
        print(
            f"\n400 of one shape: {site.refused_calls} refused calls, good ones within {site.slowest(ids(good)):.1f} s,"
            f" fresh ones within {site.slowest(fresh):.1f} s"
        )


def test_400_refused_for_a_member_that_meta_names_cost_a_handful_of_calls(outbox, clock, capsys):
    """Meta names one event and the member that it lacks; then a group that lacks it is refused, for the same."""
    good = [sealed(f"{n:x}a", custom_data={"order": n, "value": 1}) for n in range(200)]
    bad = [sealed(f"{n:x}b", custom_data={"order": n}) for n in range(400)]

    def refuse(events):
        lacking = [i for i, event in enumerate(events) if event.get("custom_data", {"value": 1}).get("value") is None]
        text = f"The parameter $['data'][{lacking[0]}]['custom_data']['value'] is required" if lacking else ""
        return error(100, 2804019, error_user_msg=text) if lacking else None

    site = Site(outbox, clock, refuse)
    site.put(mixed(bad, good))
    site.live(15, until=lambda: is_over(site, ids(bad))() and set(ids(good)) <= site.delivered_at.keys())
    assert states(outbox, *ids(good)) == {"delivered": 200} and states(outbox, *ids(bad)) == {"dead": 400}
    assert site.refused_calls <= 400 * log2(600 / 400) + 40
    assert site.refused_calls <= 10
    with capsys.disabled():
        print(f"\n400 that lack what Meta names: {site.refused_calls} refused calls")


def test_900_refused_of_many_shapes_keep_200_good_ones_that_came_after_them_from_little(outbox, clock, capsys):
    """A feed with two mistakes in each of its events' names: no shape is known yet when the good ones come, and the bad
    ones stand before them."""
    page = "https://shop.example/"
    names = ("Lead", "Contact", "ViewContent", "Search", "Subscribe")
    bad = [
        sealed(f"{n:x}b", names[n % 5], event_source_url=page + "feed", custom_data={"shade": 1} if n % 2 else {})
        for n in range(900)
    ]
    good = [sealed(f"{n:x}a", names[n % 5], event_source_url=page + "visit") for n in range(200)]

    def refuse(events):
        is_bad = any(event["event_source_url"].endswith("feed") for event in events)
        return error(100, 2804008) if is_bad else None

    site = Site(outbox, clock, refuse)
    site.put(bad[:500])
    site.live(0.1, fresh=False)
    site.put(mixed(bad[500:], good))
    site.live(200, fresh=False, until=lambda: set(ids(good)) <= site.delivered_at.keys())
    assert site.slowest(ids(good)) < 20
    with capsys.disabled():
        print(f"\n900 of ten shapes: good ones within {site.slowest(ids(good)):.1f} s of calls one after the other")


def test_400_refused_that_our_own_rules_explain_cost_a_handful_of_calls(outbox, clock):
    """Accepted before the rule was known: Purchases without a value; Meta names nobody."""
    money = {"currency": "EUR", "value": 9.5}
    good = [sealed(f"{n:x}a", "Purchase", custom_data=money) for n in range(200)]
    bad = [sealed(f"{n:x}b", "Purchase", custom_data={"currency": "EUR", "a": 1, f"n{n % 7}": 1}) for n in range(400)]

    def refuse(events):
        lacking = [e for e in events if e["event_name"] == "Purchase" and "value" not in e["custom_data"]]
        return error(100, 2804009) if lacking else None

    site = Site(outbox, clock, refuse)
    site.put(mixed(bad, good))
    site.live(15, until=lambda: is_over(site, ids(bad))() and set(ids(good)) <= site.delivered_at.keys())
    assert states(outbox, *ids(good)) == {"delivered": 200} and states(outbox, *ids(bad)) == {"dead": 400}
    assert site.refused_calls <= 40


def test_400_refused_that_nothing_tells_apart_are_found_one_by_one_and_fresh_ones_do_not_wait(outbox, clock, capsys):
    good, bad = [sealed(f"{n:x}a") for n in range(200)], [sealed(f"{n:x}b") for n in range(400)]
    site = Site(
        outbox, clock, lambda events: error(100, 2804036) if any(e["event_id"][-1] == "b" for e in events) else None
    )
    site.put(mixed(bad, good))
    site.live(900, until=is_over(site, ids(bad)))
    assert states(outbox, *ids(bad)) == {"dead": 400}
    site.live(10, fresh=False)
    assert states(outbox, *ids(good)) == {"delivered": 200}
    assert site.refused_calls <= 400 + 40, "each once alone, and few together"
    with capsys.disabled():
        print(
            f"\n400 that nothing tells apart: {site.refused_calls} refused calls of {len(site.meta.calls)}, good ones"
            f" within {site.slowest(ids(good)):.0f} s of calls one after the other"
        )


@pytest.mark.parametrize("pause", [0, 3, 30, 120])
def test_100_refused_alone_and_then_200_good_ones(outbox, clock, pause):
    bad = [sealed(f"{n:x}b", user_data={"em": ["0" * 64], "lead_id": "1"}) for n in range(100)]
    good = [sealed(f"{n:x}a") for n in range(200)]
    site = Site(outbox, clock, bad_lead)
    site.put(bad)
    site.live(pause, fresh=False)
    site.put(good)
    site.live(6, fresh=False)
    assert states(outbox, *ids(good)) == {"delivered": 200} and site.slowest(ids(good)) < 6
    site.live(1_200, fresh=False, until=is_over(site, ids(bad)))
    assert states(outbox, *ids(bad)) == {"dead": 100}


@pytest.mark.parametrize(("bad_ones", "pause"), [(100, 5), (400, 5), (400, 30), (400, 60), (1_000, 60)])
def test_good_events_of_a_refused_shape_do_not_wait_behind_all_that_is_refused(outbox, clock, bad_ones, pause):
    """A list of which every line is refused, and then good ones that look the same to us."""

    def refuse(events):
        is_bad = any(event["custom_data"]["content_category"] == "broken" for event in events)
        return error(100, 2804008) if is_bad else None

    bad = [sealed(f"{n:x}b", custom_data={"content_category": "broken"}) for n in range(bad_ones)]
    good = [sealed(f"{n:x}a", custom_data={"content_category": "good"}) for n in range(200)]
    site = Site(outbox, clock, refuse)
    site.put(bad)
    site.live(pause, fresh=False)
    site.put(good)
    site.live(4_000, fresh=False, until=lambda: set(ids(good)) <= site.delivered_at.keys())
    # Each event once, a call after the other; after each 20 s in which nothing was taken, a rest of a minute.
    assert site.slowest(ids(good)) < 60 * (1 + bad_ones / 200) + CALL * (bad_ones + len(good))
    assert site.refused_calls <= bad_ones + 40


def test_a_known_cause_is_tried_alone_and_late_until_one_of_its_shape_is_taken(outbox, clock):
    is_mended = []

    def refuse(events):
        return None if is_mended else bad_lead(events)

    site = Site(outbox, clock, refuse)

    def make(n):
        return sealed(f"{n:x}b", user_data={"em": ["0" * 64], "lead_id": "1"})

    site.put([make(n) for n in range(10)])
    site.live(10)
    assert states(outbox, *[f"{n:x}b" for n in range(10)]) == {"dead": 10}
    before = len(site.meta.calls)
    site.put([make(100)])
    site.live(4)
    assert all("64b" not in call for call in site.meta.calls[before:]), "late"
    site.live(4)
    assert [call for call in site.meta.calls[before:] if "64b" in call] == [["64b"]], "alone"
    is_mended.append(True)
    site.put([make(101), make(102)])
    site.live(8)
    site.put([make(103), make(104)])
    site.live(0.5)
    assert states(outbox, "65b", "66b", "67b", "68b") == {"delivered": 4}
