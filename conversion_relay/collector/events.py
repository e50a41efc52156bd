"""POST /events: read, accept, make durable, answer. No event is answered 202 before it was fsynced."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from conversion_relay.collector import bots
from conversion_relay.collector.browser_ids import browser_ids
from conversion_relay.collector.copying import Copies, Copying
from conversion_relay.collector.dataset_limits import EventLimits
from conversion_relay.collector.door import Admitted, in_dataset
from conversion_relay.collector.gather import Gather
from conversion_relay.collector.hosted_mirror import HostedMirror
from conversion_relay.collector.limits import MOST_EVENTS, MOST_PAID, TokenBuckets
from conversion_relay.collector.reply import HttpError, Reply, not_durable, too_many
from conversion_relay.collector.rows import AcceptedRow, EventsAnswer, RefusedRow, reasons
from conversion_relay.collector.whole import Then
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import PAID_EVENT_NAMES, STANDARD_EVENT_NAMES, Event, Receipt, Rejection, SealedEvent
from conversion_relay.intake.accept import Acceptance
from conversion_relay.intake.browser import BrowserIds
from conversion_relay.intake.common_event import read_alone, read_common
from conversion_relay.intake.reading import Submitted, read_body
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.relay import Relay
from conversion_relay.relay.copies import Answer
from conversion_relay.relay.threads import in_thread
from conversion_relay.telemetry import Counters

EVENTS_AT_ONCE = 4
"""Others have their turn after so many: under a millisecond. A hundred took twenty, and ten such requests 200 ms."""
FEW_EVENTS = 10


class One(NamedTuple):
    """What became of an event that came alone by another route."""

    event_id: str | None = None
    refused: RefusedRow | None = None
    cookies: tuple[str, ...] = ()


class _Taken(NamedTuple):
    """An accepted event of the request."""

    place: int
    """In the request, from 0."""
    acceptance: Acceptance
    pixel: bool
    """The page gave the same id to its pixel."""


class _Work(NamedTuple):
    """One request's events on their way."""

    submitted: Submitted
    ids: BrowserIds | None
    taken: list[_Taken]
    refused: list[RefusedRow]
    copies: Copies | None
    """Where other datasets get one."""


