"""What arrived at the stand-in, and which of it Meta would count once.

https://developers.facebook.com/docs/marketing-api/conversions-api/deduplicate-pixel-and-server-events
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from conversion_relay.emulator.diagnostics import diagnose

WINDOW = 48 * 3_600
MOST_REQUESTS = 10_000
Source = Literal["server", "browser"]


class Arrived(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event that was taken."""

    event: dict[str, Any]
    source: Source
    duplicate: bool
    received_at: float
    dataset: str
    duplicate_by: str | None = None
    diagnostics: list[str] = []

    def shown(self) -> dict[str, Any]:
        return {"duplicate": False, "diagnostics": [], **msgspec.structs.asdict(self)}


class Store:
    """In memory; a restart forgets."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.events: list[Arrived] = []
        self.requests: deque[dict[str, Any]] = deque(maxlen=MOST_REQUESTS)
        self._by_id: dict[tuple[str, str, str], float] = {}
        self._by_browser: dict[tuple[str, str, str, str], float] = {}
        self._addresses: dict[tuple[str, str, str], dict[Source, str]] = {}

    def take(
        self,
        dataset: str,
        events: Sequence[dict[str, Any]],
        source: Source,
        now: float,
        address: str | None = None,
    ) -> None:
        """`address`: whose request it was, for the browser's own events."""
        for event in events:
            by = self._duplicate_by(dataset, event, source, now)
            found = diagnose(event, now)
            given = event["user_data"].get("client_ip_address") if source == "server" else address
            if self._mismatch(dataset, event, source, given):
                found.append("server and browser name different IP addresses for one event")
            self.events.append(Arrived(event, source, by is not None, now, dataset, by, found))

    def _mismatch(self, dataset: str, event: Mapping[str, Any], source: Source, address: str | None) -> bool:
        event_id = event.get("event_id")
        if not event_id or not isinstance(address, str):
            return False
        known = self._addresses.setdefault((dataset, event["event_name"], event_id), {})
        known[source] = address
        return len(set(known.values())) > 1

    def unique(self) -> int:
        return sum(not arrived.duplicate for arrived in self.events)

    def _duplicate_by(self, dataset: str, event: Mapping[str, Any], source: Source, now: float) -> str | None:
        """Key 1: name and event id, whoever was first. Key 2: external_id or fbp, only browser first, server later,
        and only where not both sides carry an id."""
        name, event_id = event["event_name"], event.get("event_id")
        if event_id:
            first = self._by_id.get((dataset, name, event_id))
            if first is not None and now - first <= WINDOW:
                return "event_id"
            self._by_id[dataset, name, event_id] = now
        for key, value in _browser_keys(event):
            index = (dataset, name, key, value)
            if source == "browser":
                if not event_id:
                    self._by_browser.setdefault(index, now)
            elif now - self._by_browser.get(index, -WINDOW - 1.0) <= WINDOW:
                return key
        return None


def _browser_keys(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """external_id is favoured over fbp."""
    keys = []
    for key in ("external_id", "fbp"):
        value = event["user_data"].get(key)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and one:
                keys.append((key, one))
    return keys
