"""One lease from claim to verdicts: what is told of a sitting that does not come to its end."""

import json

import pytest

from conversion_relay.delivery.turn import Delivery
from conversion_relay.errors import LeaseLost, OutboxUnavailable
from conversion_relay.event import SealedEvent
from conversion_relay.telemetry import Counters
from tests.delivery.standins import NOW, SETTINGS, Clock, Meta, drain, error, numbered, put, states, taken


class Losing:
    """The outbox of a worker that slept past its lease: from the second settling on somebody else holds the events."""

    def __init__(self, outbox, lost: Exception) -> None:
        self.outbox, self.lost, self.settled = outbox, lost, 0

    def __getattr__(self, name):
        return getattr(self.outbox, name)

    def settle(self, *settlement):
        self.settled += 1
        if self.settled > 1:
            raise self.lost
        self.outbox.settle(*settlement)


def put_in_two_requests(outbox) -> list[str]:
    """Six events of 1.2 MB: three of them fill a request."""
    ids = numbered(6)
    for event_id in ids:
        body = json.dumps({"event_name": "Lead", "event_id": event_id, "padding": "x" * 1_200_000}).encode()
        more = {"event_time": int(NOW), "expires_at": int(NOW) + 600_000, "body": body}
        outbox.put([SealedEvent(dataset="1", event_name="Lead", event_id=event_id, **more)], NOW)
    return ids


def counted(counters: Counters) -> dict[str, float]:
    return {name: value for (name, _), value in counters.read().items() if value}


def test_what_was_settled_before_the_lease_was_lost_is_counted_and_reported(outbox, caplog):
    put_in_two_requests(outbox)
    counters, meta = Counters(), Meta()
    worker = Delivery(Losing(outbox, LeaseLost("gone")), meta, SETTINGS, clock=Clock(), counters=counters)
    report = worker.step()
    assert [len(call) for call in meta.calls] == [3, 3]
    assert report is not None and (report.delivered, report.calls) == (3, 2)
    assert counted(counters) == {
        "relay_send_total": 2,
        "relay_delivery_calls_total": 2,
        "relay_delivery_delivered_total": 3,
        "relay_delivered_by_age_total": 3,
    }
    assert "A lease ran out before it was settled" in caplog.text


class Full(Losing):
    """Cannot record the first time; notes how many calls are in flight whenever it is to."""

    def settle(self, *settlement):
        self.settled += 1
        self.in_flight.append(self.worker.paces()["1"].in_flight)
        if self.settled == 1:
            raise self.lost
        self.outbox.settle(*settlement)


def test_while_an_answer_is_written_down_another_call_may_begin_and_none_while_it_cannot_be(outbox):
    put(outbox, "a", "b")
    full = Full(outbox, OutboxUnavailable("full"))
    full.in_flight, full.worker = [], Delivery(full, Meta(), SETTINGS, clock=Clock())
    full.worker.step()
    assert full.in_flight == [0, 1] and states(outbox, "a", "b") == {"delivered": 2}
    assert full.worker.paces()["1"].in_flight == 0


def test_a_worker_goes_on_after_a_lost_lease(outbox):
    put_in_two_requests(outbox)
    losing = Losing(outbox, LeaseLost("gone"))
    clock = Clock()
    worker = Delivery(losing, Meta(), SETTINGS, clock=clock, steady_clock=clock)
    worker.step()
    losing.settled = -100
    clock.now += 1  # a dataset that had less than a full batch rests for a moment
    put(outbox, "later")
    drain(worker)
    assert states(outbox, "later") == {"delivered": 1}


def test_what_was_settled_before_a_stop_is_counted_though_the_rest_cannot_be_recorded(outbox):
    put_in_two_requests(outbox)
    counters, calls = Counters(), []

    def answer(ids):
        calls.append(ids)
        if len(calls) == 2:
            worker.stop()
        return taken(ids)

    full = Losing(outbox, OutboxUnavailable("full"))
    worker = Delivery(full, Meta(answer), SETTINGS, clock=Clock(), counters=counters)
    with pytest.raises(OutboxUnavailable):
        worker.step()
    assert counted(counters)["relay_delivery_delivered_total"] == 3


def test_a_sitting_that_is_told_to_stop_gives_back_what_it_did_not_send(outbox):
    ids = put_in_two_requests(outbox)
    counters = Counters()

    def answer(sent):
        worker.stop()
        return taken(sent)

    worker = Delivery(outbox, Meta(answer), SETTINGS, clock=Clock(), counters=counters)
    report = worker.step()
    assert report is not None and (report.claimed, report.delivered) == (6, 3)
    assert states(outbox, *ids) == {"delivered": 3, "pending": 3}
    assert counted(counters)["relay_delivery_delivered_total"] == 3


def test_one_answer_about_the_dataset_decides_for_all_that_was_claimed(outbox):
    """What was not sent any more waits no longer than what was, and no attempt is held against it."""
    ids = put_in_two_requests(outbox)
    meta = Meta(lambda _: error(190, 463))
    report = Delivery(outbox, meta, SETTINGS, clock=Clock()).step()
    assert len(meta.calls) == 1 and report is not None and report.retried == 6
    stories = [story for event_id in ids for story in outbox.find(event_id)]
    assert {(story.state, story.attempts, story.reason) for story in stories} == {("pending", 0, "unauthorized")}
    assert sum(bool(story.history) for story in stories) == 3, "the answer is kept with those that were sent"
