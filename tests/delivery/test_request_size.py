"""How large requests become: as large as Meta and what stands before it take."""

import json

from conversion_relay.delivery.request_size import LEAST_BYTES, SURE_BYTES, RequestSize
from conversion_relay.delivery.transport import Response
from conversion_relay.event import SealedEvent
from conversion_relay.meta.batch import MOST_BYTES, MOST_EVENTS
from conversion_relay.meta.graph import Accepted, Said, TooLarge, Unreachable
from tests.delivery.standins import NOW, Clock, Meta, delivery, drain, numbered, states

OK, TOO_LARGE = Accepted(Said(status=200)), TooLarge(Said(status=413))


class SmallDoor(Meta):
    """A proxy before Meta takes so many bytes and no more."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.refused = most, 0

    def send(self, request, deadline):
        if len(request.body) > self.most:
            self.refused += 1
            return Response(413, {}, b"<html>413 Request Entity Too Large</html>")
        return super().send(request, deadline)


def put_large(outbox, ids: list[str], size: int, dataset: str = "1") -> None:
    more = {"event_time": int(NOW), "expires_at": int(NOW) + 600_000}
    bodies = {i: json.dumps({"event_name": "Lead", "event_id": i, "padding": "x" * size}).encode() for i in ids}
    outbox.put([SealedEvent(dataset=dataset, event_name="Lead", event_id=i, body=bodies[i], **more) for i in ids], NOW)


def test_a_thousand_events_as_people_send_them_are_one_request(outbox):
    put_large(outbox, numbered(1_000), 1_400)
    meta = Meta()
    drain(delivery(outbox, meta, Clock()))
    assert [len(call) for call in meta.calls] == [1_000]


def test_what_a_proxy_finds_too_large_is_sent_in_parts_and_the_next_request_fits_at_once(outbox):
    ids = numbered(60)
    put_large(outbox, ids, 50_000)
    door, clock = SmallDoor(1_000_000), Clock()
    worker = delivery(outbox, door, clock)
    drain(worker)
    assert states(outbox, *ids) == {"delivered": 60}
    refused = door.refused
    put_large(outbox, more := numbered(60, "more"), 50_000)
    for _ in range(10):
        clock.now += 1
        drain(worker)
    assert states(outbox, *more) == {"delivered": 60} and door.refused == refused


def test_a_proxy_that_takes_a_few_kilobytes_is_not_asked_again_and_again(outbox):
    put_large(outbox, ids := numbered(100), 500)
    door, clock = SmallDoor(5_000), Clock()
    worker = delivery(outbox, door, clock)
    for _ in range(30):
        clock.now += 0.2
        drain(worker)
    assert states(outbox, *ids) == {"delivered": 100} and door.refused <= 5


def test_one_event_that_is_too_large_does_not_make_the_requests_of_others_small(outbox):
    put_large(outbox, ["huge"], 1_000_000)
    door, clock = SmallDoor(900_000), Clock()
    worker = delivery(outbox, door, clock)
    drain(worker)
    put_large(outbox, ids := numbered(16), 50_000)
    for _ in range(2):
        clock.now += 0.2
        worker.step()
    assert [len(call) for call in door.calls] == [4, 12] and states(outbox, *ids) == {"delivered": 16}


def test_a_refusal_is_final_and_what_was_taken_before_stays_allowed():
    size = RequestSize()
    size.note(OK, 900_000)
    size.note(TOO_LARGE, 1_400_000)
    assert size.most == 900_000
    for _ in range(20):
        size.note(OK, size.most)
    assert size.most == 900_000
    size.note(TOO_LARGE, 900_000)
    assert size.most == 450_000
    for _ in range(20):
        size.note(TOO_LARGE, size.most)
    assert size.most == LEAST_BYTES


def test_silence_after_a_large_request_makes_them_smaller_for_a_time():
    size = RequestSize()
    for _ in range(9):
        size.note(Unreachable("deadline", sent=True), size.most)
    assert size.most == SURE_BYTES
    size.note(Unreachable("connection_refused", sent=False), 4 * SURE_BYTES)
    assert size.most == SURE_BYTES
    for _ in range(9):
        size.note(OK, size.most)
    assert size.most == MOST_BYTES


def test_as_many_events_are_claimed_as_one_request_holds():
    size = RequestSize()
    assert size.events == MOST_EVENTS
    size.claimed(1_000, 1_400_000)
    assert size.events == MOST_EVENTS
    size.note(TOO_LARGE, 1_400_000)
    assert 450 < size.events < 500
    for _ in range(20):
        size.claimed(4, 200_000)
    assert size.events == 13
