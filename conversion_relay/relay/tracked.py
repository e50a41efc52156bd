"""What a program is told: of an event that it tracked (`Tracked`), and of events that it sent at once (`Sent`)."""

from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from conversion_relay.event import Event
from conversion_relay.intake.accept import Sender
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from conversion_relay.settings import Settings

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


def refuse_misuse(event: object, facts: object, sender: object) -> None:
    """A TypeError that says what belongs here. Without it the mistake would show as an AttributeError deep inside."""
    if not isinstance(event, Event):
        given = type(event).__name__
        raise TypeError(f'track takes an Event, not {given}; build one: Event(event_name="Lead", ...)')
    if sender not in _SENDERS:  # anything else would be believed like a backend
        raise TypeError(f"sender is one of {', '.join(_SENDERS)}")
    check_facts(facts)


def refuse_settings(settings: object) -> None:
    if not isinstance(settings, Settings):
        given = type(settings).__name__
        raise TypeError(f"a Relay takes Settings, not {given}; Relay.from_env() reads them from the environment")


def check_facts(facts: object) -> None:
    """Raises TypeError for what is none, or has something else than a text where a text belongs."""
    if facts is NO_FACTS:
        return
    if not isinstance(facts, RequestFacts):
        given = type(facts).__name__
        raise TypeError(f"facts are RequestFacts, not {given}; use RequestFacts.from_asgi, from_wsgi or from_headers")
    for name in _TEXTS:
        if not isinstance(value := getattr(facts, name), str | None):
            raise TypeError(f"RequestFacts: {name} is a text or None, not {type(value).__name__}; give it as str(...)")


_SENDERS = get_args(Sender)
_TEXTS = tuple(name for name in RequestFacts.__struct_fields__ if name != "gpc")
