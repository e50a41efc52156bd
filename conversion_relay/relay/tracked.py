"""What a program is told: of an event that it tracked (`Tracked`), and of events that it sent at once (`Sent`)."""

from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from conversion_relay.errors import InvalidEvent
from conversion_relay.event import Event
from conversion_relay.intake.accept import Sender
from conversion_relay.intake.members import Refused, read_consent
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
    if TYPE_CHECKING:
        outcome: "Outcome"
        """What Meta said, or the silence: one of `conversion_relay.meta.graph.Outcome`."""
    else:
        outcome: object  # `help` evaluates it, and the other name is not loaded here

    @property
    def accepted(self) -> bool:
        from conversion_relay.meta.graph import Accepted

        return isinstance(self.outcome, Accepted)


def refuse_misuse(event: object, sender: object) -> None:
    """A TypeError that says what belongs here. Without it the mistake would show as an AttributeError deep inside."""
    if not isinstance(event, Event):
        given = type(event).__name__
        raise TypeError(f'track takes an Event, not {given}; build one: Event(event_name="Lead", ...)')
    if sender not in _SENDERS:  # anything else would be believed like a backend
        raise TypeError(f"sender is one of {', '.join(_SENDERS)}")


def sealable(event: object) -> Event:
    """Raises TypeError for what is neither an event nor, as bytes, the JSON of one."""
    if not isinstance(event, Event):
        raise TypeError(f"seal takes an Event, or the JSON of one as bytes, not {type(event).__name__}")
    return event


def refuse_settings(settings: object) -> None:
    if not isinstance(settings, Settings):
        given = type(settings).__name__
        raise TypeError(f"a Relay takes Settings, not {given}; Relay.from_env() reads them from the environment")


def facts_as_read(facts: object) -> RequestFacts:
    """With what the visitor said in the words of `Event`: a "Denied" or a False that nobody understood would be a no
    that nobody hears, and a visit that is kept with it could not be read again.

    Raises TypeError for what are no facts, or for something else than a text where a text belongs; InvalidEvent for a
    consent that is neither yes nor no."""
    if facts is NO_FACTS:
        return NO_FACTS
    if not isinstance(facts, RequestFacts):
        given = type(facts).__name__
        raise TypeError(f"facts are RequestFacts, not {given}; use RequestFacts.from_asgi, from_wsgi or from_headers")
    for name in _TEXTS:
        if not isinstance(value := getattr(facts, name), str | None):
            raise TypeError(f"RequestFacts: {name} is a text or None, not {type(value).__name__}; give it as str(...)")
    said, gpc = facts.consent, facts.gpc
    if type(gpc) is bool and (said is None or said in ("granted", "denied")):
        return facts
    return msgspec.structs.replace(facts, consent=consent_as_read(said), gpc=gpc not in _NO_SIGNAL)


def consent_as_read(said: object) -> Literal["granted", "denied"] | None:
    """What a program gives as the visitor's word, read as an event's `consent` is. Raises InvalidEvent."""
    try:
        return None if said is None else read_consent(said)
    except Refused as refused:
        (why,) = refused.args
        raise InvalidEvent(why.reason, why.field, why.message) from None


_NO_SIGNAL = (False, None, "", "0", "false")
"""Programs give the header as it came: "1", or nothing. Whatever is no plain no is the signal."""
_SENDERS = get_args(Sender)
_TEXTS = tuple(name for name in RequestFacts.__struct_fields__ if name not in ("gpc", "consent"))
