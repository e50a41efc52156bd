"""Turns while Meta is away: nothing is lost, few requests ask, and one event cannot hold up the others."""

import pytest

from conversion_relay.delivery.transport import Response
from conversion_relay.delivery.turn import Delivery
from conversion_relay.meta.graph import Unreachable
from tests.delivery.standins import NOW, SETTINGS, Meta, delivery, drain, error, numbered, put, states, taken


def test_silence_stops_the_dataset_and_loses_nothing(outbox, clock):
    put(outbox, *numbered(10))
    meta = Meta(lambda _: Unreachable("connect", sent=False))
    running = delivery(outbox, meta, clock)
    for _ in range(30):
        drain(running)
        clock.now += 301
    assert states(outbox, *numbered(10)) == {"pending": 10}
    meta.answer = taken
    drain(running)
    assert states(outbox, *numbered(10)) == {"delivered": 10}


@pytest.mark.parametrize(
    "answer",
    [
        lambda ids: Response(200, {}, b'{"events_received": %d, "fbtrace_id": "A"}' % (len(ids) - 1)),
        lambda _: Response(200, {}, b"<html>Blocked</html>"),
    ],
)
def test_a_success_that_never_adds_up_for_one_event_keeps_no_other_from_its_delivery(outbox, clock, answer):
    put(outbox, "bad", *numbered(40))
    meta = Meta(lambda ids: answer(ids) if "bad" in ids else taken(ids))
    running = delivery(outbox, meta, clock)
    for turn in range(18):
        put(outbox, *numbered(turn < 9, f"fresh{turn}"))
        drain(running)
        clock.now += 301
    assert states(outbox, *numbered(40), *(f"fresh{turn}0" for turn in range(9))) == {"delivered": 49}
    assert states(outbox, "bad") == {"pending": 1}, "nobody said that it is bad"


def test_where_no_success_adds_up_events_are_asked_in_halves_and_not_one_by_one(outbox, clock):
    put(outbox, *numbered(64))
    meta = Meta(lambda ids: taken(ids[:-1]))
    running = delivery(outbox, meta, clock)
    for _ in range(20):
        drain(running)
        clock.now += 301
    assert len(meta.calls) <= 2 * 20 and states(outbox, *numbered(64)) == {"pending": 64}


@pytest.mark.parametrize("status", [302, 401, 404])
def test_a_page_that_a_firewall_sends_for_one_event_keeps_no_other_from_its_delivery(outbox, clock, status):
    put(outbox, *numbered(40), "bad", *numbered(40, "more"))
    meta = Meta(lambda ids: Response(status, {}, b"<html>") if "bad" in ids else taken(ids))
    running = delivery(outbox, meta, clock)
    for _ in range(60):
        drain(running)
        clock.now += 5
    assert states(outbox, *numbered(40), *numbered(40, "more")) == {"delivered": 80}
    assert states(outbox, "bad") == {"pending": 1}


def test_every_attempt_sends_the_same_bytes(outbox, clock):
    put(outbox, "a")
    answers = iter([Unreachable("reset", sent=True), error(2, status=500), Response(200, {}, b'{"events_rec')])
    meta = Meta(lambda ids: next(answers, None) or taken(ids))
    running = delivery(outbox, meta, clock)
    for _ in range(8):
        drain(running)
        clock.now += 301
    assert len(meta.calls) == 4 and len(set(meta.bodies)) == 1
    assert states(outbox, "a") == {"delivered": 1}


def test_retries_are_spread_by_chance(outbox, clock):
    put(outbox, "a")
    chances = iter([0.25, 0.75])
    running = Delivery(
        outbox,
        Meta(lambda _: Unreachable("reset", sent=False)),
        SETTINGS,
        clock=clock,
        steady_clock=clock,
        jitter=lambda: next(chances),
    )
    drain(running)
    assert running.paces()["1"].parked_seconds == 0.25
    clock.now += 1
    drain(running)
    assert running.paces()["1"].parked_seconds == 1.5


def test_in_an_outage_one_event_at_a_time_asks_whether_meta_is_back(outbox, clock):
    put(outbox, *numbered(3_000))
    meta = Meta(lambda _: Unreachable("deadline", sent=True))
    running = delivery(outbox, meta, clock)
    for _ in range(10):
        drain(running)
        clock.now += 31
    assert [len(call) for call in meta.calls] == [1_000, 1_000, 1_000, 1, 1, 1, 1, 1, 1, 1]
    meta.answer = taken
    drain(running)
    assert [len(call) for call in meta.calls[10:]] == [1, 4, 16, 64, 256, 1_000, 1_000, 659]


