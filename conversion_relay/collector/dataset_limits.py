"""How much one dataset's callers may send by HTTP (RELAY_MOST_PER_SECOND, RELAY_MOST_PER_DAY).

What could go wrong. Many clients share one installation: a loop in one client's shop fills the disk and the queue of
all others. The limits per network (`limits.py`) do not help, for a backend has one address and no bucket.

The rules.
- A request is let in when a token is left, and pays for all of its events; so a large request passes, and its dataset
  then waits until the debt is paid. On average no more than the rate comes in.
- A request that is not let in is answered 429 with the seconds to wait, as a whole and before anything is kept: nothing
  that was answered 202 is ever left out. A copy for a dataset over its limit is refused by itself (`over_limit`) and
  told so; the event's own dataset does not wait for it.
- A day is a day of UTC. Each server process counts for itself and from its start on.
- Payment webhooks, the library and files are not limited: they are the operator's own hand.
"""

import math
import time
from collections.abc import Callable

from conversion_relay.collector.reply import HttpError
from conversion_relay.event import Rejection
from conversion_relay.settings import Dataset

OVER_LIMIT = Rejection(
    "over_limit",
    "dataset",
    "this dataset's limit is reached (RELAY_MOST_PER_SECOND, RELAY_MOST_PER_DAY); send the event again later",
)


class DatasetLimits:
    """Of one process. A dataset without limits is asked for nothing."""

    def __init__(
        self, steady_clock: Callable[[], float] = time.monotonic, clock: Callable[[], float] = time.time
    ) -> None:
        self._steady_clock, self._clock = steady_clock, clock
        self._tokens: dict[str, tuple[float, float]] = {}
        """By dataset: tokens, which may be a debt, and when that was."""
        self._days: dict[str, tuple[int, int]] = {}
        """By dataset: the day, and its events."""

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
        rate, most = dataset.most_per_second, dataset.most_per_day
        if rate is None and most is None:
            return None
        name, today = dataset.pixel_id, self._clock()
        day = int(today // 86_400)
        counted = self._days.get(name, (day, 0))
        so_far = counted[1] if counted[0] == day else 0
        if most is not None and so_far >= most:
            return (day + 1) * 86_400 - today
        if rate is not None:
            now = self._steady_clock()
            tokens, since = self._tokens.get(name, (float(rate), now))
            tokens = min(float(rate), tokens + (now - since) * rate)
            if tokens < 1:
                self._tokens[name] = tokens, now
                return max(1.0, (1 - tokens) / rate)
            self._tokens[name] = tokens - n, now
        self._days[name] = day, so_far + n
        return None
