"""The copies of one request's events: judged by each further dataset's own policy, kept beside the events themselves,
and told in the rows of the answer. Where no dataset has copies, nothing of this is called for an event.
"""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from conversion_relay.collector import bots
from conversion_relay.collector.dataset_limits import DatasetLimits
from conversion_relay.collector.door import Admitted
from conversion_relay.collector.rows import CopyRow, EventsAnswer
from conversion_relay.event import Event, Receipt, Rejection, SealedEvent
from conversion_relay.intake.accept import Acceptance
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.relay import Relay
from conversion_relay.relay.copies import Answer, Copy
from conversion_relay.settings import Dataset
from conversion_relay.telemetry import Counters

COUNTER = "relay_copies_refused_total"


class Copies:
    """Of one request."""

    def __init__(self, datasets: Sequence[Dataset]) -> None:
        self.datasets = datasets
        self._said: list[tuple[int, Copy]] = []
        """With the event's place in the request."""

    def add(self, place: int, copies: Sequence[Copy]) -> None:
        self._said += [(place, copy) for copy in copies]

    @property
    def sealed(self) -> list[SealedEvent]:
        return [copy.answer.event for _, copy in self._said if isinstance(copy.answer, Acceptance)]

    def beside(self, answer: EventsAnswer, receipts: Sequence[Receipt]) -> EventsAnswer:
        """The answer with each copy in its event's row. `receipts`: those of `sealed`."""
        found: dict[int, tuple[CopyRow, ...]] = {}
        told = iter(receipts)
        for place, copy in self._said:
            found[place] = (*found.get(place, ()), _row(copy, told))
        return msgspec.structs.replace(
            answer,
            accepted=[msgspec.structs.replace(row, copies=found.get(row.index, ())) for row in answer.accepted],
            refused=[msgspec.structs.replace(row, copies=found.get(row.index, ())) for row in answer.refused],
        )


def _row(copy: Copy, receipts: Iterator[Receipt]) -> CopyRow:
    dataset, answer = copy
    if isinstance(answer, Rejection):
        return CopyRow(dataset, reason=answer.reason, field=answer.field, message=answer.message)
    receipt = next(receipts)
    return CopyRow(dataset, receipt.event_id, receipt.duplicate, answer.dropped)


class Copying:
    """Judges copies; of one process."""

    def __init__(self, relay: Relay, counters: Counters, limits: DatasetLimits) -> None:
        self._relay, self._counters, self._limits = relay, counters, limits

    def copies(self, admitted: Admitted) -> Copies | None:
        """For a request's events; None where they go to one dataset alone."""
        if not admitted.named and not admitted.dataset.copies_to:
            return None
        others = self._relay.settings.with_copies(admitted.dataset, *admitted.named)[1:]
        return Copies(others) if others else None

    def judge(
        self,
        event: Event,
        facts: RequestFacts,
        admitted: Admitted,
        datasets: Sequence[Dataset],
        own: Answer,
        refuse: Callable[[], Rejection | None],
    ) -> list[Copy]:
        """`own`: what the event's own dataset said. `refuse`: whether a bound of the visitor's network is reached, for
        all datasets alike."""
        made = self._relay.copies_of(event, facts, sender=admitted.sender, datasets=datasets, own=own)
        refused: Rejection | None = None
        if any(isinstance(copy.answer, Acceptance) for copy in made):
            refused = refuse()
        return [self._last_word(copy, one, admitted, refused) for copy, one in zip(made, datasets, strict=True)]

    def _last_word(self, copy: Copy, dataset: Dataset, admitted: Admitted, refused: Rejection | None) -> Copy:
        """What is asked only of an event that is taken."""
        if isinstance(copy.answer, Acceptance):
            as_there = msgspec.structs.replace(admitted, dataset=dataset)
            refused = refused or bots.refusal(as_there, self._counters) or self._limits.refusal(dataset)
            copy = copy._replace(answer=refused or copy.answer)
        if isinstance(copy.answer, Rejection):
            reason = copy.answer.reason
            self._counters.add(COUNTER, dataset=dataset.pixel_id, reason=reason)
        return copy
