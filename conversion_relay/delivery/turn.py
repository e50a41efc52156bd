"""From outbox to Meta: claim, pack, build, send, read, decide, settle, report.

`step` is one turn of that; `worker.py` turns it until it is told to stop. Nothing here decides anything: what an answer
means is in `graph.py`, what follows from it in `retry.py`, how fast it goes in `pace.py`, how it is told in
`report.py`.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from conversion_relay.delivery.before_sending import before_sending, is_late
from conversion_relay.delivery.exchange import as_attempt, post
from conversion_relay.delivery.isolation import Batch, Isolation
from conversion_relay.delivery.pace import DATASET_OUTCOMES, PaceNow, Paces
from conversion_relay.delivery.report import Report, alert
from conversion_relay.delivery.retry import PROBE_EVERY, Facts, decide
from conversion_relay.delivery.transport import Transport
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.meta.graph import Accepted, Ambiguous, Outcome, Refused, Unreachable
from conversion_relay.outbox import Attempt, Lease, LeasedEvent, Leases
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


class Turn(msgspec.Struct, frozen=True):
    """What may be done next: that many events of one dataset."""

    dataset: Dataset
    events: int


class Delivery:
    """Safe to turn from several threads."""

    def __init__(
        self,
        outbox: Leases,
        transport: Transport,
        settings: Settings,
        *,
        counters: Counters | None = None,
        sentences: Sentences | None = None,
        clock: Callable[[], float] = time.time,
        steady_clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        """`clock` is the wall's, for deadlines that Meta sets; `steady_clock` is one that nobody sets, for pauses."""
        self._outbox, self._transport, self._settings = outbox, transport, settings
        self._counters, self._sentences = counters or Counters(), sentences or Sentences()
        self._clock, self._steady_clock, self._jitter, self._deadline = clock, steady_clock, jitter, deadline
        self._paces = Paces(steady_clock, settings.most_calls)
        self._isolation = Isolation()
        self._stopping = threading.Event()

    def step(self) -> Report | None:
        """One turn: at most 1,000 events of one dataset. None when nothing is due."""
        turn = self.next_turn()
        return self.deliver(turn) if turn else None

    def next_turn(self) -> Turn | None:
        """The dataset whose turn it is; `deliver` must follow. None when nothing is due, and after `stop`."""
        if self._stopping.is_set():
            return None
        now = self._clock()
        due = [name for name, at in self._outbox.waiting(now).items() if at <= now and self._settings.dataset(name)]
        admitted = self._paces.admit(due)
        dataset = self._settings.dataset(admitted[0]) if admitted else None
        return Turn(dataset, admitted[1]) if admitted and dataset else None

    def deliver(self, turn: Turn) -> Report | None:
        """None when somebody else was quicker, or when what was claimed had to go back."""
        name = turn.dataset.pixel_id
        try:
            lease = self._outbox.claim(name, turn.events, LEASE_SECONDS, self._clock())
            self._paces.claimed(name, len(lease.events) if lease else 0, turn.events)
            return self._begin(lease, turn.dataset) if lease else None
        finally:
            self._paces.done(name)

    def stop(self) -> None:
        """What is in flight is finished and settled; what was claimed and not sent is released."""
        self._stopping.set()
        self._paces.stop()

    def use(self, settings: Settings) -> None:
        """New settings; a dataset whose token changed is looked at again at once."""
        changed = [
            dataset.pixel_id
            for dataset in settings.datasets
            if (old := self._settings.dataset(dataset.pixel_id)) is None
            or old.access_token.reveal() != dataset.access_token.reveal()
        ]
        self._settings = settings
        for name in changed:
            self._paces.unpark(name)

    def flush(self) -> None:
        """Write the log sentences that were held back."""
        self._sentences.flush()

    def seconds_until_due(self, at_most: float) -> float:
        """How long a worker may sleep."""
        now = self._clock()
        due = [max(at - now, self._paces.opens_in(name)) for name, at in self._outbox.waiting(now).items()]
        return max(0.0, min([at_most, *due]))

    def paces(self) -> dict[str, PaceNow]:
        """For dashboard and metrics."""
        return self._paces.now()

    def _begin(self, lease: Lease, dataset: Dataset) -> Report | None:
        """As soon as one of the dataset's calls may be made; it counts until what came of it is on the disk."""
        if not self._paces.begin(lease.dataset, len(lease.events)):
            self._outbox.release(lease)
            return None
        try:
            return self._deliver(lease, dataset)
        finally:
            self._paces.end(lease.dataset)

    def _deliver(self, lease: Lease, dataset: Dataset) -> Report:
        """Every batch of the lease, halving the refused ones, until each event has its verdict."""
        report = Report(lease.dataset, claimed=len(lease.events))
        batches = self._isolation.pack(self._settle_unsendable(lease, report))
        held_since = self._steady_clock()
        calls_without_success = 0
        while batches:
            if self._stopping.is_set():
                self._outbox.release(lease)
                break
            batch = batches.pop()
            if calls_without_success >= CALLS_WITHOUT_SUCCESS:
                self._settle_all_refused(lease, [batch, *batches], report)
                break
            if batch.is_guilty and len(batch.events) > 1:
                batches += self._isolation.halve(batch.events)
                continue
            batch.events = self._without_revoked(lease, batch.events, report)
            if not batch.events:
                continue
            if self._steady_clock() - held_since > EXTEND_AFTER:
                self._outbox.extend(lease, LEASE_SECONDS)
                held_since = self._steady_clock()
            outcome, failures = self._ask(dataset, batch, report)
            calls_without_success = 0 if isinstance(outcome, Accepted) else calls_without_success + 1
            batches += self._settle(lease, batch.events, outcome, failures, report)
            if isinstance(outcome, DATASET_OUTCOMES) and batches:
                rest = [event for waiting in batches for event in waiting.events]
                self._put_back(lease, rest, outcome, failures, report)
                break
        report.tell(self._counters)
        return report

    def _ask(self, dataset: Dataset, batch: Batch, report: Report) -> tuple[Outcome, int]:
        """One call, and how often in a row this dataset could not be reached."""
        started = self._steady_clock()
        outcome = post(self._transport, self._settings, dataset, batch.events, self._deadline, self._clock)
        report.calls += 1
        failures = self._paces.note(dataset.pixel_id, outcome, started)
        if isinstance(outcome, Accepted):
            if batch.twin:
                batch.twin.is_guilty = True
            if self._paces.recovered(dataset.pixel_id):
                logger.info("Meta takes events again", extra={"dataset": dataset.pixel_id})
        if isinstance(outcome, Ambiguous) or (isinstance(outcome, Unreachable) and outcome.sent):
            report.ambiguous += len(batch.events)
        return outcome, failures

    def _settle(
        self, lease: Lease, batch: list[LeasedEvent], outcome: Outcome, failures: int, report: Report
    ) -> list[Batch]:
        """Write down what was decided for these events; what must be sent at once comes back, first batch last."""
        if isinstance(outcome, Refused) and outcome.index is not None and outcome.index < len(batch):
            rest = [event for i, event in enumerate(batch) if i != outcome.index]
            self._commit(lease, [batch[outcome.index]], outcome, failures, report)
            return [Batch(rest)] if rest else []
        if isinstance(outcome, Refused) and len(batch) > 1:
            return self._isolation.part(batch, outcome.said.subcode, self._clock())
        self._commit(lease, batch, outcome, failures, report)
        return []

    def _commit(
        self, lease: Lease, events: Sequence[LeasedEvent], outcome: Outcome, failures: int, report: Report
    ) -> None:
        now, jitter = self._clock(), self._jitter()
        outage = self._paces.outages(lease.dataset) if len(events) == 1 else 0
        setbacks = self._isolation.setbacks(events[0], outage) if outage else 0
        attempts = {event.attempts for event in events}
        verdicts = {n: decide(outcome, Facts(n, failures, setbacks), now, jitter) for n in attempts}
        decided = [(event, verdicts[event.attempts]) for event in events]
        for verdict in verdicts.values():
            self._park(lease.dataset, verdict, now)
        self._record(lease, decided, as_attempt(outcome, now), report)

    def _put_back(
        self, lease: Lease, events: Sequence[LeasedEvent], outcome: Outcome, failures: int, report: Report
    ) -> None:
        """What was not sent because the call before it failed waits as long as that does, and nobody has it."""
        now = self._clock()
        verdict = decide(outcome, Facts(0, failures), now, self._jitter())
        if isinstance(verdict, Park):
            verdict = msgspec.structs.replace(verdict, sent=False)
        self._record(lease, [(event, verdict) for event in events], None, report)

    def _settle_unsendable(self, lease: Lease, report: Report) -> list[LeasedEvent]:
        now = self._clock()
        sendable: list[LeasedEvent] = []
        unsendable: list[tuple[LeasedEvent, Verdict]] = []
        for event in lease.events:
            if (verdict := before_sending(event, self._settings, now)) is None:
                sendable.append(event)
            else:
                unsendable.append((event, verdict))
            if verdict is None or isinstance(verdict, Hold):
                report.ambiguous_late += is_late(event, now)
        if unsendable:
            self._record(lease, unsendable, None, report)
        return sendable

    def _without_revoked(self, lease: Lease, events: list[LeasedEvent], report: Report) -> list[LeasedEvent]:
        """Minutes may lie between a claim and a call; what was erased or withdrawn meanwhile is not sent."""
        revoked = self._surely(
            partial(self._outbox.revoked, events), "Nothing is sent, since the outbox cannot be read"
        )
        if not revoked:
            return events
        withdrawn = [(event, Withhold("withdrawn")) for event in events if event.key in revoked]
        self._record(lease, withdrawn, None, report)
        return [event for event in events if event.key not in revoked]

    def _settle_all_refused(self, lease: Lease, batches: list[Batch], report: Report) -> None:
        park = Park(self._clock() + PROBE_EVERY, "all_refused", alert=True)
        self._park(lease.dataset, park, self._clock())
        self._record(lease, [(event, park) for batch in batches for event in batch.events], None, report)

    def _park(self, name: str, verdict: Verdict, now: float) -> None:
        if isinstance(verdict, Park):
            self._paces.park(name, verdict.until - now, verdict.why)
        if isinstance(verdict, Park | RetryAt) and verdict.alert and self._paces.alert(name, verdict.why):
            alert(name, verdict.why)

    def _record(
        self,
        lease: Lease,
        decided: Sequence[tuple[LeasedEvent, Verdict]],
        attempt: Attempt | None,
        report: Report,
    ) -> None:
        """Commit first; only then say so."""
        settle = partial(self._outbox.settle, lease, decided, attempt, self._clock())
        self._surely(settle, "What Meta answered cannot be recorded yet")
        self._isolation.forget(e for e, verdict in decided if isinstance(verdict, _ENDED))
        outcomes: dict[tuple[Verdict, str], list[str]] = {}
        for event, verdict in decided:
            outcomes.setdefault((verdict, event.event_name), []).append(event.event_id)
        for (verdict, event_name), event_ids in outcomes.items():
            report.note(verdict, event_name, event_ids, attempt, self._sentences)

    def _surely(self, work: Callable[[], Result], trouble: str) -> Result:
        """Tried until the outbox can do it; meanwhile this turn sends nothing more."""
        is_first = True
        while True:
            try:
                return work()
            except OutboxUnavailable as error:
                if is_first:
                    logger.error(trouble, extra={"reason": str(error)})
                is_first = False
                if self._stopping.wait(RECORD_AGAIN_EVERY):
                    raise