class EventsEndpoint:
    """`post` is the route; `post_at_once` is the same in one turn of the loop, for what is small enough.

    Over 150 lines: the two share what happens to one event."""

    def __init__(self, relay: Relay, counters: Counters, limits: EventLimits) -> None:
        self._relay, self._counters, self._mirror = relay, counters, HostedMirror(counters)
        self._buckets, self._paid, self._limits = limits.buckets, limits.paid, limits.datasets
        self._copying = Copying(relay, counters, self._limits)
        self._one_large = asyncio.Lock()
        self._gathers: Gather | None = None

    async def post(self, admitted: Admitted) -> Reply:
        submitted = _checked(read_body(admitted.body), admitted, self._buckets)
        admitted = in_dataset(admitted, submitted)
        if admitted.sender == "browser" and len(submitted.events) > FEW_EVENTS:
            async with self._one_large:  # or ten pages would have ten turns of eleven
                return await self._accept(submitted, admitted)
        return await self._accept(submitted, admitted)

    async def _accept(self, submitted: Submitted, admitted: Admitted) -> Reply:
        work = self._begin(submitted, admitted, len(submitted.events))
        events = []
        for index, raw in enumerate(submitted.events):
            if index % EVENTS_AT_ONCE == EVENTS_AT_ONCE - 1:
                await asyncio.sleep(0)
            events.append(read_common(raw))
        asked = _to_look_up(events) if admitted.sender == "backend" else {}
        visits = await self._remembered(asked) if asked else {}
        for index, event in enumerate(events):
            if index % EVENTS_AT_ONCE == EVENTS_AT_ONCE - 1:
                await asyncio.sleep(0)
            self._take(work, index, event, admitted, visits.get(index))
        return self._reply(work, await self._keep(work, admitted))

    async def post_one(self, event: Event, admitted: Admitted) -> One:
        """An event that another route read."""
        work = self._begin(_ALONE, admitted, 1)
        self._take(work, 0, event, admitted, None)
        receipts = await self._keep(work, admitted)
        reply = self._reply(work, receipts)
        if work.refused:
            return One(refused=work.refused[0])
        return One(event_id=receipts[0].event_id, cookies=reply.cookies)

    async def _keep(self, work: _Work, admitted: Admitted) -> Sequence[Receipt]:
        self._note_pixel(admitted, work)
        if not (sealed := _sealed(work)):
            return []
        try:
            return await self._gather().durable(sealed)
        except OutboxUnavailable:
            raise _not_durable() from None

    def post_at_once(self, admitted: Admitted, then: Then) -> bool:
        """`then` is called after the commit. False: it takes longer, and `post` has to do it. Raises HttpError."""
        events: list[Event | Rejection]
        if alone := read_alone(admitted.body):
            submitted, events = _ALONE, [alone]
        else:
            found = read_body(admitted.body)
            if isinstance(found, Submitted) and len(found.events) >= EVENTS_AT_ONCE:
                return False
            submitted = _checked(found, admitted, self._buckets)
            admitted = in_dataset(admitted, submitted)
            events = [read_common(raw) for raw in submitted.events]
        if admitted.sender == "backend" and self._has_visitors() and _to_look_up(events):
            return False
        work = self._begin(submitted, admitted, len(events))
        for index, event in enumerate(events):
            self._take(work, index, event, admitted, None)
        self._note_pixel(admitted, work)
        if sealed := _sealed(work):
            self._gather().put(sealed, partial(self._finish, work, then))
        else:
            then(self._reply(work, []))
        return True

    def _finish(self, work: _Work, then: Then, told: list[Receipt] | Exception) -> None:
        if isinstance(told, OutboxUnavailable):
            then(_not_durable())
        elif isinstance(told, Exception):
            then(told)
        else:
            then(self._reply(work, told))

    def _begin(self, submitted: Submitted, admitted: Admitted, n: int) -> _Work:
        self._limits.admit(admitted.dataset, n)
        if submitted.hosted_mirror and admitted.sender == "browser":
            self._mirror.reported(admitted.dataset.pixel_id)
        ids, copies = browser_ids(admitted, self._relay.settings), self._copying.copies(admitted)
        return _Work(submitted, ids, [], [], copies)

    def _take(
        self, work: _Work, index: int, event: Event | Rejection, admitted: Admitted, visit: RequestFacts | None
    ) -> None:
        answer: Acceptance | Rejection
        if isinstance(event, Rejection):
            answer = event
        else:
            facts = visit or (work.ids.facts_for_event(event) if work.ids else admitted.facts)
            answer = self._relay.accept(event, facts, sender=admitted.sender, dataset=admitted.dataset)
            if not isinstance(answer, Rejection) and not self._is_within_bound(event, admitted):
                answer = _TOO_MANY_PAID
            elif not isinstance(answer, Rejection):
                answer = bots.refusal(admitted, self._counters) or answer
            if work.copies:
                self._copy(work.copies, index, event, facts, admitted, answer)
        if isinstance(answer, Rejection):
            work.refused.append(RefusedRow(index, answer.reason, answer.field, answer.message))
            self._counters.add("relay_events_rejected_total", reason=answer.reason)
        else:
            work.taken.append(_Taken(index, answer, bool(event.pixel)))  # type: ignore[union-attr]

    def _copy(
        self, copies: Copies, index: int, event: Event, facts: RequestFacts, admitted: Admitted, own: Answer
    ) -> None:
        def refuse() -> Rejection | None:
            # The event's own look at the bound counts for its copies.
            has_looked = isinstance(own, Acceptance) or own in (_TOO_MANY_PAID, bots.REFUSED)
            is_over = own is _TOO_MANY_PAID or not (has_looked or self._is_within_bound(event, admitted))
            return _TOO_MANY_PAID if is_over else None

        copies.add(index, self._copying.judge(event, facts, admitted, copies.datasets, own, refuse))

    def _is_within_bound(self, event: Event, admitted: Admitted) -> bool:
        if admitted.sender != "browser" or event.event_name not in PAID_EVENT_NAMES:
            return True
        return self._paid.take(admitted.facts.client_ip_address)

    def _has_visitors(self) -> bool:
        try:
            return self._relay.has_visitors()
        except OutboxUnavailable:
            return True  # perhaps; the look-up will say so

    async def _remembered(self, asked: Mapping[int, Event]) -> dict[int, RequestFacts]:
        """What is remembered of the visitors whose orders a backend reports: one look for the whole request. Where it
        fails the request has to come again: one of them may have refused."""
        if not self._has_visitors():
            return {}
        try:
            return await in_thread(lambda: {i: self._relay.facts_for(event) for i, event in asked.items()})
        except OutboxUnavailable:
            raise _not_durable() from None

    def _reply(self, work: _Work, receipts: Sequence[Receipt]) -> Reply:
        """After the commit and its fsync: the 202 is a promise."""
        accepted, n = [], len(work.taken)
        for one, receipt in zip(work.taken, receipts[:n], strict=True):
            dropped = one.acceptance.dropped + work.submitted.not_passed_on
            accepted.append(AcceptedRow(one.place, receipt.event_id, receipt.duplicate, dropped))
            for member, kind in one.acceptance.removed:
                self._counters.add("relay_personal_data_removed_total", member=member, kind=kind)
            for reason in one.acceptance.wrong_money:
                self._counters.add("relay_amounts_left_out_total", reason=reason)
        answer = EventsAnswer(accepted, work.refused, work.submitted.ignored)
        if work.copies:
            answer = work.copies.beside(answer, receipts[n:])
        codes = [row.reason for row in work.refused]
        codes += [code for one in work.taken for code in one.acceptance.wrong_money]
        status = 422 if work.refused and not receipts else 202
        return Reply(
            status=status,
            answer=answer,
            headers=reasons(codes),
            cookies=work.ids.cookies() if work.ids and status == 202 else (),
        )

    def _gather(self) -> Gather:
        loop = asyncio.get_running_loop()
        if self._gathers is None or self._gathers.loop is not loop:
            self._gathers = Gather(self._relay, loop, partial(_count, self._counters))
        return self._gathers

    def _note_pixel(self, admitted: Admitted, work: _Work) -> None:
        events = [one.acceptance.event for one in work.taken if one.pixel]
        if events or work.submitted.pixel:
            pairs = [*((event.event_name, event.event_id) for event in events), *work.submitted.pixel]
            self._gather().note_pixel(admitted.dataset, pairs)


