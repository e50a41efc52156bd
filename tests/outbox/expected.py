"""What an outbox ought to hold: the model's side, two pages of plain Python without a store."""

from collections import Counter

import msgspec

from conversion_relay.event import SealedEvent
from conversion_relay.outbox import STATES, Lease
from conversion_relay.outbox.protocol import LONGEST_WAIT
from conversion_relay.outbox.verdict import Dead, Delivered, Expired, Hold, Park, RetryAt, Suspect, Verdict, Withhold

DAY = 86_400.0
LEDGER, DEAD_LETTERS = 8 * DAY, 90 * DAY


class Kept(msgspec.Struct, eq=False):
    """What the model knows of one event."""

    number: int
    dataset: str
    event_id: str
    expires_at: float
    person: str
    accepted_at: float
    state: str = "pending"
    due_at: float | None = None
    is_held: bool = False
    is_suspect: bool = False
    is_suspected: bool = False
    """Its last verdict said so; what comes back from a lost lease is suspect again."""
    settled_at: float = 0.0
    has_body: bool = True
    is_withdrawn: bool = False
    """While it was leased: what becomes of it is up to Meta."""

    @property
    def has_ended(self) -> bool:
        return self.state not in ("pending", "leased")

    def is_over(self, now: float) -> bool:
        """Ended so long ago that the store may forget it."""
        keeps = DEAD_LETTERS if self.state == "dead" else LEDGER
        return self.has_ended and self.settled_at < now - keeps

    def may_stay(self, now: float, longer: float) -> bool:
        """A store that drops whole parts keeps a row until all of its part may go."""
        return longer > 0 and self.accepted_at > now - LEDGER - longer

    def is_replayable(self, now: float) -> bool:
        waits_for_a_person = self.state == "dead" or (self.state == "pending" and self.is_held)
        return waits_for_a_person and self.has_body and self.expires_at > now

    def can_go(self, now: float) -> bool:
        if self.is_held:
            return self.expires_at <= now
        if self.is_suspect:
            return self.due_at is not None and self.due_at > now + LONGEST_WAIT
        return self.due_at is None or self.due_at <= now or self.due_at > now + LONGEST_WAIT


class Held(msgspec.Struct):
    """A lease as the model knows it."""

    lease: Lease
    since: float
    until: float
    process: int
    rest: dict[int, Kept]
    """By the outbox's own key."""


class Expected:
    """Every event that was put, and what became of it."""

    def __init__(self) -> None:
        self.events: dict[tuple[str, str], Kept] = {}
        self.forgotten: list[Kept] = []
        self.newest = 0

    def add(self, event: SealedEvent, person: str) -> bool:
        """Whether it was new."""
        is_new = (event.dataset, event.event_id) not in self.events
        if is_new:
            self.newest += 1
            kept = Kept(self.newest, event.dataset, event.event_id, float(event.expires_at), person, event.event_time)
            self.events[event.dataset, event.event_id] = kept
        return is_new

    def of(self, dataset: str) -> list[Kept]:
        return [kept for kept in self.events.values() if kept.dataset == dataset]

    def pending(self, dataset: str) -> list[Kept]:
        return [kept for kept in self.of(dataset) if kept.state == "pending"]

    def book(self, dataset: str) -> dict[str, int]:
        states = Counter(k.state for k in (*self.events.values(), *self.forgotten) if k.dataset == dataset)
        return {state: states[state] for state in STATES} | {"accepted": states.total()}

    def forget(self, kept: Kept) -> None:
        self.forgotten.append(self.events.pop((kept.dataset, kept.event_id)))

    def wake(self, dataset: str, now: float) -> None:
        """Whose time has come by this clock is due from now on, whatever becomes of the clock."""
        for kept in self.pending(dataset):
            if kept.can_go(now):
                kept.due_at, kept.is_held, kept.is_suspect = None, False, False


def apply(kept: Kept, verdict: Verdict, now: float) -> None:
    """What this verdict makes of a leased event."""
    if kept.state == "erased":
        return
    if kept.is_withdrawn and not isinstance(verdict, Delivered | Expired | Withhold):
        withdraw(kept, now)
        return
    kept.state, kept.due_at, kept.is_held, kept.settled_at = "pending", None, False, now
    kept.is_suspect = kept.is_suspected = isinstance(verdict, Suspect)
    match verdict:
        case Delivered():
            kept.state = "delivered"
        case Dead():
            kept.state = "dead"
        case Expired():
            kept.state = "expired"
        case Withhold():
            kept.state, kept.has_body = "erased", False
        case Hold():
            kept.is_held = True
        case RetryAt(at=at) | Suspect(at=at):
            kept.due_at = at
        case Park(aside=aside):
            kept.due_at = aside


def withdraw(kept: Kept, at: float) -> None:
    kept.state, kept.settled_at, kept.has_body = "erased", at, False


def free(held: Held) -> None:
    """The lease is over; what it still held waits again."""
    for kept in held.rest.values():
        if kept.state == "leased" and kept.is_withdrawn:
            withdraw(kept, held.since)
        elif kept.state == "leased":
            kept.state, kept.is_held, kept.is_suspect = "pending", False, kept.is_suspected
            kept.due_at = held.since if kept.is_suspected else None
    held.rest = {}
