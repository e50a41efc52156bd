"""What time it is at Meta, and what a wrong clock of ours does to events: nothing."""

import json
from email.utils import formatdate

import pytest

from conversion_relay.delivery.meta_clock import SAMPLES, MetaClock
from conversion_relay.delivery.transport import Response
from conversion_relay.delivery.turn import Delivery
from conversion_relay.event import SealedEvent
from conversion_relay.meta.graph import Unreachable
from tests.delivery.standins import NOW, SETTINGS, Clock, Meta, drain, states, wire

HOUR, DAY = 3_600, 86_400


def test_until_meta_has_answered_our_own_clock_is_believed():
    clock = MetaClock()
    assert clock.now(NOW, 5.0) == NOW and clock.skew(NOW, 5.0) == 0 and not clock.is_known


def test_the_median_of_the_last_answers_counts_and_one_odd_answer_moves_nothing():
    clock = MetaClock()
    for n in range(SAMPLES):
        clock.note(NOW + n + (10 * DAY if n == 3 else 0), 100.0 + n)
    assert clock.skew(NOW + HOUR, 100.0) == HOUR


def test_setting_our_clock_changes_nothing_of_what_meta_says():
    clock = MetaClock()
    clock.note(NOW, 100.0)
    assert clock.now(NOW - 10 * DAY, 160.0) == clock.now(NOW + 10 * DAY, 160.0) == NOW + 60


@pytest.mark.parametrize(("seconds", "is_news"), [(0, False), (59, False), (60, True), (-60, True), (10 * DAY, True)])
def test_a_wrong_clock_is_told_once_until_it_was_right(seconds, is_news):
    clock = MetaClock()
    clock.note(NOW, 100.0)
    assert [clock.is_news(NOW + seconds, 100.0) for _ in range(3)] == [is_news, False, False]
    assert not clock.is_news(NOW, 100.0)
    assert clock.is_news(NOW + seconds, 100.0) is is_news


class JudgingMeta(Meta):
    """Has a clock of its own, and refuses as Meta does: the place of the event is not told truly."""

    def __init__(self, steady: Clock, at_start: float) -> None:
        super().__init__()
        self.steady, self.started, self.at_start = steady, steady.now, at_start

    @property
    def now(self) -> float:
        return self.at_start + self.steady.now - self.started

    def send(self, request, deadline):
        events = json.loads(request.body)["data"]
        self.calls.append([event["event_id"] for event in events])
        date = {"date": formatdate(self.now, usegmt=True)}
        if not events:
            return self.error(date, None, "param data must be non-empty.")
        if any(event["event_time"] < self.now - 7 * DAY for event in events):
            return self.error(date, 2804003, "too old")
        if any(event["event_time"] > self.now + 600 for event in events):
            return self.error(date, 2804019, "The parameter $['data'][0]['event_time'] lies in the future")
        return Response(200, date, b'{"events_received":%d,"fbtrace_id":"A"}' % len(events))

    def error(self, headers, subcode, text):
        said = {"message": text, "code": 100, "error_subcode": subcode, "error_user_msg": text, "fbtrace_id": "A"}
        return Response(400, headers, json.dumps({"error": said}).encode())


class World:
    """Our wall clock, a steady one, and Meta's."""

    def __init__(self, outbox, ahead: float, *, set_later: bool = False) -> None:
        self.outbox, self.wall, self.steady = outbox, Clock(), Clock()
        self.wall.now = NOW if set_later else NOW + ahead
        self.steady.now = 500.0
        self.meta = JudgingMeta(self.steady, NOW)
        self.running = Delivery(
            outbox, self.meta, SETTINGS, clock=self.wall, steady_clock=self.steady, jitter=lambda: 0.5
        )

    def put(self, *ids: str, at: float | None = None) -> None:
        at = self.wall.now if at is None else at
        times = {"event_time": int(at), "expires_at": int(at) + 7 * DAY - HOUR}
        bodies = {i: wire(i, event_time=int(at)) for i in ids}
        self.outbox.put(
            [SealedEvent(dataset="1", event_name="Lead", event_id=i, body=bodies[i], **times) for i in ids],
            self.wall.now,
        )

    def live(self, seconds: int, step: int = 60) -> None:
        for _ in range(0, seconds, step):
            drain(self.running)
            self.wall.now += step
            self.steady.now += step


@pytest.mark.parametrize("ahead", [HOUR, 10 * DAY])
def test_what_our_clock_stamped_ahead_of_metas_waits_and_is_sent_when_its_time_comes(outbox, ahead, caplog):
    world = World(outbox, ahead)
    world.put("stamped")
    world.put("right", at=NOW)
    world.live(20 * 60)
    assert states(outbox, "stamped", "right") == {"pending": 1, "delivered": 1}
    assert len(world.meta.calls) <= 4, "what is known to lie in the future is not sent in vain"
    assert [r.levelname for r in caplog.records if "clock of this machine" in r.message] == ["ERROR"]
    assert round(world.running.paces()["1"].clock_skew_seconds) == ahead
    world.live(ahead + HOUR, step=1_000)
    assert states(outbox, "stamped") == {"delivered": 1}


