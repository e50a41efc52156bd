"""Where the memory outbox keeps its events: what a database would be, with one lock and one clock of its own."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable

import msgspec

from conversion_relay.event import PAID_EVENT_NAMES, SealedEvent
from conversion_relay.outbox import Attempt, LeasedEvent, State, Story
from conversion_relay.outbox.protocol import LONGEST_WAIT
from tests.outbox.memory_sides import MemorySides

FRESH = 30.0


class Row(msgspec.Struct, eq=False):
    """One event. It waits fresh, in the `backlog`, until `due_at`, `held`, or among the suspects."""

    key: int
    event: SealedEvent
    event_id: str
    accepted_at: float
    body: bytes | None
    consent: str | None
    state: State = "pending"
    is_backlog: bool = False
    is_held: bool = False
    is_suspect: bool = False
    due_at: float | None = None
    attempts: int = 0
    sent_at: float | None = None
    reason: str | None = None
    settled_at: float | None = None
    history: list[Attempt] = []

    @property
    def rank(self) -> tuple[float, int]:
        """In the backlog."""
        ahead = 1e10 if self.event.event_name in PAID_EVENT_NAMES else 0.0
        return (self.event.expires_at - ahead if self.sent_at is None else self.sent_at), self.key

    def leased(self) -> LeasedEvent:
        event, body = self.event, self.body or b""
        times = (event.event_time, event.expires_at)
        return LeasedEvent(
            self.key, event.event_name, self.event_id, *times, self.attempts, self.sent_at, True, body, self.consent
        )

    def story(self) -> Story:
        return Story(
            dataset=self.event.dataset,
            event_name=self.event.event_name,
            event_id=self.event_id,
            event_time=self.event.event_time,
            accepted_at=self.accepted_at,
            expires_at=self.event.expires_at,
            state=self.state,
            reason=self.reason,
            attempts=self.attempts,
            due_at=self.event.expires_at if self.is_held else self.due_at,
            settled_at=self.settled_at,
            history=tuple(self.history),
        )

    def wait(self, due_at: float | None = None) -> None:
        self.state, self.due_at, self.is_held, self.is_backlog = "pending", due_at, False, due_at is None
        self.is_suspect = False

    def end(self, state: State, reason: str | None, now: float) -> None:
        self.state, self.reason, self.settled_at, self.due_at, self.is_held = state, reason, now, None, False
        self.body = self.body if state == "dead" else None


class Held(msgspec.Struct):
    """What a lease holds; `since` by the wall's clock, `until` by the store's own."""

    owner: object
    since: float
    until: float
    rows: dict[int, Row]


class Store(MemorySides):
    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.clock, self.lock, self.keys = clock, threading.RLock(), itertools.count(1)
        self.rows: dict[int, Row] = {}
        self.ledger: dict[tuple[str, str, str], Row] = {}
        self.leases: dict[str, Held] = {}
        self.open_outboxes: set[object] = set()
        self.books: Counter[tuple[str, State]] = Counter()
        """Of events that the ledger forgot."""

    def of(self, dataset: str, state: State) -> list[Row]:
        return [row for row in self.rows.values() if row.event.dataset == dataset and row.state == state]

    def shift(self, dataset: str, now: float) -> int:
        shifted = 0
        for row in self.of(dataset, "pending"):
            at = row.event.expires_at if row.is_held else row.due_at
            is_far = not row.is_held and at is not None and at > now + LONGEST_WAIT
            is_due = at is not None and ((at <= now and not row.is_suspect) or is_far)
            if is_due or (at is None and not row.is_backlog and row.accepted_at <= now - FRESH):
                row.wait()
                shifted += 1
        return shifted

    def free(self, token: str, *, unsent: bool) -> None:
        held = self.leases.pop(token, None)
        for row in held.rows.values() if held else ():
            if row.state == "leased":
                row.sent_at = row.sent_at if unsent or row.sent_at is not None else held.since
                if row.consent == "withdrawn":
                    row.end("erased", "withdrawn", held.since)
                    continue
                is_suspect = row.reason == "suspect"
                row.wait(held.since if is_suspect else None)
                row.is_suspect = is_suspect
