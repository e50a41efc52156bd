"""What an outbox tells a person: the life of one event, the books, figures by the hour. Nothing of it names anybody."""

from typing import Literal

import msgspec

from conversion_relay.outbox.verdict import HELD

State = Literal["pending", "leased", "delivered", "dead", "expired", "erased"]
STATES: tuple[State, ...] = ("pending", "leased", "delivered", "dead", "expired", "erased")


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
    sentence: str | None = None
    """What is wrong and how to mend it, in Meta's words."""
    field: str | None = None
    """The member that Meta complains about, such as `custom_data.currency`."""
    index: int | None = None
    """The event that it complains about, by its place in the request, from 0; the events of a request share an answer.
    """


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """The life of one event, without the person. Times are Unix seconds."""

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
    key: int | None = None
    """The store's own, where it has one: it tells apart what shares an id."""


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


class SideCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Of one event name: how many events Meta got from both sides, from the server alone, from the pixel alone."""

    both: int = 0
    server_only: int = 0
    browser_only: int = 0


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the events of one name in one hour."""

    dataset: str
    event_name: str
    hour: int
    """Its begin, in Unix seconds."""
    delays: dict[int, int] = {}
    """How many were delivered within so many seconds of being accepted, and not within the next smaller number."""
    dead: int = 0
    expired: int = 0
    worth: dict[str, float] = {}
    """Of delivered sales, by currency."""
    sampled: int = 0
    """Delivered events of which it was noted which match keys they carried."""
    keys: dict[str, int] = {}
    """Of the sampled: how many carried this key."""

    @property
    def delivered(self) -> int:
        return sum(self.delays.values())


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What a person looks for; what is None or "" fits every event."""

    text: str = ""
    """An event id or its beginning, or an order's id."""
    event_name: str = ""
    state: State | Literal["held"] | None = None
    reason: str = ""
    dataset: str = ""
    since: float | None = None
    """Accepted since (Unix seconds)."""
    before: int | None = None
    """Go on from here: `Found.rest` of the last answer."""
    limit: int = 50

    def fits(self, story: Story) -> bool:
        """By everything but the text and the place."""
        state = "held" if story.state == "pending" and story.reason == HELD else story.state
        return (
            self.event_name in ("", story.event_name)
            and self.reason in ("", story.reason)
            and self.dataset in ("", story.dataset)
            and self.state in (None, state)
            and (self.since is None or story.accepted_at >= self.since)
        )


class Found(msgspec.Struct, frozen=True, kw_only=True):
    stories: list[Story]
    rest: int | None = None
    """From where a search goes on; None when everything was looked at. It may be there though nothing was found."""


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one event beside its story."""

    body: bytes | None
    """What Meta gets; gone when it has it."""
    pixel_at: float | None
    """When the page's pixel said that it sent the same event."""


class DeadGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters of one cause."""

    dataset: str
    event_name: str
    reason: str
    n: int
    first_at: float
    last_at: float
    sendable: int
    """Of them, those that Meta still takes."""
    nearest_expiry_at: int | None
    """Of those."""
    newest: Story


class ServerFact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing about the server that a store lives in, for `doctor`."""

    name: str
    what: str
    fix: str | None = None
    is_error: bool = False


class AtWork(msgspec.Struct, frozen=True, kw_only=True):
    """How one dataset is doing, as a worker sees it."""

    why: str | None = None
    """Why nothing is sent for it now; None while it is sent."""
    parked_until: float = 0.0
    error_share: float = 0.0
    clock_skew_seconds: float = 0.0
    in_flight: int = 0
    asked_until: float = 0.0
    """The end of a pause that Meta asked this worker for; the others keep to it."""
    troubles: tuple[str, ...] = ()
    """What somebody should look at, also while events are sent."""


class SignOfLife(msgspec.Struct, frozen=True, kw_only=True):
    """A process that delivers, collects or does both said so at this time (Unix seconds)."""

    worker: str
    at: float
    datasets: dict[str, AtWork] = {}
    delivers: bool = True
    collects: bool = False
    version: str = ""
    """Of Conversion Relay; empty of one that did not say it yet."""
    clock_ahead_seconds: float = 0.0
    """Of the store's clock, where machines share one; below zero when it is behind."""
