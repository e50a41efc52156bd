"""Turns in which Meta refuses a batch: the bad events are found, and the others are sent."""

from conversion_relay.event import SealedEvent
from conversion_relay.meta.graph import Unreachable
from tests.delivery.standins import NOW, Meta, delivery, drain, error, numbered, put, refuse_poison, states, taken, wire


def test_one_bad_event_of_a_thousand_costs_at_most_21_calls_and_nobody_else(outbox, clock):
    ids = [*numbered(700), "poison", *numbered(299, "f")]
    put(outbox, *ids)
    meta = Meta(refuse_poison)
    drain(delivery(outbox, meta, clock))
    assert len(meta.calls) <= 21
    assert states(outbox, *ids) == {"delivered": 999, "dead": 1}
    (story,) = outbox.find("poison")
    assert story.reason == "meta_100_2804036"
    assert (story.history[-1].code, story.history[-1].subcode, story.history[-1].fbtrace_id) == (100, 2804036, "Atrace")


def test_ten_bad_events_cost_at_most_140_calls(outbox, clock):
    ids = [f"poison{i}" if i % 100 == 37 else f"e{i}" for i in range(1000)]
    put(outbox, *ids)
    meta = Meta(refuse_poison)
    drain(delivery(outbox, meta, clock))
    assert len(meta.calls) <= 140
    assert states(outbox, *ids) == {"delivered": 990, "dead": 10}


def test_when_every_event_is_refused_the_suspects_rest_after_some_seconds_with_one_alert(outbox, clock, caplog):
    ids = [f"poison{i}" for i in range(1000)]
    put(outbox, *ids)

    def refuse(batch):
        clock.now += 0.1
        return refuse_poison(batch)

    meta = Meta(refuse)
    running = delivery(outbox, meta, clock)
    drain(running)
    assert 32 <= len(meta.calls) <= 220
    assert states(outbox, *ids)["pending"] >= 780
    assert running.paces()["1"].why == "all_refused"
    assert [r.levelname for r in caplog.records if "refuses every event" in r.message] == ["ERROR"]


def test_when_meta_names_the_event_it_is_taken_out_without_halving(outbox, clock):
    ids = ["e0", "e1", "bad", "e3"]
    put(outbox, *ids)

    def answer(batch):
        if "bad" not in batch:
            return taken(batch)
        where = f"The parameter $['data'][{batch.index('bad')}]['user_data'] is required"
        return error(100, 2804019, error_user_msg=where)

    meta = Meta(answer)
    drain(delivery(outbox, meta, clock))
    assert meta.calls == [ids, ["e0", "e1", "e3"]]
    assert states(outbox, *ids) == {"delivered": 3, "dead": 1}


def test_halving_that_an_outage_interrupts_goes_on_where_it_was(outbox, clock):
    ids = [*numbered(999), "poison"]
    put(outbox, *ids)
    meta = Meta()
    count = iter(range(1000))

    def flaky(batch):
        return Unreachable("reset", sent=True) if next(count) % 3 == 2 else refuse_poison(batch)

    meta.answer = flaky
    running = delivery(outbox, meta, clock)
    for _ in range(60):
        drain(running)
        clock.now += 301
    assert states(outbox, *ids) == {"delivered": 999, "dead": 1}
    assert len(meta.calls) <= 60


def test_the_suspects_are_sent_apart_so_that_three_old_events_cost_few_calls(outbox, clock):
    """Meta's clock runs ahead of ours: it finds too old what we found just young enough."""
    old = int(NOW) - 7 * 86_400 + 1_800

    def sealed(i: int) -> SealedEvent:
        event_time = old if i in (13, 500, 999) else int(NOW)
        body = wire(f"e{i}", event_time=event_time)
        return SealedEvent(
            dataset="1", event_name="Lead", event_id=f"e{i}", event_time=event_time, expires_at=int(NOW) + 99, body=body
        )

    outbox.put([sealed(i) for i in range(1000)], NOW)
    meta = Meta(lambda ids: error(100, 2804003) if {"e13", "e500", "e999"} & set(ids) else taken(ids))
    drain(delivery(outbox, meta, clock))
    assert states(outbox, *numbered(1000)) == {"delivered": 997, "dead": 3}
    assert len(meta.calls) <= 7
    assert ["e13", "e500", "e999"] in meta.calls


def test_a_meta_that_refuses_is_a_meta_that_is_there(outbox, clock):
    """Outages between refusals do not add up to a long silence."""
    ids = [*numbered(63), "poison"]
    put(outbox, *ids)
    count = iter(range(1000))
    running = delivery(
        outbox, Meta(lambda b: Unreachable("reset", True) if next(count) % 2 else refuse_poison(b)), clock
    )
    for _ in range(20):
        drain(running)
        assert running.paces()["1"].parked_seconds <= 1
        clock.now += 1
    assert states(outbox, *ids) == {"delivered": 63, "dead": 1}
