"""One pace over several workers: what Meta asked one of them for holds for all, and they share a dataset's calls.

What could go wrong. Two machines deliver the same datasets. Meta throttles a dataset and tells one of them to wait ten
minutes; the other goes on, is told the same by a refusal of its own, and Meta's pause grows with each. And with eight
calls for each worker, Meta sees sixteen.

The rules.
1. *What Meta asked a worker for stands in its sign of life*, at once; the others read the signs every second and wait
   as long. Only a pause that Meta asked that worker for itself is told on: told on by whoever heard of it, it would go
   from one to the other for ever.
2. *How long is told, not until when*: the clocks of two machines differ.
3. *The calls that RELAY_MOST_CALLS allows are divided* by the number of workers that are alive, so a worker that dies
   leaves its share to the others with its sign. Each has at least one.

What else a pace learns (an outage, a dead token) each worker finds out by a single call. Rejected: a row for each
dataset from which workers take permits (a commit before each call); one leader for each dataset (another thing to find
out, and to hand over, where now any worker takes any turn).
"""

from collections.abc import Callable, Sequence

from conversion_relay.delivery.pace import Paces
from conversion_relay.outbox.story import SignOfLife

LONGEST_HEARD = 86_400.0
"""A pause in a broken row ends some time."""
NEWS_SECONDS = 1.0
"""The end of one and the same pause is told with a rounding."""


class FleetPaces(Paces):
    """The paces of one worker of several."""

    def __init__(self, clock: Callable[[], float], most_calls: int) -> None:
        super().__init__(clock, most_calls)
        self._all_calls = most_calls
        self._heard: dict[tuple[str, str], float] = {}

    def hear(self, others: Sequence[SignOfLife]) -> None:
        """`others`: the workers that are alive, without this one."""
        told = {(sign.worker, name): (it.asked_until, it.asked_until - sign.at) for sign in others
                for name, it in sign.datasets.items() if it.asked_until > sign.at}  # fmt: skip
        with self._lock:
            self._share(1 + len(others))
            now = self._clock()
            for (worker, name), (until, seconds) in told.items():
                if until > self._heard.get((worker, name), 0.0) + NEWS_SECONDS:
                    self._pace(name).hear(now + min(seconds, LONGEST_HEARD), now)
            self._heard = {which: max(until, self._heard.get(which, 0.0)) for which, (until, _) in told.items()}
            self._lock.notify_all()

    def _share(self, workers: int) -> None:
        self._most_calls = max(1, self._all_calls // workers)
        for pace in self._paces.values():
            pace.limit = min(pace.limit, float(self._most_calls))
