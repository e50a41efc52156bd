"""EventRequest, EventRequestAsync, BatchProcessor and EventResponse: `execute` returns when the events are durable."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from conversion_relay import event as ours
from conversion_relay.event import Rejection, SealedEvent
from conversion_relay.facebook_business.api import FacebookAdsApi, relay_for
from conversion_relay.facebook_business.exceptions import EventRefused
from conversion_relay.facebook_business.model import Model
from conversion_relay.facebook_business.plain import plain
from conversion_relay.facebook_business.request_context import NO_REQUEST, UNREADABLE
from conversion_relay.facebook_business.shapes import Event
from conversion_relay.intake.accept import WITHHELD
from conversion_relay.intake.mending import kept_apart
from conversion_relay.intake.reading import read_event
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from conversion_relay.intake.values import LeftOut
from conversion_relay.intake.wishes_beside import NO_NOES, Noes, with_noes
from conversion_relay.meta.customer_information.nothing import is_nothing
from conversion_relay.relay import Relay, Sent
from conversion_relay.relay.copies import Copy


@dataclass
class EventResponse(Model):
    """`events_received`: how many are durable here (with a test code: how many Meta took). `messages`: what was not
    kept and why, and what was left out of the others; never a value."""

    events_received: int = 0
    messages: list[str] = field(default_factory=list)
    fbtrace_id: str | None = None
    """Meta's, of an event that was sent at once; None where Meta has not been asked yet."""


@dataclass(repr=False)
class Written:
    """An event that was not built but written: a dictionary in Meta's form, or its JSON. `beside`: what its request
    says of the visitor."""

    given: Mapping[str, Any] | str | bytes
    beside: Noes = NO_NOES


_MEMBERS = ["pixel_id", "test_event_code", "namespace_id", "upload_id", "upload_tag", "upload_source", "partner_agent"]
"""Of a request, beside its events."""


class EventRequest:
    """Some events of one pixel."""

    def __init__(
        self,
        pixel_id: str | None = None,
        events: Sequence[Event] | None = None,
        test_event_code: str | None = None,
        namespace_id: str | None = None,
        upload_id: str | None = None,
        upload_tag: str | None = None,
        upload_source: str | None = None,
        partner_agent: str | None = None,
        http_client: None = None,
        access_token: str | None = None,
        appsecret: str | None = None,
    ) -> None:
        """`test_event_code`: these events are sent at once and Meta's answer is waited for. The members that are about
        uploads and partners are taken and not sent."""
        if pixel_id is None or events is None:
            missing = "pixel_id" if pixel_id is None else "events"
            raise ValueError(f"Invalid value for `{missing}`, must not be `None`")
        if http_client is not None:
            raise TypeError("http_client: the relay delivers by itself, later; leave it out")
        if access_token or appsecret:
            FacebookAdsApi.init(access_token=access_token, app_secret=appsecret)
        given: Any = pixel_id
        if not isinstance(given, str | int) or (isinstance(given, int) and not 0 < given < 2**63):
            raise TypeError("pixel_id: the digits of one pixel are needed")
        self.pixel_id, self.events, self.test_event_code = str(pixel_id), listed_events(events), test_event_code
        self.namespace_id, self.upload_id, self.upload_tag = namespace_id, upload_id, upload_tag
        self.upload_source, self.partner_agent = upload_source, partner_agent

    def normalize(self) -> list[dict[str, Any]]:
        """As Meta would get them: hashed and scrubbed. Nothing is kept."""
        import msgspec

        sealed = self._sealed()[1]
        return [msgspec.json.decode(event.body) for event in sealed]

    def get_request_params(self) -> dict[str, Any]:
        """What goes along with the events."""
        code = self._test_code()
        return {} if code is None else {"test_event_code": code}

    def _test_code(self) -> str | None:
        """None where a setting that is empty came along (`os.getenv("TEST_CODE", "")`): these events are no test, and
        are kept like all others."""
        code = str(self.test_event_code or "").strip()
        return None if not code or is_nothing(code) else code

    def get_params(self) -> dict[str, Any]:
        """The request as Meta would get it, without the token; `data` as `normalize` has it."""
        return {**self.get_request_params(), "data": self.normalize()}

    def to_dict(self) -> dict[str, Any]:
        """As it was given, a person included."""
        given = [event.to_dict() if isinstance(event, Event) else event for event in self.events]
        return {**{name: getattr(self, name) for name in _MEMBERS}, "events": given}

    def to_str(self) -> str:
        """The events by the names of their members."""
        return f"{type(self).__name__}(pixel_id={self.pixel_id!r}, events={self.events!r})"

    def execute(self) -> EventResponse:
        """Durable when it returns. Raises EventRefused, which is an InvalidEvent and a FacebookRequestError, when every
        event was refused; and OutboxUnavailable.

        One refused event among others costs these nothing; it is named in `messages`."""
        relay, sealed, copies, messages = self._sealed()
        if (code := self._test_code()) is not None:
            sent = relay.send(sealed, test_event_code=code)
            messages += [_not_taken(one) for one in sent if not one.accepted]
            return EventResponse(sum(len(one.event_ids) for one in sent if one.accepted), messages, _trace(sent))
        n = len(sealed)
        if sealed := [*sealed, *copies]:
            relay.put(sealed)
        return EventResponse(n, messages)

    def _sealed(self) -> tuple[Relay, list[SealedEvent], list[SealedEvent], list[str]]:
        """The relay, the events, their copies for other datasets, and what is told."""
        relay, dataset = relay_for(self.pixel_id)
        others = relay.settings.with_copies(dataset)[1:]
        sealed: list[SealedEvent] = []
        copies: list[SealedEvent] = []
        messages: list[str] = []
        refused: list[Rejection] = []
        for place, event in enumerate(self.events):
            read, facts = _read(event, relay)
            judged = read if isinstance(read, Rejection) else relay.accept(read, facts, dataset=dataset)
            if others and not isinstance(read, Rejection):
                made = relay.copies_of(read, facts, sender="backend", datasets=others, own=judged)
                copies += [copy.answer.event for copy in made if not isinstance(copy.answer, Rejection)]
                messages += [_not_copied(place, copy) for copy in made if isinstance(copy.answer, Rejection)]
            if isinstance(judged, Rejection):
                messages.append(f"events[{place}] was not kept: {judged.field}: {judged.message}")
                refused += [judged] if judged.reason not in WITHHELD else []
                continue
            sealed.append(judged.event)
            messages += [f"events[{place}]: {dropped}" for dropped in judged.dropped]
        if refused and len(refused) == len(self.events) and not copies:
            raise EventRefused(refused[0].reason, refused[0].field, refused[0].message)
        return relay, sealed, copies, messages


