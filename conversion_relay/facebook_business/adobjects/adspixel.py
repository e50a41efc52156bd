"""`AdsPixel(pixel_id).create_event(params={"data": [...]})`: the SDK's other way, with events as dictionaries."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from conversion_relay.facebook_business.plain import plain
from conversion_relay.facebook_business.requests import EventRequest, Written, listed_events
from conversion_relay.intake.values import LeftOut
from conversion_relay.intake.wishes_beside import noes

__all__ = ["AdsPixel", "EventsTaken"]


class EventsTaken(dict[str, Any]):
    """`events_received`, `messages`, `fbtrace_id`: as members, as the SDK's object has them."""

    def export_all_data(self) -> dict[str, Any]:
        return dict(self)


class AdsPixel:
    """A pixel to which events are sent. The rest of the Marketing API is not here."""

    def __init__(self, fbid: str | int | None = None, parent_id: str | None = None, api: Any = None) -> None:
        """`parent_id` and `api` change nothing: the relay has a session of its own."""
        self.fbid = fbid

    def create_event(
        self, fields: Any = None, params: Mapping[str, Any] | None = None, batch: Any = None, **_: Any
    ) -> EventsTaken:
        """As `EventRequest.execute`, with events in Meta's JSON. Raises TypeError for a `batch` of the SDK's calls."""
        if batch is not None:
            raise TypeError("batch: the relay packs events by itself; leave it out")
        given = dict(params or {})
        pixel: Any = self.fbid
        request = EventRequest(
            pixel_id=pixel,
            events=_written(given.pop("data", None), given),
            test_event_code=given.get("test_event_code") or None,
        )
        taken = request.execute()
        return EventsTaken(
            events_received=taken.events_received, messages=taken.messages, fbtrace_id=taken.fbtrace_id, id=str(pixel)
        )


def _written(data: Any, beside: Mapping[str, Any]) -> list[Any]:
    """The SDK takes the list, the list as one JSON text, and a list of JSON texts. A visitor's "no" that stands beside
    it is about each event in it, as in a request by HTTP."""
    if isinstance(data, str | bytes):
        try:
            data = json.loads(data)
        except ValueError:
            raise TypeError("data: a list of events is needed") from None
    data = [data] if isinstance(data, Mapping) else data
    said = noes({str(name): _raw(value) for name, value in beside.items()})
    return [Written(one, said) if isinstance(one, Mapping | str | bytes) else one for one in listed_events(data)]


def _raw(value: Any) -> msgspec.Raw:
    """As JSON. What has no JSON cannot be read, and is judged as that."""
    try:
        return msgspec.Raw(json.dumps(plain(value)).encode())
    except (LeftOut, TypeError, ValueError, RecursionError):
        return msgspec.Raw(b"")
