"""From outbox to Meta: claim, pack, build, send, read, decide, settle, report.

`step` is one turn of that; `worker.py` turns it until it is told to stop. Nothing here decides anything: what an answer
means is in `graph.py`, what follows from it in `retry.py`.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import assert_never

import msgspec

from conversion_relay.batch import Sized, halve, pack
from conversion_relay.graph import (
    Accepted,
    Misconfigured,
    Outcome,
    Refused,
    Said,
    Throttled,
    Unauthorized,
    Unreachable,
    build_request,
    read_response,
)
from conversion_relay.outbox import Attempt, Lease, LeasedEvent, Outbox, Settlement
from conversion_relay.retry import (
    PROBE_EVERY,
    Dead,
    Delivered,
    Expired,
    Facts,
    Isolate,
    Park,
    RetryAt,
    Verdict,
    decide,
)
from conversion_relay.settings import Dataset, Settings
from conversion_relay.telemetry import Counters, Sentences, logger
from conversion_relay.transport import Response, Transport
from conversion_relay.validate import is_suspect

DEADLINE_SECONDS = 5.0
"""Meta answers most requests within 0.6 s and advises 1.5 s; a batch of 1,000 in the background gets more."""
LEASE_SECONDS = 60.0
CALLS_WITHOUT_SUCCESS = 32
"""Halving stops here when nothing was accepted: then it is not one bad event but something about the dataset."""
MOST_HALVES = 100_000
_DATASET_OUTCOMES = (Throttled, Unauthorized, Misconfigured, Unreachable)
_ALERTS = {
    "unauthorized": "Meta refuses the access token; events wait, nothing is lost: set a new META_ACCESS_TOKEN",
    "misconfigured": "Meta refuses this token for this dataset; events wait: check META_PIXEL_ID and permissions",
    "all_refused": "Meta refuses every event of this dataset; events wait: see `conversion-relay dead list`",
}


class Report(msgspec.Struct):
    """What one turn did."""

    dataset: str
    claimed: int
    calls: int = 0
    delivered: int = 0
    dead: int = 0
    expired: int = 0
    retried: int = 0
    why: str | None = None


class DatasetPace(msgspec.Struct):
    """How a dataset is doing; in memory, since a restart may well look again."""

    parked_until: float = 0.0
    why: str | None = None
    failures: int = 0
    failed_at: float = 0.0
    in_flight: int = 0
    alerted: bool = False


class _Batch(msgspec.Struct):
    """Events to send together, while a refused batch is being halved."""

    events: list[LeasedEvent]
    twin: "_Batch | None" = None
    """The second half of what this is the first half of."""
    guilty: bool = False
    """The first half was accepted, so what Meta refused is in here: halved again without asking."""


class Delivery:
    """Safe to turn from several threads."""

    def __init__(
        self,
        outbox: Outbox,
        transport: Transport,
        settings: Settings,
        *,
        counters: Counters | None = None,
        sentences: Sentences | None = None,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        self._outbox, self._transport, self._settings = outbox, transport, settings
        self._counters, self._sentences = counters or Counters(), sentences or Sentences()
        self._clock, self._jitter, self._deadline = clock, jitter, deadline
        self._paces: dict[str, DatasetPace] = {}
        self._halves: dict[int, int] = {}
        self._lock = threading.Lock()

    def step(self) -> Report | None:
        """One turn: at most 1,000 events of one dataset. None when nothing is due."""
        dataset = self._next_dataset()
        if dataset is None:
            return None
        try:
            lease = self._outbox.claim(dataset.pixel_id, 1_000, LEASE_SECONDS, self._clock())
            return self._deliver(lease, dataset) if lease else None
        finally:
            with self._lock:
                self._pace(dataset.pixel_id).in_flight -= 1

    def flush(self) -> None:
        """Write the log sentences that were held back."""
        self._sentences.flush()

    def seconds_until_due(self, at_most: float) -> float:
        """How long a worker may sleep."""
        now = self._clock()
        due = [max(at, self._pace(name).parked_until) for name, at in self._outbox.waiting(now).items()]
        return max(0.0, min([at_most, *(at - now for at in due)]))

    def paces(self) -> dict[str, DatasetPace]:
        """A copy, for dashboard and metrics."""
        with self._lock:
            return {name: msgspec.structs.replace(pace) for name, pace in self._paces.items()}

    def _next_dataset(self) -> Dataset | None:
        """The dataset that waits longest, is not parked, and where a look is allowed; it counts as in flight."""
        now = self._clock()
        for name, due in sorted(self._outbox.waiting(now).items(), key=lambda item: item[1]):
            dataset = self._settings.dataset(name)
            with self._lock:
                pace = self._paces.setdefault(name, DatasetPace())
                # After a failure one request at a time asks whether Meta is back.
                open_for_us = now >= pace.parked_until and not (pace.failures and pace.in_flight)
                if dataset and due <= now and open_for_us:
                    pace.in_flight += 1
                    return dataset
        return None

    def _pace(self, dataset: str) -> DatasetPace:
        return self._paces.setdefault(dataset, DatasetPace())

    def _deliver(self, lease: Lease, dataset: Dataset) -> Report:
        """Every batch of the lease, halving the refused ones, until each event has its verdict."""
        report = Report(lease.dataset, claimed=len(lease.events))
        live = self._settle_unsendable(lease, report)
        batches = [_Batch(events) for events in self._pack(live)[::-1]]
        calls_without_success = 0
        while batches:
            batch = batches.pop()
            if calls_without_success >= CALLS_WITHOUT_SUCCESS:
                self._settle_all_refused(lease, [batch, *batches], report)
                break
            if batch.guilty and len(batch.events) > 1:
                batches += self._halve(batch.events)
                continue
            if self._clock() > lease.until - 2 * self._deadline:
                lease = self._outbox.extend(lease, LEASE_SECONDS, self._clock())
            started = self._clock()
            outcome = post(self._transport, self._settings, dataset, batch.events, self._deadline, self._clock)
            report.calls += 1
            failures = self._note(lease.dataset, outcome, started)
            if isinstance(outcome, Accepted):
                calls_without_success = 0
                if batch.twin:
                    batch.twin.guilty = True
            else:
                calls_without_success += 1
            batches += self._settle(lease, batch.events, outcome, failures, report)
            if isinstance(outcome, _DATASET_OUTCOMES) and batches:
                rest = [event for waiting in batches for event in waiting.events]
                self._commit(lease, rest, outcome, failures, report)
                break
        self._tell(report)
        return report

    def _pack(self, events: Sequence[LeasedEvent]) -> list[list[LeasedEvent]]:
        """Batches; what an outage interrupted in the middle of halving is taken up where it was left."""
        groups: dict[int, list[LeasedEvent]] = {}
        for event in events:
            groups.setdefault(self._halves.get(event.key, 0), []).append(event)
        return [batch for group in groups.values() for batch in pack(group)]

    def _part(self, batch: list[LeasedEvent], subcode: int | None) -> list["_Batch"]:
        """Those whom our own rules suspect of what Meta said, apart from the others; else halves."""
        now = self._clock()
        suspects = {event.key for event in batch if is_suspect(event.body, subcode, now)}
        if not 0 < len(suspects) < len(batch):
            return self._halve(batch)
        others = [event for event in batch if event.key not in suspects]
        return [_Batch(others), _Batch([event for event in batch if event.key in suspects])]

    def _halve(self, events: list[LeasedEvent]) -> list["_Batch"]:
        """The first half last, to be sent next. Remembered in memory only: after a restart the halving begins again."""
        if len(self._halves) > MOST_HALVES:
            self._halves.clear()
        first, second = halve(events)
        for half in (first, second):
            self._halves.update(dict.fromkeys((event.key for event in half), half[0].key))
        twin = _Batch(second)
        return [twin, _Batch(first, twin=twin)]

    def _settle(
        self, lease: Lease, batch: list[LeasedEvent], outcome: Outcome, failures: int, report: Report
    ) -> list["_Batch"]:
        """Write down what was decided for these events; what must be sent at once comes back, first batch last."""
        if isinstance(outcome, Refused) and outcome.index is not None and outcome.index < len(batch):
            rest = [event for i, event in enumerate(batch) if i != outcome.index]
            self._commit(lease, [batch[outcome.index]], outcome, failures, report)
            return [_Batch(rest)] if rest else []
        if isinstance(outcome, Refused) and len(batch) > 1:
            return self._part(batch, outcome.said.subcode)
        self._commit(lease, batch, outcome, failures, report)
        return []

    def _commit(
        self, lease: Lease, events: Sequence[LeasedEvent], outcome: Outcome, failures: int, report: Report
    ) -> None:
        now, jitter = self._clock(), self._jitter()
        decided = [
            (
                event,
                decide(outcome, Facts(attempts=event.attempts, in_batch=1, failures=failures), now, jitter),
            )
            for event in events
        ]
        self._park(lease.dataset, decided[0][1])
        self._record(lease, decided, _attempt(outcome, now), report)

    def _settle_unsendable(self, lease: Lease, report: Report) -> list[LeasedEvent]:
        """What grew too old while it waited, and what the disk changed, is settled unsent."""
        now = self._clock()
        unsendable: list[tuple[LeasedEvent, Verdict]] = []
        for event in lease.events:
            if not event.intact:
                unsendable.append((event, Dead("corrupt")))
            elif event.expires_at <= now:
                unsendable.append((event, Expired()))
        if unsendable:
            self._record(lease, unsendable, None, report)
        gone = {event.key for event, _ in unsendable}
        return [event for event in lease.events if event.key not in gone]

    def _settle_all_refused(self, lease: Lease, batches: list["_Batch"], report: Report) -> None:
        park = Park(self._clock() + PROBE_EVERY, "all_refused", alert=True)
        self._park(lease.dataset, park)
        self._record(lease, [(event, park) for batch in batches for event in batch.events], None, report)

    def _record(
        self,
        lease: Lease,
        decided: Sequence[tuple[LeasedEvent, Verdict]],
        attempt: Attempt | None,
        report: Report,
    ) -> None:
        """Commit first; only then say so."""
        settlements: list[Settlement] = [(e, verdict) for e, verdict in decided if not isinstance(verdict, Isolate)]
        self._outbox.settle(lease, settlements, attempt, self._clock())
        for event, verdict in settlements:
            if isinstance(verdict, Delivered | Dead | Expired):
                self._halves.pop(event.key, None)
            match verdict:
                case Delivered():
                    report.delivered += 1
                    self._sentences.sent(event.event_name, event.event_id)
                case Dead(why="corrupt"):
                    report.dead += 1
                    self._sentences.error(event.event_name, event.event_id, "corrupt")
                case Dead(why=why):
                    report.dead += 1
                    said = _said(attempt) if attempt else {}
                    self._sentences.failed(event.event_name, event.event_id, why, said)
                case Expired():
                    report.expired += 1
                    self._sentences.failed(event.event_name, event.event_id, "too_old")
                case RetryAt(why=why) | Park(why=why):
                    report.retried += 1
                    report.why = why
                case _:
                    assert_never(verdict)

    def _note(self, dataset: str, outcome: Outcome, started: float) -> int:
        """How often in a row the dataset failed; requests that were in flight together fail once together."""
        with self._lock:
            pace = self._pace(dataset)
            if isinstance(outcome, _DATASET_OUTCOMES):
                if started >= pace.failed_at:
                    pace.failures += 1
                    pace.failed_at = self._clock()
            else:
                if pace.alerted:
                    logger.info("Meta takes events again", extra={"dataset": dataset})
                pause = outcome.pause if isinstance(outcome, Accepted) else 0.0
                pace.failures, pace.alerted = 0, False
                pace.parked_until, pace.why = (self._clock() + pause, "near_limit") if pause else (0.0, None)
            return max(1, pace.failures)

    def _park(self, dataset: str, verdict: Verdict) -> None:
        if not isinstance(verdict, Park):
            return
        with self._lock:
            pace = self._pace(dataset)
            pace.parked_until, pace.why = max(pace.parked_until, verdict.until), verdict.why
            first_alert = verdict.alert and not pace.alerted
            pace.alerted = pace.alerted or verdict.alert
        if first_alert:
            logger.error(_ALERTS[verdict.why], extra={"dataset": dataset, "reason": verdict.why})

    def _tell(self, report: Report) -> None:
        """One line per turn that left something to do, and the counters."""
        for name in ("calls", "delivered", "dead", "expired", "retried"):
            self._counters.add(f"relay_delivery_{name}_total", getattr(report, name), dataset=report.dataset)
        if report.retried:
            fields = {"dataset": report.dataset, "events": report.retried, "reason": report.why}
            logger.warning("Events wait for another try", extra=fields)


def post(
    transport: Transport,
    settings: Settings,
    dataset: Dataset,
    batch: Sequence[Sized],
    deadline: float,
    clock: Callable[[], float],
    *,
    test_event_code: str | None = None,
) -> Outcome:
    """One request to Meta and what it came to; `deadline` in seconds for all of it."""
    request = build_request(
        batch,
        url=settings.graph_url,
        version=settings.graph_version,
        dataset=dataset.pixel_id,
        token=dataset.access_token.reveal(),
        test_event_code=test_event_code or dataset.test_event_code,
    )
    answer = transport.send(request, deadline)
    if isinstance(answer, Response):
        return read_response(answer.status, answer.headers, answer.body, len(batch), clock())
    return answer


def _attempt(outcome: Outcome, now: float) -> Attempt:
    why = getattr(outcome, "why", None)
    said: Said = outcome.said
    return Attempt(at=now, outcome=type(outcome).__name__.lower(), why=why, **msgspec.structs.asdict(said))


def _said(attempt: Attempt) -> dict[str, object]:
    fields = ("status", "code", "subcode", "title", "fbtrace_id")
    return {name: value for name in fields if (value := getattr(attempt, name)) is not None}
