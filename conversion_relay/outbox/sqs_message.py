"""The format of the outbox on AWS: what stands in an SQS message, and how a dead letter reads.

A message holds up to 200 kB of events of one dataset, as JSON in ASCII: SQS refuses control characters and lone
surrogates, and ASCII with escapes has neither. Each event has the CRC-32 of its bytes. Why an event died is in the
message's attributes, so that AWS's console shows it.
"""

import json
import zlib
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from conversion_relay.event import SealedEvent
from conversion_relay.outbox.story import Attempt, Story

MOST_BYTES = 200_000


class Kept(msgspec.Struct, frozen=True):
    """One event in a message. `body` is Meta's JSON, `checksum` its CRC-32."""

    event_name: str
    event_id: str
    event_time: int
    expires_at: int
    checksum: int
    body: str
    consent: Literal["granted"] | None = None


class Message(msgspec.Struct, frozen=True):
    """The body of an SQS message."""

    dataset: str
    accepted_at: float
    events: tuple[Kept, ...]
    decided: bool = False
    """A person had these sent again, although Meta may have them."""


def messages(events: Sequence[SealedEvent], now: float) -> list[str]:
    """Bodies of messages, each of one dataset and at most MOST_BYTES; an oversized event stands alone."""
    packed: list[tuple[str, list[Kept]]] = []
    sizes: dict[str, tuple[int, list[Kept]]] = {}
    for event in events:
        kept = Kept(
            event.event_name,
            event.event_id,
            event.event_time,
            event.expires_at,
            zlib.crc32(event.body),
            event.body.decode(),
            event.consent,
        )
        cost = len(json.dumps(kept.body)) + 300
        size, group = sizes.get(event.dataset, (MOST_BYTES, []))
        if size + cost > MOST_BYTES:
            size, group = 0, []
            packed.append((event.dataset, group))
        group.append(kept)
        sizes[event.dataset] = size + cost, group
    return [encode(dataset, now, group) for dataset, group in packed]


def encode(dataset: str, accepted_at: float, events: Sequence[Kept], *, decided: bool = False) -> str:
    """The body of a message; ASCII alone."""
    message = Message(dataset, accepted_at, tuple(events), decided)
    return json.dumps(msgspec.to_builtins(message), separators=(",", ":"))


def read_message(message: dict[str, Any]) -> Message | None:
    """Of a message as ReceiveMessage gives it; None where it is none of ours."""
    return decoded(message["Body"])


def decoded(body: str) -> Message | None:
    """A message of ours; None for whatever else somebody put into the queue."""
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def stories_of(message: dict[str, Any]) -> list[Story]:
    """The events of a dead letter."""
    letter = read_message(message)
    if letter is None:
        return []
    said = texts_of(message)
    died_at = int(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000
    attempt = Attempt(
        at=died_at,
        outcome=said.get("outcome") or "refused",
        why=said.get("reason"),
        code=_number(said.get("meta_code", "")),
        subcode=_number(said.get("subcode", "")),
        title=said.get("title"),
        fbtrace_id=said.get("fbtrace_id"),
        sentence=said.get("sentence"),
        field=said.get("field"),
    )
    return [
        Story(
            dataset=letter.dataset,
            event_name=event.event_name,
            event_id=event.event_id,
            event_time=event.event_time,
            accepted_at=letter.accepted_at,
            expires_at=event.expires_at,
            state="dead",
            reason=said.get("reason"),
            attempts=1,
            due_at=None,
            settled_at=died_at,
            history=(attempt,),
        )
        for event in letter.events
    ]


def texts_of(message: dict[str, Any]) -> dict[str, str]:
    """Its attributes, but for those of others that are no texts: whoever moves messages by a tool may add some."""
    given = message.get("MessageAttributes") or {}
    return {name: value["StringValue"] for name, value in given.items() if value and "StringValue" in value}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


_decoder = msgspec.json.Decoder(Message)
