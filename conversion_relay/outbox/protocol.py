"""Where accepted events wait: durable before the 2xx, leased to one worker at a time, settled by its token.

`open_outbox(url)` gives the backend; every backend keeps the promises below and passes the one suite in
`tests/outbox/`. Not promised, so never assumed: one process, one clock, order, or a message being one event.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import msgspec

from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.verdict import Verdict

if TYPE_CHECKING:
    from concurrent.futures import Future

State = Literal["pending", "leased", "delivered", "dead", "expired", "erased"]
STATES: tuple[State, ...] = ("pending", "leased", "delivered", "dead", "expired", "erased")


class LeasedEvent(msgspec.Struct, frozen=True):
    """An event in a worker's hands."""

    key: int
    event_name: str
    event_id: str
    event_time: int
    expires_at: int
    attempts: int
    sent_at: float | None
    """Unix seconds; since then Meta may have it, though it never said so."""
    intact: bool
    """False where the stored bytes no longer match their checksum; such bytes are never sent."""
    body: bytes
    consent: Literal["granted", "withdrawn"] | None = None
    """What the visitor said; whether that is enough is asked again before it is sent."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to settle these events; the token is the proof. How long it holds is told on the outbox's own clock,
    which is not the wall's: a clock that is set must not end it, nor make it last."""

    token: str
    dataset: str
    events: tuple[LeasedEvent, ...]


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answer of Meta's, or its silence, as kept for `explain`."""

    at: float
    outcome: str
    why: str | None = None
    status: int | None = None
    code: int | None = None
    subcode: int | None = None
    title: str | None = None
    fbtrace_id: str | None = None


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """The life of one event, without the person."""

    dataset: str
    event_name: str
    event_id: str
    event_time: int
    accepted_at: float
    expires_at: int
    state: State
    reason: str | None
    attempts: int
    due_at: float | None
    settled_at: float | None
    history: tuple[Attempt, ...]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset's books. `accepted` is counted at `put`, the states where they change: they must agree."""

    accepted: int = 0
    pending: int = 0
    leased: int = 0
    delivered: int = 0
    dead: int = 0
    expired: int = 0
    erased: int = 0
    oldest_pending_at: float | None = None
    nearest_expiry_at: int | None = None

    @property
    def imbalance(self) -> int:
        """Zero, always."""
        return self.accepted - sum(int(getattr(self, state)) for state in STATES)


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """Of one event name: how many events Meta got from both sides, from the server alone, from the pixel alone."""

    both: int = 0
    server_only: int = 0
    browser_only: int = 0


Settlement = tuple[LeasedEvent, Verdict]


class Leases(Protocol):
    """The verbs that delivery needs."""

    def claim(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        """Up to `limit` due events of one dataset, given to nobody else until the lease runs out.

        Fresh events come first. Where older ones wait too, half of the places are theirs, nearest deadline first.
        """

    def extend(self, lease: Lease, lease_seconds: float) -> None:
        """The lease lasts that long from now; LeaseLost when it is somebody else's by now."""

    def release(self, lease: Lease) -> None:
        """What is left of the lease was not sent and waits again, for anybody; no attempt is counted."""

    def revoked(self, events: Sequence[LeasedEvent]) -> frozenset[int]:
        """The keys of those that were erased or withdrawn since they were claimed: they are not to be sent."""

    def settle(self, lease: Lease, settlements: Sequence[Settlement], attempt: Attempt | None, now: float) -> None:
        """Some or all of the lease's events get their verdict; LeaseLost and no change when the token is stale.
        An event that was erased meanwhile stays erased; one that was withdrawn meanwhile does not wait again."""

    def waiting(self, now: float) -> dict[str, float]:
        """Datasets with something to send, and when the first of it is due (Unix seconds; 0 when it is due now).
        Leases whose owner died or stood still are taken back first."""


@runtime_checkable
class Outbox(Leases, Protocol):
    """The verbs. All raise OutboxUnavailable when nothing could be committed."""

    def put(self, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
        """Durable when it returns. A known (dataset, event name, event id) is not stored again."""

    def put_soon(self, events: Sequence[SealedEvent], now: float) -> "Future[list[Receipt]]":
        """The same for a caller that must not block: the future is done after the commit."""

    def counts(self) -> dict[str, Counts]:
        """The books by dataset."""

    def find(self, event_id: str) -> list[Story]:
        """Every event of that id (one per dataset and name)."""

    def dead(self, limit: int = 100) -> list[Story]:
        """Dead letters, newest first."""

    def held(self, limit: int = 100) -> list[Story]:
        """Pending events that are not sent again by themselves, since Meta may have them already."""

    def replay(self, now: float, event_ids: Sequence[str] | None = None) -> int:
        """Dead letters and held events that can still be sent are sent again; how many."""

    def erase(self, digests: Sequence[str], now: float) -> int:
        """Forget a person: every event that holds one of these SHA-256 digests; how many."""

    def withdraw(self, dataset: str, event_ids: Sequence[str], now: float) -> int:
        """A visitor takes back what their browser sent: events with public names that are pending or dead end as
        erased; how many. So do those that are leased, unless Meta gets them first; they are not in the number."""

    def remember_visitor(self, key: str, visit: Visit, now: float) -> None:
        """Durable when it returns, for 7 days. What was remembered under this key first stays; only what was missing
        is filled in."""

    def visitor(self, key: str, now: float) -> Visit | None:
        """Whoever was remembered under this key in the last 7 days."""

    def has_visitors(self) -> bool:
        """Whether `visitor` may know anybody; costs nothing, so that nobody is looked up in vain for every event. One
        whom another process remembered first of all is known a second later."""

    def note_pixel(self, dataset: str, pairs: Sequence[tuple[str, str]], now: float) -> "Future[None]":
        """The page's pixel got these (event name, event id); counted when the future is done. Said again, a pair
        changes nothing."""

    def deduplication(self) -> dict[str, dict[str, Sides]]:
        """By dataset and event name: which events both the server and the pixel sent."""

    def tidy(self, now: float) -> int:
        """Put some of what waits in its place, so that claims need not; how many. Called when there is time."""

    def prune(self, now: float) -> int:
        """Drop ledger rows that no duplicate can come for any more, and visits and reports that are too old: some of
        them, so that nobody waits; how many."""

    def recent(self, limit: int = 50) -> list[Story]:
        """The newest events."""

    def probe(self) -> None:
        """Returns when a real write was committed; raises OutboxUnavailable when none can be."""

    def on_put(self, wake: Callable[[], None]) -> None:
        """Call `wake` after each commit that stored something."""

    def close(self) -> None:
        """Commit what was promised, release what is leased, let go of the file."""
