"""One dataset's pace, as values: what `pace.py` keeps of it under its lock, and what follows from that."""

import math

import msgspec

from conversion_relay.delivery.refusals import Refusals
from conversion_relay.delivery.request_size import RequestSize
from conversion_relay.delivery.shares import Shares
from conversion_relay.delivery.troubles import Troubles

FIRST_CALLS = 4.0
"""Two rounds of answers from here are the 16 that a large backlog needs: a second, where Meta takes its usual 0.6."""
MOST_EVENTS = 1_000
MOST_AHEAD = 4
"""For every call in flight one more turn may claim its events or write down what came of them, so that no call
waits for the disk; four at most, since each holds a request in memory."""
MOST_TURNS = 64
"""Of all datasets of a worker: each is a thread."""

ASKED_FOR = frozenset({"throttled", "near_limit"})
"""Reasons of pauses that Meta named the length of."""


class DatasetPace(msgspec.Struct):
    """How a dataset is doing."""

    parked_until: float = 0.0
    why: str | None = None
    asked_at: float = 0.0
    """When Meta asked for a pause last."""
    asked_until: float = 0.0
    """The end of the pause that Meta asked for, whatever else the dataset waits for."""
    is_heard_of: bool = False
    """Another worker was asked for that pause (`fleet_pace.py`)."""
    failures: int = 0
    troubles: Troubles = msgspec.field(default_factory=Troubles)
    turns: int = 0
    """Admitted; those that are not in flight claim their events, or wait with them."""
    in_flight: int = 0
    limit: float = FIRST_CALLS
    is_warming_up: bool = True
    """No trouble yet: the limit doubles with every round of answers; later it grows by one."""
    changed_at: float = 0.0
    events: int = MOST_EVENTS
    """In one request."""
    size: RequestSize = msgspec.field(default_factory=RequestSize)
    recoveries: int = 0
    """How often events were taken again after an outage."""
    linger_until: float = 0.0
    served_at: float = 0.0
    taken_at: float = float("-inf")
    """When Meta took events last."""
    refusals: Refusals = msgspec.field(default_factory=Refusals)
    shares: Shares = msgspec.field(default_factory=Shares)

    def park(self, until: float, why: str, now: float) -> None:
        """Nothing begins before then, nor before the end of a pause that stands."""
        self.parked_until, self.why = max(self.parked_until, until), why
        if why in ASKED_FOR:
            self.asked_until, self.asked_at, self.is_heard_of = max(self.asked_until, until), now, False

    def hear(self, until: float, now: float) -> None:
        """Meta asked another worker for this pause. With as many calls as before it would ask again."""
        if until > self.asked_until:
            self.park(until, "throttled", now)
            self.is_heard_of = True
            self.limit, self.is_warming_up, self.changed_at = max(1.0, self.limit / 2), False, now

    def answers_again(self, started: float) -> None:
        """Meta answered a call that began then. It ends a pause, but not one that Meta asked for when the call was
        under way already: that answer is older than the wish."""
        if not self.asked_until or started >= self.asked_at:
            self.parked_until, self.why, self.asked_until = 0.0, None, 0.0

    def look_again(self, now: float) -> None:
        """Something else is tried now. Only a pause that Meta asked for stands: its limits are the dataset's, and a new
        token changes none of them."""
        self.parked_until, self.linger_until = self.asked_until, 0.0
        self.why = "throttled" if self.asked_until > now else None
        self.refusals.rest_until = self.refusals.fresh_after = 0.0
        self.troubles = Troubles()  # what a new token meets is news


class PaceNow(msgspec.Struct, frozen=True):
    """What an operator sees of it. `parked_seconds` is 0 while events are sent."""

    parked_seconds: float
    why: str | None
    in_flight: int
    most_in_flight: int
    error_share: float = 0.0
    """Of the last 500 requests, those that Meta answered with an error; 0 to 1."""
    clock_skew_seconds: float = 0.0
    """How far our clock is ahead of Meta's; below zero when it is behind."""
    asked_seconds: float = 0.0
    """What is left of a pause that Meta asked this worker for."""
    troubles: tuple[str, ...] = ()
    """What somebody should look at (`troubles.py`), also while events are sent."""


def now_of(pace: DatasetPace, now: float) -> PaceNow:
    """As an operator sees it."""
    refusals = pace.refusals
    until = max(pace.parked_until, refusals.rest_until if refusals.are_all else 0.0)
    why = pace.why or ("all_refused" if refusals.are_all else None)
    asked = 0.0 if pace.is_heard_of else max(0.0, pace.asked_until - now)
    return PaceNow(
        max(0.0, until - now),
        why,
        pace.in_flight,
        int(pace.limit),
        refusals.share,
        asked_seconds=asked,
        troubles=pace.troubles.shown(now),
    )


def opens_at(pace: DatasetPace) -> float:
    """When fresh events may be claimed next."""
    return max(pace.parked_until, pace.linger_until, pace.refusals.fresh_after)


def has_room(pace: DatasetPace, all_turns: int, most: int) -> bool:
    """Whether one more turn may begin, if only to claim ahead. `all_turns`: of all datasets. `most`: calls of one.

    The more turns a dataset has, the more threads it must leave free, by the root of its turns: with the first one a
    quarter of them, so that ten that hang leave enough for those that have none. One alone gets all of its turns."""
    own, all_of_one = pace.turns, _with_ahead(most)
    if own in (0, all_turns):
        return own < _with_ahead(most_calls(pace))
    leaves = (MOST_TURNS - all_of_one) * math.sqrt(own / all_of_one)
    return own < _with_ahead(most_calls(pace)) and leaves <= MOST_TURNS - all_turns


def _with_ahead(calls: int) -> int:
    # Not with one call: after a failure what was claimed ahead would go back, and be claimed again at once.
    return calls + min(MOST_AHEAD, calls) if calls > 1 else calls


def most_calls(pace: DatasetPace) -> int:
    """After a failure one request at a time asks whether Meta is back."""
    return 1 if pace.failures else int(pace.limit)
