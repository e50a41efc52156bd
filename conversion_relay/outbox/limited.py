"""What a store says instead, where it has not every part of `protocol.py`."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from conversion_relay.errors import UnsupportedByOutbox

IN_A_TRANSACTION = "keep an event in its caller's transaction"


@runtime_checkable
class Limited(Protocol):
    """A store without some of these parts can say what to do instead."""

    kind: str
    """With its article: "an sqs:// outbox"."""
    instead: Mapping[str, str]
    """By the name of a verb that it does not have: why not, and what to do instead, in one sentence."""


def unsupported(outbox: object, verb: str) -> UnsupportedByOutbox:
    """What to raise when this store has no such verb."""
    if isinstance(outbox, Limited) and verb in outbox.instead:
        return UnsupportedByOutbox(f"not with {outbox.kind}: {outbox.instead[verb]}")
    kinds = "a postgresql:// outbox" if verb == IN_A_TRANSACTION else "a sqlite:/// or a postgresql:// outbox"
    return UnsupportedByOutbox(f"this outbox cannot {verb}; {kinds} can")