def test_an_event_that_makes_meta_fail_is_soon_alone_and_holds_up_nobody(outbox, clock):
    """Asked with this event in it, Meta answers 500, every time; nobody said that it was this one."""
    put(outbox, *numbered(500), "stumbling block", *numbered(1_500, "f"), expires_in=500_000)
    meta = Meta(lambda ids: error(1, status=500) if "stumbling block" in ids else taken(ids))
    running = delivery(outbox, meta, clock)
    began = clock.now
    while outbox.counts()["1"].delivered < 2_000:
        drain(running)
        clock.now += 1
    assert clock.now - began < 300 and len(meta.calls) < 100
    calls = len(meta.calls)
    for n in range(60):
        put(outbox, f"later{n}", expires_in=500_000)
        while states(outbox, f"later{n}") != {"delivered": 1}:
            drain(running)
            clock.now += 1
    assert clock.now - began < 1_500 and len(meta.calls) - calls < 200
    assert states(outbox, "stumbling block") == {"pending": 1}


@pytest.mark.parametrize("answer", [error(100, 2804999), error(1, status=500), Response(400, {}, b"<html>")])
@pytest.mark.parametrize("where", ["first", "everywhere"])
def test_many_events_that_make_meta_fail_do_not_take_turns_at_the_head_of_the_line(outbox, clock, answer, where):
    """Each alone is answered with an error that could be about anything; nothing fresh comes to end it."""
    good, bad = numbered(300), numbered(20, "stumbling")
    put(outbox, *(bad + good if where == "first" else [i for n in range(20) for i in [bad[n], *good[n * 15 :][:15]]]))
    meta = Meta(lambda ids: answer if any(i in bad for i in ids) else taken(ids))
    running = delivery(outbox, meta, clock)
    while outbox.counts()["1"].delivered < 300 and clock.now < NOW + 1_800:
        drain(running)
        clock.now += 2
    assert outbox.counts()["1"].delivered == 300 and len(meta.calls) < 400
    assert states(outbox, *bad) == {"pending": 20}


def test_what_meta_stumbles_over_does_not_pause_what_comes_after_it(outbox, clock):
    """Fifty of them, tried again at least each five minutes."""
    bad = numbered(50, "stumbling")
    meta = Meta(lambda ids: error(100, 2804999) if any(i in bad for i in ids) else taken(ids))
    running = delivery(outbox, meta, clock)
    put(outbox, *bad)
    late = []
    for n in range(900):
        if n % 3 == 0:
            put(outbox, f"fresh{n}")
        drain(running)
        if n > 600:
            late += [pace.parked_seconds for pace in running.paces().values()]
        clock.now += 3
    assert outbox.counts()["1"].delivered == 300 and not any(late)
    before = len(meta.calls)
    meta.answer = taken
    for _ in range(110):
        drain(running)
        clock.now += 3
    assert states(outbox, *bad) == {"delivered": 50} and len(meta.calls) - before <= 50


def test_in_an_outage_few_events_are_left_in_doubt(outbox, clock):
    put(outbox, *numbered(100))
    meta = Meta(lambda _: Unreachable("deadline", sent=True))
    running = delivery(outbox, meta, clock)
    for _ in range(200):
        drain(running)
        clock.now += 31
    asked = {i for call in meta.calls if len(call) == 1 for i in call}
    assert len(meta.calls) == 200 and 1 < len(asked) <= 16


def test_a_pause_that_another_turn_was_asked_for_holds_between_two_calls_of_one(outbox, clock):
    """Meta names one event of two; before the other is sent again, a call of another turn is throttled."""
    put(outbox, "bad", "good")
    meta = Meta()
    running = delivery(outbox, meta, clock)

    def answer(ids):
        put(outbox, "other")
        clock.now += 1
        meta.answer = lambda _: error(80004, status=400)
        assert running.step()
        meta.answer = taken
        return error(100, 2804019, error_user_msg="The parameter $['data'][0]['custom_data']['value'] is required")

    meta.answer = answer
    running.step()
    assert meta.calls == [["bad", "good"], ["other"]]
    clock.now += 3_600
    drain(running)
    assert states(outbox, "bad") == {"dead": 1} and states(outbox, "good", "other") == {"delivered": 2}
