"""A message of the queue as Lambda hands it over, and its events as delivery leases them."""

import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from conversion_relay.outbox import LeasedEvent
from conversion_relay.outbox.sqs_message import Kept, Message, decoded


class Received(msgspec.Struct, frozen=True):
    """`message` is None where the body is not one that the relay wrote."""

    message_id: str
    receipt: str
    body: str
    receives: int
    first_seen: str
    message: Message | None


def received(record: Mapping[str, Any]) -> Received:
    attributes = record.get("attributes") or {}
    body = str(record.get("body") or "")
    receives = str(attributes.get("ApproximateReceiveCount", ""))
    return Received(
        message_id=record["messageId"],
        receipt=record.get("receiptHandle", ""),
        body=body,
        receives=int(receives) if receives.isdecimal() else 1,
        first_seen=str(attributes.get("SentTimestamp", "")),
        message=decoded(body),
    )


def leased(kept: Kept, maybe_since: float | None) -> LeasedEvent:
    """`maybe_since`: since when Meta may have it (Unix seconds), where the ledger of purchases says so."""
    body = kept.body.encode()
    return LeasedEvent(
        key=0,
        event_name=kept.event_name,
        event_id=kept.event_id,
        event_time=kept.event_time,
        expires_at=kept.expires_at,
        attempts=0,
        sent_at=maybe_since,
        intact=zlib.crc32(body) == kept.checksum,
        body=body,
        consent=kept.consent,
    )
