"""How much one dataset's callers may send by HTTP (RELAY_MOST_PER_SECOND, RELAY_MOST_PER_DAY).

What could go wrong. Many clients share one installation: a loop in one client's shop fills the disk and the queue of
all others. The limits per network (`limits.py`) do not help, for a backend has one address and no bucket.

The rules.
- A request is let in when a token is left, and pays for all of its events; so a large request passes, and its dataset
  then waits until the debt is paid. On average no more than the rate comes in.
- A request that is not let in is answered 429 with the seconds to wait, as a whole and before anything is kept: nothing
  that was answered 202 is ever left out. A copy for a dataset over its limit is refused by itself (`over_limit`) and
  told so; the event's own dataset does not wait for it.
- A day is a day of UTC. The server processes of one machine count together (`shared_places.py`), from the start of
  `serve` on; each machine counts for itself.
- Payment webhooks, the library and files are not limited: they are the operator's own hand.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

from conversion_relay.collector.limits import MOST_VISITS, DailyBound, TokenBuckets
from conversion_relay.collector.places import Numbers, Places
from conversion_relay.collector.reply import HttpError
from conversion_relay.event import Rejection
from conversion_relay.settings import Dataset

OVER_LIMIT = Rejection(
    "over_limit",
    "dataset",
    "this dataset's limit is reached (RELAY_MOST_PER_SECOND, RELAY_MOST_PER_DAY); send the event again later",
)
FULL = float("inf")
"""Tokens of a dataset that had none taken: as many as its rate allows, which may change."""


class DatasetLimits:
    """A dataset without limits is asked for nothing."""

    def __init__(
        self,
        steady_clock: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        places: Places | None = None,
    ) -> None:
        self._steady_clock, self._clock, self._places = steady_clock, clock, places or Places()

    def admit(self, dataset: Dataset, n: int) -> None:
        """Raises HttpError when the request has to wait."""
        if (wait := self._wait(dataset, n)) is not None:
            message = f"{OVER_LIMIT.message.partition(';')[0]}; send it again after Retry-After"
            after = str(math.ceil(wait))
            raise HttpError(429, "over_limit", "dataset", message, **{"retry-after": after})

    def refusal(self, dataset: Dataset) -> Rejection | None:
        """Of one event's copy."""
        return None if self._wait(dataset, 1) is None else OVER_LIMIT

    def _wait(self, dataset: Dataset, n: int) -> float | None:
        """Seconds until it may come again; None when it was let in."""
        if dataset.most_per_second is None and dataset.most_per_day is None:
            return None
        return self._places.change(dataset.pixel_id, lambda kept: self._after(dataset, n, kept))

    def _after(self, dataset: Dataset, n: int, kept: Numbers | None) -> tuple[float | None, Numbers]:
        """Kept: tokens, which may be a debt, and when that was; the day, and its events."""
        rate, most = dataset.most_per_second, dataset.most_per_day
        now, today = self._steady_clock(), self._clock()
        this_day = float(today // 86_400)
        tokens, since, day, so_far = kept or (FULL, now, this_day, 0.0)
        so_far = so_far if day == this_day else 0.0
        tokens = FULL if rate is None else min(float(rate), tokens + (now - since) * rate)
        unchanged = tokens, now, this_day, so_far
        if most is not None and so_far >= most:
            return (this_day + 1) * 86_400 - today, unchanged
        if rate is not None and tokens < 1:
            return max(1.0, (1 - tokens) / rate), unchanged
        return None, (tokens - n, now, this_day, so_far + n)


class EventLimits(NamedTuple):
    """All that bounds what comes in by POST /events, and by POST /visitors."""

    buckets: TokenBuckets
    paid: DailyBound
    datasets: DatasetLimits
    visits: DailyBound

    @classmethod
    def kept_in(cls, places: Callable[[str], Places]) -> "EventLimits":
        """`places`: of each limit by its name."""
        return cls(
            TokenBuckets(places=places("networks")),
            DailyBound(places=places("paid")),
            DatasetLimits(places=places("datasets")),
            DailyBound(MOST_VISITS, places=places("visits")),
        )
