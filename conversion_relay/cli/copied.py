"""The copies of a file's events for further datasets (RELAY_COPIES_TO): made beside each event, counted by dataset."""

from collections import Counter
from collections.abc import Iterator, Sequence

from conversion_relay.event import Event, Receipt, Rejection, SealedEvent
from conversion_relay.intake.request_facts import NO_FACTS
from conversion_relay.relay import Relay
from conversion_relay.relay.copies import Answer


class Copied:
    """Of one file; where no dataset has copies, it does nothing."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._datasets = relay.datasets_of()[1:]
        self._sums = {dataset.pixel_id: Counter[str]() for dataset in self._datasets}

    def of(self, event: Event | Rejection, own: Answer) -> list[SealedEvent]:
        """To be put together with the event. `own`: what the event's own dataset said."""
        if not self._datasets or isinstance(event, Rejection):
            return []
        made = self._relay.copies_of(event, NO_FACTS, sender="backend", datasets=self._datasets, own=own)
        for copy in made:
            if isinstance(copy.answer, Rejection):
                self._sums[copy.dataset]["refused"] += 1
        return [copy.answer.event for copy in made if not isinstance(copy.answer, Rejection)]

    def count(self, events: Sequence[SealedEvent], receipts: Iterator[Receipt]) -> None:
        """`receipts`: those of these copies."""
        for event, receipt in zip(events, receipts, strict=True):
            self._sums[event.dataset]["duplicate" if receipt.duplicate else "accepted"] += 1

    def would_be(self, events: Sequence[SealedEvent]) -> None:
        """A dry run's."""
        self.count(events, iter([Receipt(event.event_id) for event in events]))

    def facts(self) -> dict[str, dict[str, dict[str, int]]]:
        """For JSON; nothing where there are no copies."""
        names = ("accepted", "duplicate", "refused")
        copies = {dataset: {name: sums[name] for name in names} for dataset, sums in self._sums.items()}
        return {"copies": copies} if copies else {}


def lines(facts: dict[str, dict[str, int]]) -> list[str]:
    """For people."""
    return [
        f"copies for dataset {dataset}: {n['accepted']} accepted, {n['duplicate']} known already,"
        f" {n['refused']} refused"
        for dataset, n in facts.items()
    ]
