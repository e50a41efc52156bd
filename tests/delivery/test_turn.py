"""One turn of delivery against a Meta that answers as it is told, over a real outbox file."""

import logging

import pytest

from conversion_relay.delivery.transport import Response
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.settings import Settings
from tests.delivery.standins import (
    SETTINGS,
    TOKEN,
    TWO,
    Meta,
    delivery,
    drain,
    error,
    numbered,
    put,
    refuse_poison,
    states,
    taken,
    wire,
)


def test_a_thousand_events_are_one_request_with_their_own_bytes(outbox, clock):
    ids = numbered(1000)
    put(outbox, *ids)
    meta = Meta()
    drain(delivery(outbox, meta, clock))
    assert meta.calls == [ids]
    assert wire("e7") in meta.bodies[0]
    assert states(outbox, *ids) == {"delivered": 1000}


def test_the_three_sentences_come_once_per_outcome_and_only_after_the_commit(outbox, clock, caplog):
    caplog.set_level(logging.INFO)
    put(outbox, "good", name="Purchase")
    put(outbox, "poison", name="Contact")
    meta = Meta(refuse_poison)
    drain(delivery(outbox, meta, clock))
    said = [record.message for record in caplog.records if "Meta Conversions API" in record.message]
    assert sorted(said) == [
        "Failed to send Meta Conversions API Contact event",
        "Meta Conversions API Purchase event sent successfully",
    ]
    (failed,) = [r for r in caplog.records if r.message.startswith("Failed")]
    assert (failed.code, failed.subcode, failed.fbtrace_id, failed.event_id) == (100, 2804036, "Atrace", "poison")
    assert TOKEN not in caplog.text


def test_nothing_is_said_when_it_could_not_be_recorded(outbox, clock, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    put(outbox, "a")

    def full(*_):
        running.stop()
        raise OutboxUnavailable("FullError")

    running = delivery(outbox, Meta(), clock)
    monkeypatch.setattr(outbox, "settle", full)
    with pytest.raises(OutboxUnavailable):
        running.step()
    assert "sent successfully" not in caplog.text


def test_a_parked_dataset_does_not_hold_up_another(outbox, clock, tmp_path):
    config = tmp_path / "relay.toml"
    config.write_text("".join(f"[[dataset]]\n{TWO.format(i)}" for i in (1, 2)))
    settings = Settings.from_env({"RELAY_CONFIG": str(config)})
    put(outbox, "a", dataset="1")
    put(outbox, "b", dataset="2")
    meta = Meta()
    meta.answer = lambda ids: error(190) if "a" in ids else taken(ids)
    drain(delivery(outbox, meta, clock, settings))
    assert (states(outbox, "a"), states(outbox, "b")) == ({"pending": 1}, {"delivered": 1})
    assert sorted(meta.datasets) == ["1", "2"]


@pytest.mark.parametrize("code", [190, 102])
def test_a_dead_token_parks_the_dataset_alerts_once_and_resumes_by_itself(outbox, clock, caplog, code):
    put(outbox, "a", "b")
    meta = Meta(lambda _: error(code, 463))
    running = delivery(outbox, meta, clock)
    for _ in range(5):
        drain(running)
        clock.now += 61
    assert states(outbox, "a", "b") == {"pending": 2}
    assert [len(call) for call in meta.calls] == [2, 2, 2, 1, 1], "one small look a minute"
    assert len([r for r in caplog.records if "access token" in r.message]) == 1
    meta.answer = taken
    drain(running)
    assert states(outbox, "a", "b") == {"delivered": 2}
    assert all(story.attempts == 1 for i in "ab" for story in outbox.find(i)), "a dead token spends no attempt"


def test_a_new_token_is_used_at_once_and_only_by_the_dataset_that_got_it(outbox, clock):
    put(outbox, "a")
    meta = Meta(lambda _: error(190))
    running = delivery(outbox, meta, clock)
    drain(running)
    assert running.step() is None, "a minute's pause"
    running.use(SETTINGS)
    assert running.step() is None, "the same token again is no reason"
    meta.answer = taken
    running.use(Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAnew-token"}))
    drain(running)
    assert states(outbox, "a") == {"delivered": 1}


def test_near_a_limit_the_dataset_rests_and_says_why(outbox, clock):
    put(outbox, "a")
    answer = taken(["a"])
    usage = {"x-app-usage": '{"call_count":90,"total_time":1,"total_cputime":1}'}
    running = delivery(outbox, Meta(lambda _: Response(200, usage, answer.body)), clock)
    drain(running)
    assert states(outbox, "a") == {"delivered": 1}
    assert (running.paces()["1"].parked_seconds, running.paces()["1"].why) == (30, "near_limit")
    put(outbox, "b")
    assert running.step() is None
    clock.now += 31
    drain(running)
    assert states(outbox, "b") == {"delivered": 1}


def test_answers_that_do_not_add_up_are_told_once_and_the_events_are_sent_on_until_they_do(outbox, clock, caplog):
    put(outbox, "a", "b")
    meta = Meta(lambda ids: taken(ids[:-1]))
    running = delivery(outbox, meta, clock)
    for _ in range(12):
        drain(running)
        clock.now += 301
    assert states(outbox, "a", "b") == {"pending": 2}
    assert len([r for r in caplog.records if "do not add up" in r.message]) == 1
    meta.answer = taken
    drain(running)
    assert states(outbox, "a", "b") == {"delivered": 2}
    assert all(wire(i) in body for ids, body in zip(meta.calls, meta.bodies, strict=True) for i in ids)


def test_told_to_stop_between_two_batches_it_lets_go_of_the_rest(outbox, clock):
    put(outbox, *numbered(999), "poison")
    meta = Meta()
    running = delivery(outbox, meta, clock)

    def answer(batch):
        running.stop()
        return refuse_poison(batch)

    meta.answer = answer
    drain(running)
    assert len(meta.calls) == 1
    book = outbox.counts()["1"]
    assert (book.pending, book.leased, book.imbalance) == (1_000, 0, 0)


def test_a_lease_is_extended_while_a_bad_batch_is_taken_apart(outbox, clock, monkeypatch):
    put(outbox, *numbered(63), "poison")
    extended = []
    monkeypatch.setattr(outbox, "extend", lambda lease, seconds: extended.append(seconds))

    def slow(batch):
        clock.now += 15
        return refuse_poison(batch)

    drain(delivery(outbox, Meta(slow), clock))
    assert extended and set(extended) == {60.0}
    assert states(outbox, *numbered(63), "poison") == {"delivered": 63, "dead": 1}
