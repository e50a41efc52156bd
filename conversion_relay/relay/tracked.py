"""What a program is told: of an event that it tracked (`Tracked`), and of events that it sent at once (`Sent`)."""

from typing import TYPE_CHECKING, Literal

import msgspec

from conversion_relay.event import Event
from conversion_relay.intake.request_facts import RequestFacts

if TYPE_CHECKING:
    # A Lambda function that only accepts must not pay for what reads Meta's answers.
    from conversion_relay.meta.graph import Outcome

Fate = Literal["accepted", "duplicate", "pending", "withheld", "refused"]


class Copied(msgspec.Struct, frozen=True):
    """What became of an event's copy for one further dataset, which has a door and a fate of its own."""

    dataset: str
    event_id: str | None
    state: Fate
    dropped: tuple[str, ...] = ()
    why: str | None = None


class Tracked(msgspec.Struct, frozen=True):
    """What became of one event: durable, known already, or withheld because the visitor did not agree. `track` raises
    InvalidEvent where no dataset took it; `track_many`, and an event of which a further dataset took its copy, say
    `refused`. `pending`: judged, and kept once the transaction commits that it was given to."""

    event_id: str | None
    state: Fate
    dropped: tuple[str, ...] = ()
    """What was left out of the event or completed, as "path: reason"; never a value."""
    why: str | None = None
    """Why it was withheld or refused: "consent: the visitor declined; ...". None where it is durable."""
    copies: tuple[Copied, ...] = ()
    """What became of it at each further dataset (RELAY_COPIES_TO, or named by the caller)."""

    @property
    def status(self) -> Fate:
        """The same as `state`."""
        return self.state

    @property
    def is_durable(self) -> bool:
        """Whether the event is in the outbox, by this call or by one before."""
        return self.state in ("accepted", "duplicate")


class Sent(msgspec.Struct, frozen=True):
    """What Meta said to events that were sent at once, past the outbox."""

    event_ids: tuple[str, ...]
    outcome: "Outcome"

    @property
    def accepted(self) -> bool:
        from conversion_relay.meta.graph import Accepted

        return isinstance(self.outcome, Accepted)


def refuse_misuse(event: object, facts: object) -> None:
    """A TypeError that says what belongs here. Without it the mistake would show as an AttributeError deep inside."""
    if not isinstance(event, Event):
        given = type(event).__name__
        raise TypeError(f'track takes an Event, not {given}; build one: Event(event_name="Lead", ...)')
    if not isinstance(facts, RequestFacts):
        given = type(facts).__name__
        raise TypeError(f"facts are RequestFacts, not {given}; use RequestFacts.from_asgi, from_wsgi or from_headers")
