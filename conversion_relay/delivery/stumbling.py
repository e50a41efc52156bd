"""Events that Meta stumbles over: asked alone with such an event it fails, and nobody says that it is this one.

What could go wrong. Meta answers an event with an error that nobody listed, or with a 500. While it fails, one event at
a time asks whether it is back. With two such events at the head of the line they took turns for ever: no other was
tried, and a thousand good ones behind them waited until they were too old. And each that was tried again, every five
minutes, looked like an outage of its own: with a hundred of them hardly anything else was sent.

The rule.
1. In an outage many are claimed, and the one that was asked least often asks; the others go back. While the silence
   leaves in doubt whether Meta has an event, few take turns.
2. An event that was asked alone in vain in two outages, with others taken between them, is known. It is sent alone, and
   what Meta answers to it says nothing of the dataset: it waits by itself, twice as long each time, up to five minutes.

In memory only, and bounded. After a restart it is found again.
"""

import threading
from collections.abc import Sequence
from typing import NamedTuple

from conversion_relay.outbox.protocol import LeasedEvent

ASKED_AMONG = 256
"""Events claimed to choose from, while Meta fails."""
ASKED_IN_DOUBT = 16
"""Of these, while an answer is missing: Meta may have each one that asked."""
KNOWN_FROM = 2
"""Outages."""
MOST_REMEMBERED = 100_000


class _Asked(NamedTuple):
    """How often an event was sent alone in vain, in how many outages, and the last of these."""

    times: int
    outages: int
    last: int


_NEVER = _Asked(0, 0, 0)


class Stumbling:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[int, _Asked] = {}
        """By key."""

    def setbacks(self, event: LeasedEvent, outage: int) -> int:
        """In how many outages this event was sent alone in vain, this time included. 0 as `outage`: it was none."""
        with self._lock:
            if len(self._asked) > MOST_REMEMBERED:
                self._asked.clear()
            asked = self._asked.get(event.key, _NEVER)
            outages = asked.outages + (outage != asked.last or not outage)
            self._asked[event.key] = _Asked(asked.times + 1, outages, outage or asked.last)
            return outages

    def is_known(self, event: LeasedEvent) -> bool:
        return self._asked.get(event.key, _NEVER).outages >= KNOWN_FROM

    def among(self, events: Sequence[LeasedEvent]) -> list[LeasedEvent]:
        """Those of them that are known."""
        return [event for event in events if self.is_known(event)] if self._asked else []

    def who_asks(self, events: Sequence[LeasedEvent]) -> LeasedEvent:
        """The first of those that were asked least often."""
        few = events[:ASKED_IN_DOUBT]
        may_ask = few if any(event.sent_at is not None for event in few) else events
        return min(may_ask, key=lambda event: self._asked.get(event.key, _NEVER).times)

    def forget(self, events: Sequence[LeasedEvent]) -> None:
        """These have ended."""
        if self._asked:
            with self._lock:
                for event in events:
                    self._asked.pop(event.key, None)
