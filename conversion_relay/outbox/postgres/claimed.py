"""What a claim's rows are: leased events, and the times of their acceptance, for the figures."""

import threading
import zlib
from collections.abc import Iterable

from conversion_relay.outbox.postgres.session import Rows
from conversion_relay.outbox.protocol import LeasedEvent

MOST_LEASES = 1_000


def leased_events(rows: Rows) -> tuple[LeasedEvent, ...]:
    """In the order of the lanes; an event without a row or a body comes out as damaged."""
    rows.sort(key=lambda row: row[:3])
    return tuple(
        [
            LeasedEvent(key, name, event_id, at, expires_at, attempts, sent_at, zlib.crc32(body) == crc, body, consent)
            if body is not None and name is not None
            else LeasedEvent(key, name or "", event_id or "", 0, 0, 0, None, False, b"")
            for _, _, key, name, event_id, at, expires_at, attempts, sent_at, crc, body, consent, _ in rows
        ]
    )


class Claimed:
    """By token and key, when the event was accepted."""

    def __init__(self) -> None:
        self._times: dict[str, dict[int, float]] = {}
        self._lock = threading.Lock()

    def note(self, token: str, rows: Rows) -> None:
        if rows:
            with self._lock:
                self._times[token] = {row[2]: row[12] or 0.0 for row in rows}
                while len(self._times) > MOST_LEASES:
                    del self._times[next(iter(self._times))]

    def of(self, token: str) -> dict[int, float]:
        with self._lock:
            return dict(self._times.get(token, {}))

    def forget(self, token: str, keys: Iterable[int] | None = None) -> None:
        """These keys, or the whole lease."""
        with self._lock:
            times = self._times.get(token)
            for key in keys or ():
                if times:
                    times.pop(key, None)
            if keys is None or not times:
                self._times.pop(token, None)