@pytest.mark.parametrize("ahead", [HOUR, 10 * DAY, -HOUR, -10 * DAY])
@pytest.mark.parametrize("has_answered", [True, False])
def test_events_of_the_right_time_survive_a_clock_that_is_set(outbox, ahead, has_answered):
    """Ten days ahead all of them look too old; Meta's clock says that they are not."""
    world = World(outbox, ahead, set_later=True)
    if has_answered:
        world.put("first")
        world.live(60)
    world.put("a", "b")
    world.wall.now += ahead
    world.live(2 * HOUR, step=600)
    assert states(outbox, "a", "b") == {"delivered": 2}


def test_a_process_that_stood_still_in_a_request_does_not_take_what_is_fresh_for_the_future(outbox, caplog):
    """The date of the answer was hours old when it was read: fresh events were put off by as many hours."""
    world = World(outbox, 0)
    send = world.meta.send

    def answered_and_read_later(request, deadline):
        answer = send(request, deadline)
        world.steady.now += 2 * HOUR
        world.wall.now += 2 * HOUR
        return answer

    world.meta.send = answered_and_read_later
    world.put("under way")
    drain(world.running)
    world.meta.send = send
    world.put("fresh")
    world.live(60)
    assert states(outbox, "fresh") == {"delivered": 1}
    assert not [r for r in caplog.records if "clock of this machine" in r.message]


def test_a_pause_that_meta_asks_for_when_it_is_asked_the_time_holds_for_all_events(outbox):
    """Old ones are why it is asked; what is fresh beside them waits as well."""
    world = World(outbox, 20 * DAY, set_later=True)
    world.put("old")
    world.wall.now += 20 * DAY
    world.put("fresh")
    throttled = {"error": {"code": 80004, "message": "too many calls", "fbtrace_id": "A"}}
    world.meta.send = lambda request, deadline: (
        world.meta.calls.append([]) or Response(400, {"retry-after": "600"}, json.dumps(throttled).encode())
    )
    world.live(120)
    assert len(world.meta.calls) == 1
    assert states(outbox, "old", "fresh") == {"pending": 2}


@pytest.mark.parametrize("says", ["unauthorized", "nothing", "no trace"])
def test_a_clock_that_is_set_ends_nothing_while_meta_does_not_say_what_time_it_is(outbox, says):
    """Nobody has answered since the start, and whoever is asked for the time does not tell it."""
    world = World(outbox, 20 * DAY, set_later=True)
    world.put(*(f"e{n}" for n in range(50)))
    world.wall.now += 20 * DAY
    judges = world.meta.send
    said = {
        "unauthorized": Response(401, {}, b'{"error":{"code":190,"fbtrace_id":"A"}}'),
        "nothing": Unreachable("timeout", sent=False),
        "no trace": Response(400, {}, b'{"error":{"code":100,"message":"param data must be non-empty."}}'),
    }
    asked = []
    world.meta.send = lambda request, _: asked.append(request) or said[says]
    world.live(HOUR)
    assert states(outbox, "e0", "e49") == {"pending": 2}
    assert len(asked) <= 2 * 60 + 60, "a dead token is looked at once a minute"
    world.meta.send = judges
    world.live(HOUR)
    assert states(outbox, *(f"e{n}" for n in range(50))) == {"delivered": 50}


def test_300_events_stamped_ten_days_ahead_keep_nobody_waiting(outbox):
    world = World(outbox, 0)
    world.put(*[f"late{n}" for n in range(300)], at=NOW + 10 * DAY)
    world.put(*[f"good{n}" for n in range(200)])
    world.live(120)
    assert states(outbox, *[f"good{n}" for n in range(200)]) == {"delivered": 200}
    assert states(outbox, *[f"late{n}" for n in range(300)]) == {"pending": 300}
    assert len(world.meta.calls) <= 3


def test_what_is_too_old_by_metas_clock_is_expired(outbox):
    world = World(outbox, -2 * DAY)
    world.put("first", at=NOW)
    world.live(60)
    world.put("old", at=NOW - 7 * DAY + 1_800)
    world.live(60)
    assert states(outbox, "old") == {"expired": 1}
    assert "old" not in [i for call in world.meta.calls for i in call]


def test_many_events_of_a_site_whose_clock_is_ahead_are_looked_at_together(outbox):
    """A look at each by itself, every 25 minutes, kept a worker at work without end."""
    world = World(outbox, 0)
    world.put("right")
    drain(world.running)
    for n in range(50):
        world.put(str(n), at=NOW + DAY + n)
        world.live(1, step=1)
    looks = 0
    for _ in range(HOUR):
        before = world.running.seconds_until_due(5.0)
        looks += before == 0.0
        world.live(1, step=1)
    assert 2 <= looks <= 6
