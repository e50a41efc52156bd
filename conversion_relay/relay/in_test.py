"""For the tests of a program that tracks: events are collected, and no file, network or setting is needed."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any
from unittest import mock

import msgspec

from conversion_relay import relay as facade
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox import Outbox
from conversion_relay.settings import Settings

SETTINGS = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "a-token-for-tests"}


class Collected:
    """An outbox in memory: takes events and visits, knows a copy by its (dataset, name, id), delivers nothing."""

    is_for_tests = True

    def __init__(self) -> None:
        self.sealed: dict[tuple[str, str, str], SealedEvent] = {}
        self._visits: dict[str, Visit] = {}

    def put(self, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
        receipts = []
        for event in events:
            key = event.dataset, event.event_name, event.event_id
            receipts.append(Receipt(event.event_id, self.sealed.setdefault(key, event) is not event))
        return receipts

    def put_soon(self, events: Sequence[SealedEvent], now: float) -> "Future[list[Receipt]]":
        future: Future[list[Receipt]] = Future()
        future.set_result(self.put(events, now))
        return future

    def put_within(self, connection: Any, events: Sequence[SealedEvent], now: float) -> None:
        """At once: what becomes of somebody's transaction cannot be known here. Django's door waits for its own."""
        self.put(events, now)

    async def put_within_async(self, connection: Any, events: Sequence[SealedEvent], now: float) -> None:
        self.put(events, now)

    def on_put(self, wake: Callable[[], None]) -> None:
        """Nobody delivers, so nobody has to be woken."""

    def probe(self) -> None:
        """It always takes an event."""

    def close(self) -> None:
        """There is no file to let go; what was collected stays to be looked at."""

    def remember_visitor(self, key: str, visit: Visit, now: float) -> None:
        known = self._visits.get(key)
        self._visits[key] = known.filled_from(visit) if known else visit

    def visitor(self, key: str, now: float) -> Visit | None:
        return self._visits.get(key)

    def has_visitors(self) -> bool:
        return bool(self._visits)

    @property
    def events(self) -> list[dict[str, Any]]:
        """As Meta would get them, in the order in which they were tracked: hashed, scrubbed, with their ids."""
        return [msgspec.json.decode(event.body) for event in self.sealed.values()]

    def named(self, event_name: str) -> list[dict[str, Any]]:
        """Those of this name.

        >>> Collected().named("Purchase")
        []
        """
        return [event for event in self.events if event["event_name"] == event_name]

    def clear(self) -> None:
        """Forget what was collected so far."""
        self.sealed.clear()


class RelayInTest(facade.Relay):
    """A Relay whose events are collected. As a context manager it ends the collecting of the Relay that it stands in
    for; that one then goes on with its own outbox."""

    def __init__(self, stands_in_for: facade.Relay | None = None) -> None:
        self._collected = Collected()
        settings = stands_in_for.settings if stands_in_for else Settings.from_env(SETTINGS)
        super().__init__(settings, outbox=self._collected)
        self._stands_in_for = stands_in_for
        self._before = stands_in_for.swap_outbox(self._collected) if stands_in_for else None

    @property
    def events(self) -> list[dict[str, Any]]:
        """As of `Collected.events`."""
        return self._collected.events

    def named(self, event_name: str) -> list[dict[str, Any]]:
        """The collected events of this name."""
        return self._collected.named(event_name)

    def clear(self) -> None:
        """Forget what was collected so far."""
        self._collected.clear()

    def close(self) -> None:
        super().close()
        if self._stands_in_for is not None:
            self._stands_in_for.swap_outbox(self._before)
            self._stands_in_for = None


@contextlib.contextmanager
def collecting() -> Iterator[Collected]:
    """Every Relay of this process collects until the block ends, those that are made meanwhile too."""
    collected = Collected()
    before: list[tuple[facade.Relay, Outbox | None]] = []
    with mock.patch("conversion_relay.relay.keeping.open_outbox", return_value=collected):
        for relay in facade.all_relays():
            before.append((relay, relay.swap_outbox(collected)))
        try:
            yield collected
        finally:
            known = {id(relay) for relay, _ in before}
            before += [(relay, None) for relay in facade.all_relays() if id(relay) not in known]
            for relay, outbox in before:
                relay.swap_outbox(outbox)
