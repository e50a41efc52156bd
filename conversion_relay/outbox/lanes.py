"""The lanes in which an event waits, and when it leaves one; the same for every store that keeps a row for each event.

What each lane is for, and why there are lanes, stands in `sqlite/lanes.py`.
"""

from conversion_relay.outbox.protocol import LONGEST_WAIT

LIVE, BACKLOG, LATER, HELD, SUSPECTS = 0, 1, 2, 3, 4
FRESH_SECONDS = 30.0
"""An event that waits longer leaves the live lane for the backlog."""
MOST_MOVED = 2_000
"""Events that one claim takes from lane to lane, so that no claim is slow because a million wait."""
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
