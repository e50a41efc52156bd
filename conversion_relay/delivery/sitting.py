"""One sitting: one worker with one lease, from the claimed events to their verdicts.

What could go wrong, and the rule that prevents it:

- *An event gets two verdicts, or none.* Every claimed event stands in exactly one place: in a batch that waits to be
  sent, in the request under way, or settled. A sitting ends when no batch is left; a sitting that ends early gives back
  what it did not send.
- *Something is said that is not so.* Counters, log sentences and the memory of isolation follow after the outbox has
  committed, never before it.
- *An answer of Meta's is lost.* While the outbox cannot record an answer, the sitting tries again and sends nothing.
- *A lease runs out while a batch is halved.* The lease is extended before a call that could outlast it. If it is lost
  all the same, another worker has the rest: the sitting stops, and still reports what it had settled before.
- *A person takes an event back while it is held here.* The outbox is asked before every call, since minutes may lie
  between a claim and a call (docs/adr/0010).
- *Halving never ends.* After 32 calls in a row without success the fault is the dataset's; the rest waits.

A sitting is an object, since its steps share lease, dataset and report; as arguments they went through nine functions.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec

from conversion_relay.delivery.before_sending import before_sending, is_late
from conversion_relay.delivery.exchange import as_attempt, post
from conversion_relay.delivery.isolation import Batch, Isolation
from conversion_relay.delivery.pace import DATASET_OUTCOMES, Paces
from conversion_relay.delivery.report import Report, alert
from conversion_relay.delivery.retry import PROBE_EVERY, Facts, decide
from conversion_relay.delivery.transport import Transport
from conversion_relay.errors import LeaseLost, OutboxUnavailable
from conversion_relay.meta.graph import Accepted, Ambiguous, Outcome, Refused, TooLarge, Unreachable
from conversion_relay.outbox.protocol import Attempt, Lease, LeasedEvent, Leases, Settlement
from conversion_relay.outbox.verdict import Dead, Delivered, Expired, Hold, Park, RetryAt, Verdict, Withhold
from conversion_relay.settings import Dataset, Settings
from conversion_relay.telemetry import Counters, Sentences, logger

DEADLINE_SECONDS = 5.0
"""Meta answers most requests within 0.6 s and advises 1.5 s; a batch of 1,000 in the background gets more."""
LEASE_SECONDS = 60.0
EXTEND_AFTER = LEASE_SECONDS - 4 * DEADLINE_SECONDS
CALLS_WITHOUT_SUCCESS = 32
"""Halving stops here when nothing was accepted: then it is not one bad event but something about the dataset."""
RECORD_AGAIN_EVERY = 0.5
Result = TypeVar("Result")
_ENDED = (Delivered, Dead, Expired, Withhold)


class Context(NamedTuple):
    """What all sittings of a process share. `clock` is the wall's, for deadlines that Meta sets; `steady_clock` is one
    that nobody sets, for pauses. `jitter` gives a number in [0, 1). `stopping` is set when the process is to end."""

    outbox: Leases
    transport: Transport
    settings: Settings
    paces: Paces
    isolation: Isolation
    counters: Counters
    sentences: Sentences
    clock: Callable[[], float]
    steady_clock: Callable[[], float]
    jitter: Callable[[], float]
    deadline: float
    stopping: threading.Event


class Sitting:
    """Over 150 lines: the steps of `run`, in their order, over one state."""

    def __init__(self, context: Context, lease: Lease, dataset: Dataset) -> None:
        """Step 1, the claim, was done by `Delivery.deliver`: `lease` holds events of `dataset`."""
        self._context, self._lease, self._dataset = context, lease, dataset
        self._report = Report(lease.dataset, claimed=len(lease.events))
        self._batches: list[Batch] = []
        """What is still to send; the next one stands last."""
        self._extended_at = context.steady_clock()
        self._calls_without_success = 0

    def run(self) -> Report:
        """Sends every batch, and isolates bad events, until each event has its verdict.

        Raises OutboxUnavailable when the process is told to stop while the outbox cannot record an answer: the lease
        then runs out, and its events are sent again.
        """
        try:
            self._pack()  # 2. batches, without what may not be sent
            while batch := self._next_batch():
                outcome = self._ask(batch)  # 3. build a request, 4. send it within the deadline, 5. read the answer
                settled, unsent = self._decide(batch, outcome)  # 6. a verdict for each event
                self._settle(settled, as_attempt(outcome, self._context.clock()))  # 7. by the lease's token
                self._settle(unsent, None)
        except LeaseLost:
            logger.warning("A lease ran out before it was settled; its events are sent again")
        finally:
            self._report.tell(self._context.counters)  # 8. one line, and the counters
        return self._report

    # -- 2. what is sent, in which batches -----------------------------------------------------------------------------

    def _pack(self) -> None:
        now = self._context.clock()
        sendable: list[LeasedEvent] = []
        unsendable: list[Settlement] = []
        for event in self._lease.events:
            if (verdict := before_sending(event, self._context.settings, now)) is None:
                sendable.append(event)
            else:
                unsendable.append((event, verdict))
            if verdict is None or isinstance(verdict, Hold):
                self._report.ambiguous_late += is_late(event, now)
        self._settle(unsendable, None)
        self._batches = self._context.isolation.pack(sendable)

    def _next_batch(self) -> Batch | None:
        """None when the sitting is over: nothing is left, or what is left was given back."""
        while self._batches:
            if self._context.stopping.is_set():
                self._context.outbox.release(self._lease)
                return None
            if self._calls_without_success >= CALLS_WITHOUT_SUCCESS:
                self._park_the_rest()
                return None
            batch = self._batches.pop()
            if batch.is_guilty and len(batch.events) > 1:
                self._batches += self._context.isolation.halve(batch.events)
                continue
            batch.events = self._without_revoked(batch.events)
            if batch.events:
                self._extend_lease()
                return batch
        return None

    def _park_the_rest(self) -> None:
        park = Park(self._context.clock() + PROBE_EVERY, "all_refused", alert=True)
        self._tell_pace(park)
        self._settle([(event, park) for event in self._rest()], None)

    def _without_revoked(self, events: list[LeasedEvent]) -> list[LeasedEvent]:
        """What was erased or withdrawn since it was claimed is not sent."""
        ask = partial(self._context.outbox.revoked, events)
        revoked = self._surely(ask, "Nothing is sent, since the outbox cannot be read")
        if not revoked:
            return events
        self._settle([(event, Withhold("withdrawn")) for event in events if event.key in revoked], None)
        return [event for event in events if event.key not in revoked]

    def _extend_lease(self) -> None:
        now = self._context.steady_clock()
        if now - self._extended_at > EXTEND_AFTER:
            self._context.outbox.extend(self._lease, LEASE_SECONDS)
            self._extended_at = now

    def _rest(self) -> list[LeasedEvent]:
        """The events of all batches that were not sent; no batch is left."""
        rest = [event for batch in reversed(self._batches) for event in batch.events]
        self._batches = []
        return rest

    # -- 3, 4, 5. one request ------------------------------------------------------------------------------------------

    def _ask(self, batch: Batch) -> Outcome:
        context, started = self._context, self._context.steady_clock()
        outcome = post(
            context.transport, context.settings, self._dataset, batch.events, context.deadline, context.clock
        )
        self._report.calls += 1
        self._failures = context.paces.note(self._dataset.pixel_id, outcome, started)
        if isinstance(outcome, Accepted):
            self._calls_without_success = 0
            if batch.twin:
                batch.twin.is_guilty = True
            if context.paces.recovered(self._dataset.pixel_id):
                logger.info("Meta takes events again", extra={"dataset": self._dataset.pixel_id})
        else:
            self._calls_without_success += 1
        if isinstance(outcome, Ambiguous) or (isinstance(outcome, Unreachable) and outcome.sent):
            self._report.ambiguous += len(batch.events)
        return outcome

    # -- 6. what follows from the answer -------------------------------------------------------------------------------

    def _decide(self, batch: Batch, outcome: Outcome) -> tuple[list[Settlement], list[Settlement]]:
        """The verdicts of what was sent, and of what is not sent any more because of it. What must be sent at once,
        since Meta refused it together with others, goes back to the batches."""
        events = self._judged(batch.events, outcome)
        if not events:
            return [], []
        now, jitter = self._context.clock(), self._context.jitter()
        outage = self._context.paces.outages(self._lease.dataset) if len(events) == 1 else 0
        setbacks = self._context.isolation.setbacks(events[0], outage) if outage else 0
        # A verdict depends on how often its event was tried, so there is one for each number of attempts.
        verdicts = {
            attempts: decide(outcome, Facts(attempts, self._failures, setbacks), now, jitter)
            for attempts in {event.attempts for event in events}
        }
        for verdict in verdicts.values():
            self._tell_pace(verdict)
        settled = [(event, verdicts[event.attempts]) for event in events]
        if not isinstance(outcome, DATASET_OUTCOMES):
            return settled, []
        return settled, [(event, _unsent(settled[0][1])) for event in self._rest()]

    def _judged(self, events: list[LeasedEvent], outcome: Outcome) -> list[LeasedEvent]:
        """The events that this answer is about: of a refused batch the one that Meta names, or none of them yet."""
        if isinstance(outcome, TooLarge) and len(events) > 1:
            self._batches += self._context.isolation.halve(events)
            return []
        if not isinstance(outcome, Refused):
            return events
        if outcome.index is not None and outcome.index < len(events):
            others = [event for i, event in enumerate(events) if i != outcome.index]
            self._batches += [Batch(others)] if others else []
            return [events[outcome.index]]
        if len(events) > 1:
            self._batches += self._context.isolation.part(events, outcome.said.subcode, self._context.clock())
            return []
        return events

    def _tell_pace(self, verdict: Verdict) -> None:
        paces, name = self._context.paces, self._lease.dataset
        if isinstance(verdict, Park):
            paces.park(name, verdict.until - self._context.clock(), verdict.why)
        if isinstance(verdict, Park | RetryAt) and verdict.alert and paces.alert(name, verdict.why):
            alert(name, verdict.why)

    # -- 7. committed, then told ---------------------------------------------------------------------------------------

    def _settle(self, settlements: Sequence[Settlement], attempt: Attempt | None) -> None:
        """Commit first; only then say so."""
        if not settlements:
            return
        context = self._context
        settle = partial(context.outbox.settle, self._lease, settlements, attempt, context.clock())
        self._surely(settle, "What Meta answered cannot be recorded yet")
        context.isolation.forget(event for event, verdict in settlements if isinstance(verdict, _ENDED))
        outcomes: dict[tuple[Verdict, str], list[str]] = {}
        for event, verdict in settlements:
            outcomes.setdefault((verdict, event.event_name), []).append(event.event_id)
        for (verdict, event_name), event_ids in outcomes.items():
            self._report.note(verdict, event_name, event_ids, attempt, context.sentences)

    def _surely(self, work: Callable[[], Result], trouble: str) -> Result:
        """Tried until the outbox can do it; meanwhile this sitting sends nothing more."""
        is_first = True
        while True:
            try:
                return work()
            except OutboxUnavailable as error:
                if is_first:
                    logger.error(trouble, extra={"reason": str(error)})
                is_first = False
                if self._context.stopping.wait(RECORD_AGAIN_EVERY):
                    raise


def _unsent(verdict: Verdict) -> Verdict:
    """The same pause for an event of the dataset that was not in the failed request."""
    return msgspec.structs.replace(verdict, sent=False, aside=None) if isinstance(verdict, Park) else verdict
