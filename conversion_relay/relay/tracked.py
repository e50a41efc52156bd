"""What a program is told: of an event that it tracked (`Tracked`), and of events that it sent at once (`Sent`)."""

from typing import TYPE_CHECKING, Literal

import msgspec

from conversion_relay.event import Event, Rejection
from conversion_relay.intake.request_facts import RequestFacts

if TYPE_CHECKING:
    # A Lambda function that only accepts must not pay for what reads Meta's answers.
    from conversion_relay.meta.graph import Outcome

Fate = Literal["accepted", "duplicate", "pending", "withheld", "refused"]


class Tracked(msgspec.Struct, frozen=True):
    """What became of one event: durable, known already, or withheld because the visitor did not agree. Only
    `track_many` gives `refused`; `track` raises InvalidEvent instead. `pending`: judged, and kept once the transaction
    commits that it was given to."""

    event_id: str | None
    state: Fate
    dropped: tuple[str, ...] = ()
    """What was left out of the event or completed, as "path: reason"; never a value."""
    why: str | None = None
    """Why it was withheld or refused: "consent: the visitor declined; ...". None where it is durable."""

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


def not_kept(rejection: Rejection, state: Literal["withheld", "refused"]) -> Tracked:
    """The answer for an event of which nothing was kept."""
    return Tracked(None, state, why=f"{rejection.field}: {rejection.message}")


def refuse_misuse(event: object, facts: object) -> None:
    """A TypeError that says what belongs here. Without it the mistake would show as an AttributeError deep inside."""
    if not isinstance(event, Event):
        given = type(event).__name__
        raise TypeError(f'track takes an Event, not {given}; build one: Event(event_name="Lead", ...)')
    if not isinstance(facts, RequestFacts):
        given = type(facts).__name__
        raise TypeError(f"facts are RequestFacts, not {given}; use RequestFacts.from_asgi, from_wsgi or from_headers")
