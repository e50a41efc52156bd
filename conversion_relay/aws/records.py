"""The records of one invocation as the outbox that `Delivery` turns over; nothing here outlives the invocation."""

from collections.abc import Sequence

import msgspec

from conversion_relay.aws.ledger import Key, Known
from conversion_relay.outbox import Attempt, Lease, LeasedEvent, Settlement
from conversion_relay.outbox.verdict import Delivered, Verdict


class Waiting(msgspec.Struct, frozen=True):
    """Not tried this time: no time was left, the dataset is paused, or another invocation has it."""


Fate = Verdict | Waiting


class Records:
    """Only the verbs that `Delivery` uses. Copies of an event share its fate."""

    def __init__(self) -> None:
        self.keys: dict[Key, int] = {}
        self._events: list[LeasedEvent] = []
        self._pending: dict[str, list[int]] = {}
        self.verdicts: dict[int, Verdict] = {}
        self._attempts: dict[int, Attempt] = {}

    def add(self, key: Key, event: LeasedEvent, known: Known) -> None:
        if key in self.keys:
            return
        number = self.keys[key] = len(self._events)
        self._events.append(msgspec.structs.replace(event, key=number))
        if known == "sent":
            self.verdicts[number] = Delivered()
        elif known == "ours":
            self._pending.setdefault(key[0], []).append(number)

    def fate(self, key: Key) -> Fate:
        return self.verdicts.get(self.keys[key], Waiting())

    def answer(self, key: Key) -> Attempt | None:
        """What Meta said last about this event."""
        return self._attempts.get(self.keys[key])

    # -- the verbs -----------------------------------------------------------------------------------------------------

    def waiting(self, now: float) -> dict[str, float]:
        return {dataset: 0.0 for dataset, numbers in self._pending.items() if numbers}

    def claim(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        numbers = self._pending.get(dataset, [])
        claimed, self._pending[dataset] = numbers[:limit], numbers[limit:]
        events = tuple(self._events[number] for number in claimed)
        return Lease(token="", dataset=dataset, events=events) if events else None

    def extend(self, lease: Lease, lease_seconds: float) -> None:
        """Lambda's visibility timeout is six times the function's own."""

    def release(self, lease: Lease) -> None:
        """What has no verdict stays in the queue."""

    def revoked(self, events: Sequence[LeasedEvent]) -> frozenset[int]:
        """What is in a queue cannot be taken back."""
        return frozenset()

    def settle(self, lease: Lease, settlements: Sequence[Settlement], attempt: Attempt | None, now: float) -> None:
        for event, verdict in settlements:
            self.verdicts[event.key] = verdict
            if attempt is not None:
                self._attempts[event.key] = attempt