class EventRequestAsync(EventRequest):
    """The same for an event loop."""

    async def execute(self) -> EventResponse:  # type: ignore[override]  # as the SDK has it
        """Durable when it was awaited; the disk is waited for in a thread."""
        return await asyncio.to_thread(super().execute)

    def clone_without_events(self) -> "EventRequestAsync":
        clone = copy.copy(self)
        clone.events = []
        return clone


class BatchProcessor:
    """Many events, in requests of `batch_size`. One commit holds a request, whatever its size."""

    def __init__(self, batch_size: int = 50, concurrent_requests: int = 4) -> None:
        if not (
            isinstance(batch_size, int)
            and isinstance(concurrent_requests, int)
            and batch_size > 0 < concurrent_requests
        ):
            raise ValueError("batch_size and concurrent_requests are 1 or more")
        self.batch_size, self.concurrent_requests = batch_size, concurrent_requests

    def process_event_requests(self, event_requests_async: Sequence[EventRequestAsync]) -> None:
        """Without an event loop, so from wherever it is called: a task, a notebook, a thread beside a loop."""
        for one in event_requests_async:
            EventRequest.execute(one)

    async def process_event_requests_generator(
        self, event_requests_async: Sequence[EventRequestAsync]
    ) -> AsyncIterator[list[EventResponse]]:
        step = self.concurrent_requests
        for first in range(0, len(event_requests_async), step):
            yield list(await asyncio.gather(*(one.execute() for one in event_requests_async[first : first + step])))

    def process_events(self, event_request_async_to_clone: EventRequestAsync, events: Sequence[Event]) -> None:
        self.process_event_requests(self._requests(event_request_async_to_clone, events))

    async def process_events_generator(
        self, event_request_async_to_clone: EventRequestAsync, events: Sequence[Event]
    ) -> AsyncIterator[list[EventResponse]]:
        requests = self._requests(event_request_async_to_clone, events)
        async for responses in self.process_event_requests_generator(requests):
            yield responses

    def _requests(self, to_clone: EventRequestAsync, events: Sequence[Event]) -> list[EventRequestAsync]:
        requests, events = [], listed_events(events)
        for first in range(0, len(events), self.batch_size):
            request = to_clone.clone_without_events()
            request.events = events[first : first + self.batch_size]
            requests.append(request)
        return requests


def listed_events(events: Any) -> list[Event]:
    """A list stays the same list, to which a program may add; anything else is read once. Raises TypeError."""
    if isinstance(events, list):
        return events
    if isinstance(events, Iterable) and not isinstance(events, str | bytes | bytearray | Mapping):
        return list(events)
    raise TypeError("events: a list of Event is needed")


def _read(event: Any, relay: Relay) -> tuple[ours.Event | Rejection, RequestFacts]:
    if isinstance(event, Written):
        return _read_written(event), NO_FACTS
    if not isinstance(event, Event):
        return _NO_EVENT, NO_FACTS
    try:
        facts = event.facts(relay.settings.trusted_proxies, relay.settings.viewer_header)
    except UNREADABLE:  # not NO_FACTS alone: a refusal may stand in it
        return NO_REQUEST, NO_FACTS
    return event.as_ours(), facts


def _read_written(event: Written) -> ours.Event | Rejection:
    try:
        raw = json.dumps(plain(event.given)) if isinstance(event.given, Mapping) else event.given
        raw = kept_apart(raw).encode() if isinstance(raw, str) else raw
        return read_event(with_noes(msgspec.Raw(raw), event.beside) if event.beside.members else raw)
    except (LeftOut, TypeError, ValueError, RecursionError):
        return _NOT_WRITTEN


_NOT_WRITTEN = Rejection("wrong_type", "data", "an event in Meta's JSON is needed: a dictionary of texts and numbers")
_NO_EVENT = Rejection("wrong_type", "event", "an Event of conversion_relay.facebook_business is needed; see its import")


def _not_copied(place: int, copy: Copy) -> str:
    why = f"{copy.answer.field}: {copy.answer.message}" if isinstance(copy.answer, Rejection) else ""
    return f"events[{place}] for dataset {copy.dataset} was not kept: {why}"


def _not_taken(one: Sent) -> str:
    """Nobody tries these again, so the caller has to hear of it."""
    outcome: Any = one.outcome
    why = getattr(outcome, "why", None) or outcome.said.title or type(outcome).__name__.lower()
    return f"Meta did not take {len(one.event_ids)} events under the test code: {why}"


def _trace(sent: Sequence[Sent]) -> str | None:
    return next((one.outcome.said.fbtrace_id for one in sent if one.outcome.said), None)