def _checked(submitted: Submitted | Rejection, admitted: Admitted, buckets: TokenBuckets) -> Submitted:
    """The door took one event of the bucket; here are the others."""
    if isinstance(submitted, Rejection):
        status = 413 if submitted.reason == "too_many_events" else 400
        raise HttpError(status, submitted.reason, submitted.field, submitted.message)
    n = len(submitted.events) + len(submitted.pixel)
    if admitted.sender != "browser" or n <= 1:
        return submitted
    if n > MOST_EVENTS:
        raise HttpError(413, "too_many_events", "data", f"a page sends at most {MOST_EVENTS} events at once")
    if not buckets.take(admitted.facts.client_ip_address, n - 1):
        raise too_many()
    return submitted


def _count(counters: Counters, events: Sequence[SealedEvent], receipts: Sequence[Receipt]) -> None:
    """Those of one commit."""
    found = Counter((event.event_name, receipt.duplicate) for event, receipt in zip(events, receipts, strict=True))
    for (event_name, is_duplicate), n in found.items():
        name = event_name if event_name in STANDARD_EVENT_NAMES else "other"
        counters.add(f"relay_events_{'duplicate' if is_duplicate else 'accepted'}_total", n, event=name)


def _sealed(work: _Work) -> list[SealedEvent]:
    """All that the request's 202 promises, in one put: its events, then their copies."""
    events = [one.acceptance.event for one in work.taken]
    return [*events, *work.copies.sealed] if work.copies else events


def _to_look_up(events: Sequence[Event | Rejection]) -> dict[int, Event]:
    """By their place: those that do not tell by themselves who their visitor is and whether they agreed."""
    return {
        index: event
        for index, event in enumerate(events)
        if not isinstance(event, Rejection)
        and not (event.consent and event.user_data.fbp and event.user_data.fbc and event.user_data.client_ip_address)
    }


def _not_durable() -> HttpError:
    return not_durable("the events could not be made durable")


_TOO_MANY_PAID = Rejection(
    "too_many_paid",
    "event_name",
    f"pages of one network may report {MOST_PAID} such events a day; let a payment webhook or your server send them",
)
_ALONE = Submitted([])
"""Around one event there is nothing to read."""
