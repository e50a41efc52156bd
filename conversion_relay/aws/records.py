"""The records of one invocation as the outbox that `Delivery` turns over; nothing here outlives the invocation."""

import itertools
from collections.abc import Sequence

import msgspec

from conversion_relay.aws.ledger import Key, Known
from conversion_relay.errors import LeaseLost
from conversion_relay.outbox import Attempt, Lease, LeasedEvent, Settlement
from conversion_relay.outbox.verdict import Delivered, Suspect, Verdict


class Waiting(msgspec.Struct, frozen=True):
    """Not tried this time: no time was left, the dataset is paused, or another invocation has it."""


Fate = Verdict | Waiting


class Records:
    """Leases, and no other part of an outbox: messages come and go by Lambda's hand. Copies of an event share its fate.

    Not safe to use from several threads: one invocation turns its delivery in one."""

    def __init__(self, invocation: str = "") -> None:
        """`invocation`: under which name its purchases are claimed."""
        self.invocation = invocation
        self._ours: set[int] = set()
        self.keys: dict[Key, int] = {}
        self._events: list[LeasedEvent] = []
        self._pending: dict[str, list[int]] = {}
        self._suspects: dict[str, list[int]] = {}
        self._held: dict[str, set[int]] = {}
        """By the token of a lease."""
        self._tokens = itertools.count(1)
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
            self._ours.add(number)
            self._pending.setdefault(key[0], []).append(number)

    def end(self, key: Key, event: LeasedEvent, verdict: Verdict) -> None:
        """Of an event that is not sent: what becomes of it."""
        self.add(key, event, "elsewhere")
        self.verdicts.setdefault(self.keys[key], verdict)

    def fate(self, key: Key) -> Fate:
        return self.verdicts.get(self.keys[key], Waiting())

    def claimed(self, key: Key) -> LeasedEvent | None:
        """The event as it was claimed; None where it is not this invocation's to send."""
        number = self.keys[key]
        return self._events[number] if number in self._ours else None

    def answer(self, key: Key) -> Attempt | None:
        """What Meta said last about this event."""
        return self._attempts.get(self.keys[key])

    # -- the verbs of Leases -------------------------------------------------------------------------------------------

    def waiting(self, now: float) -> dict[str, float]:
        return {dataset: 0.0 for dataset, numbers in self._pending.items() if numbers}

    def claim(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        return self._claim(self._pending, dataset, limit)

    def claim_suspects(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        return self._claim(self._suspects, dataset, limit)

    def suspects(self, now: float) -> dict[str, float]:
        """Due at once, whenever the verdict said: what is not tried by the end of the invocation is seen again."""
        return {dataset: 0.0 for dataset, numbers in self._suspects.items() if numbers}

    def _claim(self, lane: dict[str, list[int]], dataset: str, limit: int) -> Lease | None:
        numbers = lane.get(dataset, [])
        claimed, lane[dataset] = numbers[:limit], numbers[limit:]
        if not claimed:
            return None
        token = str(next(self._tokens))
        self._held[token] = set(claimed)
        return Lease(token=token, dataset=dataset, events=tuple(self._events[number] for number in claimed))

    def extend(self, lease: Lease, lease_seconds: float) -> None:
        """It lasts as long as the invocation: the queue's visibility timeout is six times the function's own."""
        if lease.token not in self._held:
            raise LeaseLost("nothing of this lease is left")

    def release(self, lease: Lease) -> None:
        """What has no verdict is not tried again by this invocation, which is stopping, and stays in the queue."""
        self._pending.setdefault(lease.dataset, []).extend(sorted(self._held.pop(lease.token, ())))

    def revoked(self, events: Sequence[LeasedEvent]) -> frozenset[int]:
        """What is in a queue cannot be taken back."""
        return frozenset()

    def settle(self, lease: Lease, settlements: Sequence[Settlement], attempt: Attempt | None, now: float) -> None:
        held = self._held.get(lease.token, set())
        settled = {event.key for _, events in settlements for event in events}
        if not settled <= held:
            raise LeaseLost("these events are not this lease's any more; nothing was settled")
        for verdict, events in settlements:
            keys = [event.key for event in events]
            self.verdicts |= dict.fromkeys(keys, verdict)
            if isinstance(verdict, Suspect) and not verdict.sent:
                self._suspects.setdefault(lease.dataset, []).extend(keys)
            if attempt is not None:
                self._attempts |= dict.fromkeys(keys, attempt)
        held -= settled
        if not held:
            self._held.pop(lease.token, None)
