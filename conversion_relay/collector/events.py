"""POST /events: read, judge, make durable, answer. Nothing is answered 202 before it is fsynced."""

import asyncio
import contextlib
from collections.abc import Sequence

import msgspec

from conversion_relay.collector.browser_ids import BrowserIds, browser_ids
from conversion_relay.collector.door import Knock, Reply, Stop, not_durable
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import STANDARD_EVENT_NAMES, Event, SealedEvent
from conversion_relay.intake import Refused, RequestFacts
from conversion_relay.reading import read_event, read_request
from conversion_relay.relay import NO_FACTS, Relay
from conversion_relay.telemetry import Counters


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True):
    index: int
    event_id: str
    duplicate: bool
    dropped: tuple[str, ...] = ()
    """Match keys that were left out, each with its reason."""


class Rejected(msgspec.Struct, frozen=True):
    index: int
    reason: str
    field: str
    message: str


class Answer(msgspec.Struct, frozen=True):
    """The body of every answer of POST /events that read the events."""

    accepted: list[Accepted]
    refused: list[Rejected]


class EventsEndpoint:
    """`post` is the route."""

    def __init__(self, relay: Relay, counters: Counters) -> None:
        self._relay, self._counters = relay, counters

    async def post(self, knock: Knock) -> Reply:
        submitted = read_request(knock.body)
        if isinstance(submitted, Refused):
            status = 413 if submitted.reason == "too_many_events" else 400
            raise Stop(status, submitted.reason, submitted.field, submitted.message)
        ids = browser_ids(knock, self._relay.settings)
        sealed: list[tuple[int, SealedEvent]] = []
        refused: list[Rejected] = []
        for index, raw in enumerate(submitted.events):
            if index % 100 == 99:
                await asyncio.sleep(0)
            verdict = await self._seal(raw, knock, ids)
            if isinstance(verdict, Refused):
                refused.append(Rejected(index, verdict.reason, verdict.field, verdict.message))
            else:
                sealed.append((index, verdict))
        for rejected in refused:
            self._counters.add("relay_events_rejected_total", reason=rejected.reason)
        accepted = await self._keep(sealed)
        self._note_pixel(knock, sealed, submitted.pixel)
        status = 422 if refused and not accepted else 202
        cookies = ids.cookies() if ids and status == 202 else ()
        return Reply(status=status, answer=Answer(accepted, refused), headers=_reasons(refused), cookies=cookies)

    async def _seal(self, raw: msgspec.Raw, knock: Knock, ids: BrowserIds | None) -> SealedEvent | Refused:
        event = read_event(raw)
        if isinstance(event, Refused):
            return event
        facts = knock.facts
        if knock.sender == "backend":
            facts = await self._remembered(event)
        elif ids is not None:
            facts = ids.facts_for_event(event)
        return self._relay.seal(event, facts, sender=knock.sender, dataset=knock.dataset)

    async def _remembered(self, event: Event) -> RequestFacts:
        """What is known of the visitor whose order a backend reports."""
        person = event.user_data
        if person.fbp and person.fbc and person.client_ip_address:
            return NO_FACTS
        try:
            if not self._relay.outbox.has_visitors():
                return NO_FACTS
            return await asyncio.to_thread(self._relay.facts_for, event)
        except OutboxUnavailable:
            return NO_FACTS  # the put will say so; until then the event is no worse than without a visit

    async def _keep(self, sealed: Sequence[tuple[int, SealedEvent]]) -> list[Accepted]:
        if not sealed:
            return []
        try:
            receipts = await asyncio.wrap_future(self._relay.put_soon([event for _, event in sealed]))
        except OutboxUnavailable:
            raise not_durable("the events could not be made durable") from None
        accepted = []
        for (index, event), receipt in zip(sealed, receipts, strict=True):
            accepted.append(Accepted(index, receipt.event_id, receipt.duplicate, event.dropped))
            name = event.event_name if event.event_name in STANDARD_EVENT_NAMES else "other"
            self._counters.add(f"relay_events_{'duplicate' if receipt.duplicate else 'accepted'}_total", event=name)
        return accepted

    def _note_pixel(
        self, knock: Knock, sealed: Sequence[tuple[int, SealedEvent]], reported: Sequence[tuple[str, str]]
    ) -> None:
        """A figure, so nobody waits for it, and that it could not be counted fails no request."""
        pairs = [*((event.event_name, event.event_id) for _, event in sealed if event.pixel), *reported]
        if pairs:
            with contextlib.suppress(OutboxUnavailable):
                self._relay.note_pixel(knock.dataset, pairs)


def _reasons(refused: Sequence[Rejected]) -> dict[str, str]:
    reasons = dict.fromkeys(rejected.reason for rejected in refused)
    return {"x-relay-reason": ", ".join(reasons)} if reasons else {}
