"""What a claim's rows are: leased events."""

import zlib

from conversion_relay.outbox.postgres.session import Rows
from conversion_relay.outbox.protocol import LeasedEvent


def leased_events(rows: Rows) -> tuple[LeasedEvent, ...]:
    """In the order of the lanes; an event without a row or a body comes out as damaged."""
    rows.sort(key=lambda row: row[:3])
    return tuple(
        [
            LeasedEvent(key, name, event_id, at, expires_at, attempts, sent_at, zlib.crc32(body) == crc, body, *more)
            if body is not None and name is not None
            else LeasedEvent(key, name or "", event_id or "", 0, 0, 0, None, False, b"")
            for _, _, key, name, event_id, at, expires_at, attempts, sent_at, crc, body, *more in rows
        ]
    )
