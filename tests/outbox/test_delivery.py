"""Delivery over a store that is not SQLite: the protocols are all that it needs."""

import json
import time

import pytest

from conversion_relay.delivery.transport import Response
from conversion_relay.delivery.turn import Delivery
from conversion_relay.delivery.worker import Worker
from conversion_relay.outbox import Housekeeping
from conversion_relay.settings import Settings
from tests.outbox.memory import MemoryOutbox
from tests.outbox.memory_store import Store
from tests.outbox.suite import sealed
from tests.processes import until

SETTINGS = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x"})


class Meta:
    """Takes what it gets, but refuses a batch with an event that is called bad."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def send(self, request, deadline):
        ids = [event["event_id"] for event in json.loads(request.body)["data"]]
        if any("bad" in event_id for event_id in ids):
            return Response(400, {}, b'{"error": {"message": "no", "code": 100, "error_subcode": 2804036}}')
        self.taken += ids
        return Response(200, {}, json.dumps({"events_received": len(ids), "fbtrace_id": "A"}).encode())

    def close(self) -> None:
        """Nothing to close."""


class Untidy:
    """A queue with leases, and nobody who keeps the house."""

    def __init__(self, outbox: MemoryOutbox) -> None:
        for verb in ("put", "put_soon", "on_put", "probe", "close"):
            setattr(self, verb, getattr(outbox, verb))


@pytest.fixture
def outbox():
    return MemoryOutbox(Store(time.monotonic))


def put(outbox, *ids: str) -> None:
    now = time.time()
    event = {"event_name": "Lead", "event_time": int(now), "action_source": "website", "user_data": {"em": ["0" * 64]}}
    bodies = {event_id: json.dumps(event | {"event_id": event_id}).encode() for event_id in ids}
    outbox.put([sealed(event_id, body=body, expires_in=10**9) for event_id, body in bodies.items()], now)


def states(outbox) -> dict[str, int]:
    (book,) = outbox.counts().values()
    assert book.imbalance == 0
    return {name: n for name in ("pending", "leased", "delivered", "dead") if (n := getattr(book, name))}


def test_a_batch_with_one_bad_event_is_parted_until_it_stands_alone(outbox):
    put(outbox, *(f"e{n}" for n in range(50)), "bad")
    meta = Meta()
    delivery = Delivery(outbox, meta, SETTINGS)
    while delivery.step():
        pass
    assert states(outbox) == {"delivered": 50, "dead": 1}
    assert len(meta.taken) == len(set(meta.taken)) == 50
    (letter,) = outbox.dead()
    assert letter.event_id == "bad" and letter.history[-1].subcode == 2804036


@pytest.mark.parametrize("kept", [True, False], ids=["with housekeeping", "without housekeeping"])
def test_a_worker_sends_what_is_put_into_any_store(outbox, kept):
    meta = Meta()
    queue = outbox if kept else Untidy(outbox)
    assert isinstance(queue, Housekeeping) == kept
    looked = []
    worker = Worker(Delivery(outbox, meta, SETTINGS), queue, every_second=lambda: looked.append(1))
    worker.start()
    put(outbox, "a", "b")
    until(lambda: sorted(meta.taken) == ["a", "b"])
    until(lambda: len(looked) >= 2)
    worker.stop()
    assert states(outbox) == {"delivered": 2}


def test_what_is_replayed_is_sent_again_at_once(outbox):
    put(outbox, "bad")
    meta = Meta()
    worker = Worker(Delivery(outbox, meta, SETTINGS), outbox)
    worker.start()
    until(lambda: states(outbox) == {"dead": 1})
    outbox.replay(time.time())
    until(lambda: len(outbox.find("bad")[0].history) == 2 and states(outbox) == {"dead": 1})
    worker.stop()
