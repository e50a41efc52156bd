"""POST /events: read, accept, make durable, answer. No event is answered 202 before it was fsynced."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from conversion_relay.collector.browser_ids import browser_ids
from conversion_relay.collector.door import Admitted, HttpError, Reply, not_durable, too_many
from conversion_relay.collector.limits import MOST_EVENTS, TokenBuckets
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import STANDARD_EVENT_NAMES, Event, Rejection
from conversion_relay.intake.accept import Acceptance
from conversion_relay.intake.browser import BrowserIds
from conversion_relay.intake.reading import Submitted, read_body, read_event
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from conversion_relay.relay import Relay
from conversion_relay.telemetry import Counters

EVENTS_AT_ONCE = 4
"""Others have their turn after so many: under a millisecond. A hundred took twenty, and ten such requests 200 ms."""
FEW_EVENTS = 10


class AcceptedRow(msgspec.Struct, frozen=True, omit_defaults=True):
    index: int
    event_id: str
    duplicate: bool
    dropped: tuple[str, ...] = ()
    """What was left out or completed, each by its path and with its reason."""


class RefusedRow(msgspec.Struct, frozen=True):
    index: int
    reason: str
    field: str
    message: str


class EventsAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every answer of POST /events that read the events."""

    accepted: list[AcceptedRow]
    refused: list[RefusedRow]
    ignored: tuple[str, ...] = ()
    """Members beside `data` that nothing here reads."""


class _Taken(NamedTuple):
    """An accepted event of the request."""

    place: int
    """In the request, from 0."""
    acceptance: Acceptance
    pixel: bool
    """The page gave the same id to its pixel."""


class EventsEndpoint:
    """`post` is the route."""

    def __init__(self, relay: Relay, counters: Counters, buckets: TokenBuckets) -> None:
        self._relay, self._counters, self._buckets = relay, counters, buckets
        self._one_large = asyncio.Lock()

    async def post(self, admitted: Admitted) -> Reply:
        submitted = read_body(admitted.body)
        if isinstance(submitted, Rejection):
            status = 413 if submitted.reason == "too_many_events" else 400
            raise HttpError(status, submitted.reason, submitted.field, submitted.message)
        self._limit(admitted, len(submitted.events) + len(submitted.pixel))
        if admitted.sender == "browser" and len(submitted.events) > FEW_EVENTS:
            async with self._one_large:  # or ten pages would have ten turns of eleven
                return await self._accept(submitted, admitted)
        return await self._accept(submitted, admitted)

    async def _accept(self, submitted: Submitted, admitted: Admitted) -> Reply:
        ids = browser_ids(admitted, self._relay.settings)
        taken: list[_Taken] = []
        refused: list[RefusedRow] = []
        for index, raw in enumerate(submitted.events):
            if index % EVENTS_AT_ONCE == EVENTS_AT_ONCE - 1:
                await asyncio.sleep(0)
            answer = await self._take(index, raw, admitted, ids)
            if isinstance(answer, Rejection):
                refused.append(RefusedRow(index, answer.reason, answer.field, answer.message))
            else:
                taken.append(answer)
        for rejected in refused:
            self._counters.add("relay_events_rejected_total", reason=rejected.reason)
        accepted = await self._keep(taken, submitted.not_passed_on)
        self._note_pixel(admitted, taken, submitted.pixel)
        status = 422 if refused and not accepted else 202
        cookies = ids.cookies() if ids and status == 202 else ()
        return Reply(
            status=status,
            answer=EventsAnswer(accepted, refused, submitted.ignored),
            headers=_reasons(refused),
            cookies=cookies,
        )

    def _limit(self, admitted: Admitted, n: int) -> None:
        """The door took one event of the bucket; here are the others."""
        if admitted.sender != "browser" or n <= 1:
            return
        if n > MOST_EVENTS:
            raise HttpError(413, "too_many_events", "data", f"a page sends at most {MOST_EVENTS} events at once")
        if not self._buckets.take(admitted.facts.client_ip_address, n - 1):
            raise too_many()

    async def _take(
        self, index: int, raw: msgspec.Raw, admitted: Admitted, ids: BrowserIds | None
    ) -> _Taken | Rejection:
        event = read_event(raw)
        if isinstance(event, Rejection):
            return event
        facts = admitted.facts
        if admitted.sender == "backend":
            facts = await self._remembered(event)
        elif ids is not None:
            facts = ids.facts_for_event(event)
        acceptance = self._relay.accept(event, facts, sender=admitted.sender, dataset=admitted.dataset)
        if isinstance(acceptance, Rejection):
            return acceptance
        return _Taken(index, acceptance, bool(event.pixel))

    async def _remembered(self, event: Event) -> RequestFacts:
        """What is remembered of the visitor whose order a backend reports."""
        person = event.user_data
        if person.fbp and person.fbc and person.client_ip_address:
            return NO_FACTS
        try:
            if not self._relay.has_visitors():
                return NO_FACTS
            return await asyncio.to_thread(self._relay.facts_for, event)
        except OutboxUnavailable:
            return NO_FACTS  # the put will say so; until then the event is no worse than without a visit

    async def _keep(self, taken: Sequence[_Taken], not_passed_on: tuple[str, ...]) -> list[AcceptedRow]:
        """Returns after the commit and its fsync: the 202 is a promise."""
        if not taken:
            return []
        try:
            receipts = await asyncio.wrap_future(self._relay.put_soon([one.acceptance.event for one in taken]))
        except OutboxUnavailable:
            raise not_durable("the events could not be made durable") from None
        accepted = []
        for one, receipt in zip(taken, receipts, strict=True):
            dropped = one.acceptance.dropped + not_passed_on
            accepted.append(AcceptedRow(one.place, receipt.event_id, receipt.duplicate, dropped))
            event_name = one.acceptance.event.event_name
            name = event_name if event_name in STANDARD_EVENT_NAMES else "other"
            for member, kind in one.acceptance.removed:
                self._counters.add("relay_personal_data_removed_total", member=member, kind=kind)
            self._counters.add(f"relay_events_{'duplicate' if receipt.duplicate else 'accepted'}_total", event=name)
        return accepted

    def _note_pixel(self, admitted: Admitted, taken: Sequence[_Taken], reported: Sequence[tuple[str, str]]) -> None:
        """Nobody waits for this count, and a request does not fail because it could not be counted."""
        events = [one.acceptance.event for one in taken if one.pixel]
        pairs = [*((event.event_name, event.event_id) for event in events), *reported]
        if pairs:
            with contextlib.suppress(OutboxUnavailable):
                self._relay.note_pixel(admitted.dataset, pairs)


def _reasons(refused: Sequence[RefusedRow]) -> dict[str, str]:
    reasons = dict.fromkeys(rejected.reason for rejected in refused)
    return {"x-relay-reason": ", ".join(reasons)} if reasons else {}
