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
- *A person takes an event back while it is held here.* The outbox is asked right before every call (docs/adr/0010).
- *Good events wait for bad ones.* What Meta refused together leaves for the lane of suspects at once (`suspects.py`);
  only where Meta names the event, and once, the others are sent again here.

A sitting is an object, since its steps share lease, dataset and report; as arguments they went through nine functions.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from conversion_relay.delivery.before_sending import (
    before_sending,
    is_doubtful,
    is_late,
    may_all_be_sent,
)
from conversion_relay.delivery.context import Context
from conversion_relay.delivery.exchange import as_attempt, named_by
from conversion_relay.delivery.isolation import Batch, smaller, without
from conversion_relay.delivery.pace import DATASET_OUTCOMES
from conversion_relay.delivery.report import Report, alert
from conversion_relay.delivery.retry import PROBE_EVERY, Facts, alone, decide, may_be_one_events, unsent
from conversion_relay.delivery.slot import Slot
from conversion_relay.errors import LeaseLost
from conversion_relay.meta.graph import Accepted, Ambiguous, Outcome, Refused, TooLarge, Unreachable
from conversion_relay.outbox.protocol import Lease, LeasedEvent, Settlement
from conversion_relay.outbox.story import Attempt
from conversion_relay.outbox.verdict import Dead, Delivered, Expired, Hold, Park, RetryAt, Suspect, Verdict, Withhold
from conversion_relay.settings import Dataset
from conversion_relay.telemetry import logger

DEADLINE_SECONDS = 5.0
"""Meta answers most requests within 0.6 s and advises 1.5 s; a batch of 1,000 in the background gets more."""
LEASE_SECONDS = 60.0
EXTEND_AFTER = LEASE_SECONDS - 4 * DEADLINE_SECONDS
LATE_SECONDS = 5.0
"""So much later than other suspects an event is tried whose shape is known to be refused."""
_ENDED = (Delivered, Dead, Expired, Withhold)


