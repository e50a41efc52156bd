"""How often Meta says no to a dataset: the share of errors, and whether it takes anything at all.

Two questions, two answers:
- *Is it everything?* A dataset is "all refused" when nothing at all was accepted for some time, over many refusals in a
  row: then it is hardly one bad event after the other, but something about the site or the dataset, and trying each
  event would only spend them. The suspects then rest and are looked at once a minute. Fresh events are still sent,
  ever more slowly, since the first one that Meta takes ends all of this at once.
- *Is it too much?* Meta asks apps with limited access to stay under 15 % of errors over their last 500 requests.
  The share is a metric and an alert; isolation is not slowed down by it, since good events wait for its end.
  https://developers.facebook.com/docs/graph-api/overview/access-levels

Times are seconds on a clock that nobody sets.
"""

from collections import deque

import msgspec

from conversion_relay.meta.graph import (
    Accepted,
    Misconfigured,
    Outcome,
    Refused,
    Throttled,
    TooLarge,
    Unauthorized,
    Unlisted,
)

WINDOW = 500
TOO_MANY = 0.15
"""A share of the last WINDOW requests; from here on somebody should look."""
ALL_REFUSED_CALLS = 32
ALL_REFUSED_SECONDS = 20.0
PROBE_EVERY = 60.0
"""Seconds between two looks at the suspects while everything is refused."""
PROBE_CALLS = 10
"""Suspects that one such look tries, from the newest to the oldest."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between two requests with fresh events, while one after the other is refused."""
_ERRORS = (Refused, TooLarge, Throttled, Unauthorized, Misconfigured, Unlisted)


class Refusals(msgspec.Struct):
    """Of one dataset."""

    in_a_row: int = 0
    since: float = 0.0
    fresh_in_a_row: int = 0
    are_all: bool = False
    rest_until: float = 0.0
    """Until then no suspect is tried."""
    fresh_after: float = 0.0
    """Until then no fresh event is sent."""
    window: deque[bool] = msgspec.field(default_factory=lambda: deque(maxlen=WINDOW))
    errors: int = 0
    was_told: bool = False

    def note(self, outcome: Outcome, now: float, *, suspects: bool) -> None:
        self._count(isinstance(outcome, _ERRORS))
        if isinstance(outcome, Accepted):
            self.in_a_row = self.fresh_in_a_row = 0
            self.are_all, self.rest_until, self.fresh_after = False, 0.0, 0.0
        elif isinstance(outcome, Refused):
            self.since = self.since if self.in_a_row else now
            self.in_a_row += 1
            if not suspects:
                self.fresh_after = now + min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.fresh_in_a_row, 20))
                self.fresh_in_a_row += 1
            if self.in_a_row >= ALL_REFUSED_CALLS and now - self.since >= ALL_REFUSED_SECONDS and not self.are_all:
                self.are_all, self.rest_until = True, now  # the first look comes at once: what is newest may be good

    def _count(self, is_error: bool) -> None:
        if len(self.window) == WINDOW:
            self.errors -= self.window[0]
        self.window.append(is_error)
        self.errors += is_error

    @property
    def share(self) -> float:
        """Of errors among the last 500 requests; 0 to 1. Fewer requests are counted as if all others had been taken:
        one refusal of two is no reason to call anybody."""
        return self.errors / WINDOW

    def is_news(self) -> bool:
        """Whether the share is too high and nobody was told."""
        is_high = self.errors > TOO_MANY * WINDOW
        is_new = is_high and not self.was_told
        self.was_told = is_high or (self.was_told and self.errors > TOO_MANY * WINDOW / 2)
        return is_new
