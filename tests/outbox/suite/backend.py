"""The test's side of a store: how to open it, and what differs between stores."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from conversion_relay.event import SealedEvent
from conversion_relay.outbox import Attempt, Lease, Leases, Queue
from conversion_relay.outbox.verdict import Dead, Verdict

NOW = 1_700_000_000.0
DAY = 86_400.0
REFUSED = Attempt(
    at=NOW,
    outcome="refused",
    status=400,
    code=100,
    subcode=2804009,
    title="Missing Value",
    fbtrace_id="Atrace",
    sentence="Your purchase event doesn't include a value parameter.",
    field="custom_data.value",
)


def sealed(
    event_id: str, dataset: str = "1", name: str = "Lead", body: bytes | None = None, expires_in: int = 600_000, **more
) -> SealedEvent:
    return SealedEvent(
        dataset=dataset,
        event_name=name,
        event_id=event_id,
        event_time=int(NOW),
        expires_at=int(NOW) + expires_in,
        body=body or b'{"event_id":"%s"}' % event_id.encode(),
        **more,
    )


def settle_all(outbox: Leases, lease: Lease, verdict: Verdict, attempt: Attempt | None = None) -> None:
    outbox.settle(lease, [(verdict, lease.events)], attempt, NOW)


def claim(outbox: Leases, limit: int = 1000, now: float = NOW, dataset: str = "1") -> Lease:
    lease = outbox.claim(dataset, limit, 60, now)
    assert lease is not None
    return lease


class Backend:
    """A subclass opens one kind of store. The other hooks fit every store with leases; any other overrides them."""

    keeps_longer = 0.0
    """Seconds for which a row may stay in the ledger after it may go, in a store that drops many at once."""

    def open(self, place: Path) -> Any:
        """What is kept at this place, by a new outbox; the same place opened twice is the same store."""
        raise NotImplementedError

    def pass_time(self, seconds: float) -> None:
        """Lets so much time pass on the clock by which the store measures leases; `now` is an argument of the verbs."""
        raise NotImplementedError

    def put(self, outbox: Any, events: Sequence[SealedEvent]) -> None:
        """Makes these events wait."""
        outbox.put(events, NOW)

    def read(self, outbox: Any, dataset: str = "1") -> dict[str, bytes]:
        """Bodies by event id, as whoever sends them gets them."""
        lease = outbox.claim(dataset, 5_000, 60, NOW)
        return {event.event_id: event.body for event in lease.events} if lease else {}

    def kill(self, outbox: Any, event_ids: Sequence[str]) -> None:
        """These events were refused by Meta, with the answer REFUSED, and are one dead letter each."""
        lease = claim(outbox)
        dying = [event for event in lease.events if event.event_id in event_ids]
        outbox.settle(lease, [(Dead("meta_100_2804009"), dying)], REFUSED, NOW)
        outbox.release(lease)

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        return tmp_path

    @pytest.fixture
    def outbox(self, place: Path) -> Iterator[Any]:
        outbox = self.open(place)
        yield outbox
        if isinstance(outbox, Queue):
            outbox.close()