class Sitting:
    """With events of the ordinary lanes; `SuspectSitting` has the others.

    Over 150 lines: the steps of `run`, in their order, over one state."""

    suspects = False

    def __init__(self, context: Context, lease: Lease, dataset: Dataset, slot: Slot, most: int) -> None:
        """Step 1 was done by `Delivery.deliver`. Of more events than `most`, one asks whether Meta is back."""
        self._context, self._lease, self._dataset, self._slot, self._most = context, lease, dataset, slot, most
        self._report = Report(lease.dataset, claimed=len(lease.events))
        self._batches: list[Batch] = []
        """What is still to send; the next one stands last."""
        self._extended_at, self._has_named_one = context.steady_clock(), False

    def run(self) -> Report:
        """Sends every batch, and isolates bad events, until each event has its verdict.

        Raises OutboxUnavailable when the process is told to stop while the outbox cannot record an answer: the lease
        then runs out, and its events are sent again.
        """
        try:
            self._pack()  # 2. batches, without what may not be sent
            while batch := self._next_batch():
                outcome = self._ask(batch)  # 3. build a request, 4. send it within the deadline, 5. read the answer
                settled, put_off = self._decide(batch, outcome)  # 6. a verdict for each event
                if isinstance(outcome, Accepted) and not self._batches:
                    self._slot.free()  # the next call need not wait for the disk
                self._settle(settled, as_attempt(outcome, self._context.clock()))  # 7. by the lease's token
                self._settle(put_off, None)
                self._learn(batch.events, settled, outcome)
            if len(self._lease.events) > self._most:
                self._context.outbox.release(self._lease)  # those that did not ask
        except LeaseLost:
            logger.warning("A lease ran out before it was settled; its events are sent again")
        finally:
            self._report.tell(self._context.counters)  # 8. one line, and the counters
        return self._report

    # -- 2. what is sent, in which batches -----------------------------------------------------------------------------

    def _pack(self) -> None:
        context, now = self._context, self._context.clock()
        untold: Verdict | None = None
        if not context.meta_clock.is_known and any(is_doubtful(event, now) for event in self._lease.events):
            untold, is_closed = self._ask_the_time()
            if untold and is_closed:
                self._settle([(untold, list(self._lease.events))], None)
                return
        meta_now = context.meta_now() if context.meta_clock.is_known else None
        sendable: Sequence[LeasedEvent] = self._lease.events
        if not context.isolation.knows_nothing() or not may_all_be_sent(sendable, context.settings, now, meta_now):
            sendable = self._sendable(now, meta_now, untold)
        if len(self._lease.events) > self._most and sendable:
            sendable = [context.isolation.stumbling.who_asks(sendable)]
        self._batches = context.isolation.pack(sendable, context.paces.most_bytes(self._dataset.pixel_id))

    def _sendable(self, now: float, meta_now: float | None, untold: Verdict | None) -> list[LeasedEvent]:
        """Event by event; those that may not be sent now are settled."""
        sendable: list[LeasedEvent] = []
        unsendable: dict[Verdict, list[LeasedEvent]] = {}
        for event in self._lease.events:
            verdict = before_sending(event, self._context.settings, now, meta_now)
            if untold and isinstance(verdict, Expired) and is_doubtful(event, now):
                verdict = untold
            if verdict is None and self._is_better_tried_apart(event, now):
                verdict = Suspect(now + LATE_SECONDS)
            if verdict is None:
                sendable.append(event)
            else:
                unsendable.setdefault(verdict, []).append(event)
            if verdict is None or isinstance(verdict, Hold):
                self._report.ambiguous_late += is_late(event, now)
        self._settle(list(unsendable.items()), None)
        return sendable

    def _ask_the_time(self) -> tuple[Verdict | None, bool]:
        """Of Meta, before our clock alone lets events expire; how long they wait where it does not tell, and whether
        that holds for all events of the dataset."""
        context, started = self._context, self._context.steady_clock()
        outcome = context.ask(self._dataset, [])  # "(#100) param data must be non-empty.", and Meta's date
        if context.meta_clock.is_known:
            return None, False
        if not isinstance(outcome, DATASET_OUTCOMES):
            return RetryAt(context.clock() + PROBE_EVERY, "clock_unknown"), False
        failures = context.paces.note(self._lease.dataset, outcome, started, suspects=self.suspects)
        verdict = decide(outcome, Facts(0, failures), context.clock(), context.jitter())
        self._tell_pace(verdict)
        return self._translated(unsent(verdict)), True

    def _is_better_tried_apart(self, event: LeasedEvent, now: float) -> bool:
        """What is known to be refused is not sent with others; nor is what was a suspect and waits here after all."""
        return self._context.isolation.knows(self._dataset.pixel_id, event, now)

    def _next_batch(self) -> Batch | None:
        """None when the sitting is over: nothing is left, or what is left was given back."""
        while self._batches:
            if self._context.stopping.is_set() or self._context.paces.is_parked(self._dataset.pixel_id):
                self._context.outbox.release(self._lease)
                return None
            batch = self._batches.pop()
            if batch.size > (most := self._context.paces.most_bytes(self._dataset.pixel_id)):  # since it was packed
                self._batches += smaller(batch.events, most)
                continue
            self._extend_lease()
            batch.events = self._without_revoked(batch.events)
            if batch.events:
                return batch
        return None

    def _without_revoked(self, events: list[LeasedEvent]) -> list[LeasedEvent]:
        """What was erased or withdrawn since it was claimed is not sent. Between this look and a call nothing waits."""
        why = "Nothing is sent, since the outbox cannot be read"
        while revoked := self._slot.surely(partial(self._context.outbox.revoked, events), why):
            self._settle([(Withhold("withdrawn"), [event for event in events if event.key in revoked])], None)
            events = [event for event in events if event.key not in revoked]
        return events

    def _extend_lease(self) -> None:
        now = self._context.steady_clock()
        if now - self._extended_at > EXTEND_AFTER:
            self._context.outbox.extend(self._lease, LEASE_SECONDS)
            self._extended_at = now

    def _rest(self) -> list[LeasedEvent]:
        """The events of all batches that were not sent; no batch is left."""
        batches, self._batches = reversed(self._batches), []
        return [event for batch in batches for event in batch.events]

    # -- 3, 4, 5. one request ------------------------------------------------------------------------------------------

    def _ask(self, batch: Batch) -> Outcome:
        context, name, started = self._context, self._dataset.pixel_id, self._context.steady_clock()
        outcome = context.ask(self._dataset, batch.events)
        self._report.calls += 1
        context.count_call(name, outcome, context.steady_clock() - started)
        self._failures = 1
        if not self._is_its_own(batch.events, outcome):
            self._failures = context.paces.note(name, outcome, started, suspects=self.suspects, size=batch.size)
        if isinstance(outcome, Accepted):
            if batch.twin:
                batch.twin.is_guilty = True
            if context.paces.recovered(name):
                logger.info("Meta takes events again", extra={"dataset": name})
        context.tell_figures(name)
        if isinstance(outcome, Ambiguous) or (isinstance(outcome, Unreachable) and outcome.sent):
            self._report.ambiguous += len(batch.events)
        return outcome

    # -- 6. what follows from the answer -------------------------------------------------------------------------------

    def _decide(self, batch: Batch, outcome: Outcome) -> tuple[list[Settlement], list[Settlement]]:
        """The verdicts of what was sent, and of what is not sent any more because of it. What must be sent at once,
        since Meta refused it together with others, goes back to the batches."""
        if isinstance(outcome, TooLarge) and len(batch.events) > 1:
            self._batches += smaller(batch.events, self._context.paces.most_bytes(self._dataset.pixel_id))
            return [], []
        if isinstance(outcome, Refused) and len(batch.events) > 1:
            return self._refused_together(batch.events, outcome), []
        verdicts = self._verdicts(batch.events, outcome)
        settled = [(self._translated(verdict), events) for verdict, events in verdicts]
        if not isinstance(verdicts[0][0], Park):
            return settled, []
        return settled, [(self._translated(unsent(verdicts[0][0])), self._rest())]

    def _verdicts(self, events: list[LeasedEvent], outcome: Outcome) -> list[Settlement]:
        """A verdict depends on how often its event was tried, so there is one for each number of attempts."""
        now, jitter = self._context.clock(), self._context.jitter()
        is_own = self._is_its_own(events, outcome)
        outage = self._context.paces.outages(self._lease.dataset) if len(events) == 1 else 0
        setbacks = self._context.isolation.stumbling.setbacks(events[0], outage) if outage or is_own else 0
        verdicts: list[Settlement] = []
        for attempts in (tried := dict.fromkeys([event.attempts for event in events])):
            alike = events if len(tried) == 1 else [event for event in events if event.attempts == attempts]
            verdict = decide(outcome, Facts(attempts, self._failures, setbacks), now, jitter)
            verdicts.append((alone(verdict) if is_own else verdict, alike))
            self._tell_pace(verdicts[-1][0])
        return verdicts

    def _is_its_own(self, events: list[LeasedEvent], outcome: Outcome) -> bool:
        """Whether it is the trouble of one event that Meta is known to stumble over."""
        return len(events) == 1 and may_be_one_events(outcome) and self._context.isolation.stumbling.is_known(events[0])

    def _translated(self, verdict: Verdict) -> Verdict:
        return verdict

    def _refused_together(self, events: list[LeasedEvent], outcome: Refused) -> list[Settlement]:
        """What is settled of a refused batch: the events that Meta means, as far as that is known. The others are sent
        again, once; then all of them are suspects."""
        named = named_by(outcome, events, self._context.meta_now())
        others = without(events, named)
        settled = self._verdicts(named, outcome)
        if named and not self._has_named_one:
            self._has_named_one = True
            self._batches += [Batch(others)] if others else []
            return settled
        self._part(others, outcome)
        return [*settled, (Suspect(self._context.clock()), others)]

    def _part(self, events: list[LeasedEvent], outcome: Refused) -> list[Batch]:
        """Remembered, for whoever tries the suspects."""
        if len(events) < 2:
            return [Batch(events)] if events else []
        now, dataset = self._context.clock(), self._dataset.pixel_id
        return self._context.isolation.part(events, outcome.said.subcode, now, outcome.path, dataset)

    def _learn(self, sent: list[LeasedEvent], settled: Sequence[Settlement], outcome: Outcome) -> None:
        """What becomes of a shape; after it was committed."""
        isolation, dataset, now = self._context.isolation, self._dataset.pixel_id, self._context.clock()
        if isinstance(outcome, Accepted):
            isolation.accepted(dataset, sent, now, suspects=self.suspects)
        elif isinstance(outcome, Ambiguous):
            isolation.doubted(sent, is_taking=self._context.paces.is_taking(self._lease.dataset))
        elif isinstance(outcome, Refused):
            for event in [event for verdict, events in settled if isinstance(verdict, Dead) for event in events]:
                isolation.refused(dataset, event, outcome.said.subcode, outcome.path, now)

    def _tell_pace(self, verdict: Verdict) -> None:
        context, paces, name = self._context, self._context.paces, self._lease.dataset
        if not isinstance(verdict, Park | RetryAt) or (verdict.alert and context.is_outdated(self._dataset)):
            return  # what Meta says of an old token, a new one need not wait for
        if isinstance(verdict, Park):
            paces.park(name, verdict.until - context.clock(), verdict.why)
        if verdict.alert and paces.alert(name, verdict.why, of_an_event=isinstance(verdict, RetryAt)):
            alert(name, verdict.why)

    # -- 7. committed, then told ---------------------------------------------------------------------------------------

    def _settle(self, settlements: Sequence[Settlement], attempt: Attempt | None) -> None:
        """Commit first; only then say so."""
        settlements = [(verdict, events) for verdict, events in settlements if events]
        if not settlements:
            return
        context = self._context
        settle = partial(context.outbox.settle, self._lease, settlements, attempt, context.clock())
        self._slot.surely(settle, "What Meta answered cannot be recorded yet")
        meta_now = context.meta_now()
        for verdict, events in settlements:
            if isinstance(verdict, _ENDED):
                context.isolation.forget(events)
            if isinstance(verdict, Delivered):
                self._report.note_ages([meta_now - event.event_time for event in events])
            ids: defaultdict[str, list[str]] = defaultdict(list)
            for event in events:
                ids[event.event_name].append(event.event_id)
            for event_name, event_ids in ids.items():
                self._report.note(verdict, event_name, event_ids, attempt, context.sentences)
