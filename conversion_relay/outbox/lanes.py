"""The lanes in which an event waits, and when it leaves one; the same for every store that keeps a row for each event.

What each lane is for, and why there are lanes, stands in `sqlite/lanes.py`.
"""

from conversion_relay.event import PAID_EVENT_NAMES
from conversion_relay.outbox.protocol import LONGEST_WAIT

LIVE, BACKLOG, LATER, HELD, SUSPECTS = 0, 1, 2, 3, 4
FRESH_SECONDS = 30.0
"""An event that waits longer leaves the live lane for the backlog."""
MOST_MOVED = 1_000
"""Events that one claim takes from lane to lane, so that no claim is slow because a million wait: as many as it claims.
With twice as many, a claim beside ten million took 1.9 times as long as one beside ten thousand, now 1.5 times;
house-keeping moves the others."""
PAID_FIRST = 10_000_000_000
"""Seconds by which an event that tells of money comes before its deadline's place in the backlog, so before all others
that Meta cannot have yet: one Purchase is worth more to an ad than the million page views before it."""
_NAMES = ", ".join(f"'{name}'" for name in sorted(PAID_EVENT_NAMES))
BACKLOG_RANK = f"coalesce(sent_at, expires_at - CASE WHEN event_name IN ({_NAMES}) THEN {PAID_FIRST} ELSE 0 END)"
"""An event's rank in the backlog, of the columns of `event`."""
HEADS = ("0", "1 AND rank < 0", "1 AND rank >= 0", "2", "3", "4")
"""Where the oldest stand: the lanes, of the backlog both its parts (`PAID_FIRST`)."""
Span = tuple[int, float, float]
"""A lane, and the ranks after and until which its events are meant."""


def to_the_backlog(now: float) -> tuple[Span, ...]:
    """What joins it at `now` (Unix seconds): what is no longer fresh, what has waited its time, and what was written
    under a clock that has been set back since."""
    far = now + LONGEST_WAIT
    return (
        (LIVE, -1e18, now - FRESH_SECONDS),
        (LATER, -1e18, now),
        (LATER, far, 1e18),
        (HELD, -1e18, now),
        (SUSPECTS, far, 1e18),
    )
