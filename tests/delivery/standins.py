"""Stand-ins that the tests of delivery share: a Meta that answers what a test wants, a clock that a test sets, events
in an outbox, and what became of them."""

import json
from collections import Counter

from conversion_relay.delivery.transport import Response
from conversion_relay.delivery.turn import Delivery
from conversion_relay.event import SealedEvent
from conversion_relay.settings import Settings

NOW = 1_795_435_200.0
TOKEN = "EAAcanary-token"
SETTINGS = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": TOKEN})
TWO = "META_PIXEL_ID = '{}'\nMETA_ACCESS_TOKEN = '" + TOKEN + "'\n"


def error(code: int, subcode: int | None = None, status: int = 400, **more) -> Response:
    said = {"message": "Invalid parameter", "code": code, "error_subcode": subcode, "fbtrace_id": "Atrace", **more}
    return Response(status, {}, json.dumps({"error": said}).encode())


def taken(ids: list[str]) -> Response:
    return Response(200, {}, json.dumps({"events_received": len(ids), "fbtrace_id": "Aok"}).encode())


def refuse_poison(ids: list[str]) -> Response:
    return error(100, 2804036) if any(i.startswith("poison") for i in ids) else taken(ids)


class Meta:
    """Takes the transport's place: one function from the batch's ids to an answer."""

    def __init__(self, answer=taken) -> None:
        self.answer = answer
        self.calls: list[list[str]] = []
        self.bodies: list[bytes] = []
        self.datasets: list[str] = []

    def send(self, request, deadline):
        ids = [event["event_id"] for event in json.loads(request.body)["data"]]
        self.calls.append(ids)
        self.bodies.append(request.body)
        self.datasets.append(request.url.split("/")[-2])
        return self.answer(ids)

    def close(self) -> None:
        pass


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def wire(event_id: str, name: str = "Lead", event_time: int = int(NOW)) -> bytes:
    event = {"event_name": name, "event_id": event_id, "event_time": event_time, "action_source": "website"}
    return json.dumps(event | {"user_data": {"em": ["0" * 64]}}).encode()


def put(outbox, *ids: str, dataset: str = "1", name: str = "Lead", expires_in: float = 600_000) -> None:
    events = [
        SealedEvent(
            dataset=dataset,
            event_name=name,
            event_id=i,
            event_time=int(NOW),
            expires_at=int(NOW + expires_in),
            body=wire(i, name),
        )
        for i in ids
    ]
    outbox.put(events, NOW)


def delivery(outbox, meta: Meta, clock, settings: Settings = SETTINGS) -> Delivery:
    return Delivery(outbox, meta, settings, clock=clock, steady_clock=clock, jitter=lambda: 0.5)


def drain(running: Delivery) -> None:
    """Every event that is due now, one turn after the other in this thread."""
    while running.step():
        pass


def states(outbox, *ids: str) -> Counter[str]:
    return Counter(story.state for i in ids for story in outbox.find(i))


def numbered(n: int, prefix: str = "e") -> list[str]:
    return [f"{prefix}{i}" for i in range(n)]
