"""What time it is at Meta, from the Date header of its answers.

What could go wrong. Meta judges the age of an event by its own clock. A machine whose clock is an hour ahead stamps
events that Meta finds in the future; one that is ten days ahead believes that everything it holds is too old, and would
let events expire that Meta would take. And a clock is set while we run, so a difference between two clocks of this
morning says nothing tonight.

The rule: what is kept is the difference between Meta's clock and a clock that nobody sets, the median of the last
answers, so that one odd answer moves nothing. Setting our wall clock then changes nothing at all. Only answers in which
Meta judged the events count: a proxy's page has a date, too, and so has whoever answers at a wrong address. A
difference below a second or two is the header's resolution and the way of the answer; nobody is told below a minute.

Rejected: NTP (one more thing that a firewall stops, and it is Meta's clock that counts); correcting `event_time` of
what was accepted (its bytes are sealed, and the pixel may have sent the same event with the same time).
"""

import statistics
import threading
from collections import deque

SAMPLES = 9
LONGEST_CALL = 30.0
"""Seconds; after a longer one the process stood still (SIGSTOP, `docker pause`), and the date may be hours old."""
WRONG_SECONDS = 60.0
"""From here on a clock is wrong, and somebody should set it."""


class MetaClock:
    """Safe to use from several threads. `wall` and `steady`: seconds of our two clocks, read together."""

    def __init__(self) -> None:
        self._ahead_of_steady: deque[float] = deque(maxlen=SAMPLES)
        self._lock = threading.Lock()
        self._was_told = False

    def note(self, date: float, steady: float, took: float = 0.0) -> None:
        """An answer of Meta's, dated so, came at `steady`, after a call of so many seconds."""
        if took > LONGEST_CALL:
            return
        with self._lock:
            self._ahead_of_steady.append(date - steady)

    @property
    def is_known(self) -> bool:
        return bool(self._ahead_of_steady)

    def now(self, wall: float, steady: float) -> float:
        """Unix seconds at Meta; our own clock's until Meta has answered."""
        with self._lock:
            return steady + statistics.median(self._ahead_of_steady) if self._ahead_of_steady else wall

    def skew(self, wall: float, steady: float) -> float:
        """How far our clock is ahead of Meta's; below zero when it is behind."""
        return wall - self.now(wall, steady)

    def is_news(self, wall: float, steady: float) -> bool:
        """Whether our clock is wrong and nobody was told; said again after it was right."""
        is_wrong = abs(self.skew(wall, steady)) >= WRONG_SECONDS
        is_new, self._was_told = is_wrong and not self._was_told, is_wrong
        return is_new
