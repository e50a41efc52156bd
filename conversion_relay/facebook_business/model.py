"""What the SDK's shapes can do besides holding members: `to_dict`, `to_str`, `normalize`.

A program hands `to_dict` on as the arguments of a task and builds the event anew there, or writes what `normalize`
gives into its log. So the first has the members as they were given, with the person in them; the second has what Meta
would get, hashed and scrubbed; and `to_str`, which is made to be printed, has names of members alone.
"""

import time
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import msgspec

from conversion_relay.event import Event, Rejection
from conversion_relay.facebook_business.api import judge
from conversion_relay.facebook_business.exceptions import EventRefused
from conversion_relay.facebook_business.plain import keep_a_list
from conversion_relay.intake.accept import Acceptance, Policy, Submission, prepare
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts


class Model:
    """Of a dataclass whose members are the SDK's."""

    def to_dict(self) -> dict[str, Any]:
        """Each member as it was given, None where it was not. A person stands in it in plain text: it is for building
        the shape anew, not for a log."""
        shape: Any = self
        names = [one.name for one in fields(shape) if not one.name.startswith("_")]
        return {name: _of_shapes(keep_a_list(self, name)) for name in names}

    def to_str(self) -> str:
        """Only names of members, where the SDK's shows a person."""
        return repr(self)


def _of_shapes(value: Any) -> Any:
    if isinstance(value, Model):
        return value.to_dict()
    return [_of_shapes(one) for one in value] if isinstance(value, list | tuple) else value


def normalized(event: Event | Rejection, facts: RequestFacts) -> dict[str, Any]:
    """As Meta would get it; nothing is kept. Raises EventRefused."""
    judged: Acceptance | Rejection = event if isinstance(event, Rejection) else judge().accept(event, facts)
    if isinstance(judged, Rejection):
        raise EventRefused(judged.reason, judged.field, judged.message)
    found: dict[str, Any] = msgspec.json.decode(judged.event.body)
    return found


def prepared(event: Event | Rejection, part: str) -> dict[str, Any]:
    """A part of an event as Meta would get it, empty where nothing of it is left. It is not judged: what it lacks may
    stand in the other parts. Raises EventRefused for what is no such part."""
    settings = judge().settings
    policy = Policy(dataset="", default_country=settings.policy(settings.datasets[0]).default_country)
    if not isinstance(event, Rejection):
        answer = prepare(Submission(event=event), NO_FACTS, policy, now=time.time(), entropy=bytes(10))
        if not isinstance(answer, Rejection):
            found = answer[0].get(part, {})
            return dict(found) if isinstance(found, Mapping) else {}
        event = answer
    raise EventRefused(event.reason, event.field, event.message)
