"""What arrived at the stand-in, and which of it Meta would count once.

https://developers.facebook.com/docs/marketing-api/conversions-api/deduplicate-pixel-and-server-events

What could go wrong: a stand-in that runs for weeks beside a test system keeps each event, 4 kB of memory, until the
machine has none left. The rule: the oldest events go, which is told once and counted; both figures count on. Ids are
known for Meta's 48 hours, and longest those of the latest MOST_IDS: a copy of an event that came before counts again.
"""

import logging
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from conversion_relay.emulator.diagnostics import diagnose

WINDOW = 48 * 3_600
MOST_REQUESTS = 10_000
MOST_EVENTS = 500_000
"""That are kept, and up to a tenth more, the oldest go together. Two gigabytes: whoever counts what arrived under load
counts hundreds of thousands."""
MOST_NAMED = 2_000_000
"""Ids of events that the kept requests name."""
MOST_IDS = 2_000_000
"""For each way to know an event again."""
Source = Literal["server", "browser"]
logger = logging.getLogger("conversion_relay.emulator")


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
        self.arrived = self.unique = self.forgotten = 0
        """Of all that ever came: how many, how many Meta counts, how many are not kept any more."""
        self.requests: deque[dict[str, Any]] = deque(maxlen=MOST_REQUESTS)
        self._named = 0
        self._by_id: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._by_browser: OrderedDict[tuple[str, str, str, str], float] = OrderedDict()
        self._addresses: OrderedDict[tuple[str, str, str], dict[Source, str]] = OrderedDict()

    def note(self, request: dict[str, Any]) -> None:
        """A request that came, whatever becomes of it."""
        if len(self.requests) == MOST_REQUESTS:
            self._drop_request()
        self.requests.append(request)
        self._named += len(request.get("event_ids", ()))
        while self._named > MOST_NAMED and len(self.requests) > 1:
            self._drop_request()

    def _drop_request(self) -> None:
        self._named -= len(self.requests.popleft().get("event_ids", ()))

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
            self.arrived += 1
            self.unique += by is None
        self._forget(now)

    def _forget(self, now: float) -> None:
        if len(self.events) > MOST_EVENTS * 1.1:
            if not self.forgotten:
                logger.warning("the oldest events are forgotten from now on", extra={"kept": MOST_EVENTS})
            self.forgotten += len(self.events) - MOST_EVENTS
            del self.events[:-MOST_EVENTS]
        for known in (self._by_id, self._by_browser):
            while known and (len(known) > MOST_IDS or now - next(iter(known.values())) > WINDOW):
                known.popitem(last=False)
        while len(self._addresses) > MOST_IDS:
            self._addresses.popitem(last=False)

    def _mismatch(self, dataset: str, event: Mapping[str, Any], source: Source, address: str | None) -> bool:
        event_id = event.get("event_id")
        if not event_id or not isinstance(address, str):
            return False
        known = self._addresses.setdefault((dataset, event["event_name"], event_id), {})
        known[source] = address
        return len(set(known.values())) > 1

    def _duplicate_by(self, dataset: str, event: Mapping[str, Any], source: Source, now: float) -> str | None:
        """Key 1: name and event id, whoever was first. Key 2: external_id or fbp, only browser first, server later,
        and only where not both sides carry an id."""
        name, event_id = event["event_name"], event.get("event_id")
        if event_id:
            first = self._by_id.get((dataset, name, event_id))
            if first is not None and now - first <= WINDOW:
                return "event_id"
            self._by_id[dataset, name, event_id] = now
            self._by_id.move_to_end((dataset, name, event_id))
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
