"""How many bytes a request of a dataset may have, learned from what Meta takes.

What could go wrong. Meta documents a limit in events and none in bytes; a proxy on the way has one of its own, often
1 MB. A guess that is too small makes two requests of each thousand events, one after the other. One that is too large
is refused with 413, each time; and a line that is too slow for it ends in a deadline, after which nobody knows whether
Meta has the events.

The rule: begin large (4 MiB). A 413 is final: from then on no request is larger than what was taken before, or than
half of what was refused. A large request that was sent and not answered halves it too, down to a size that any line
carries, and answers let it grow again. Events are claimed by count, so the mean size of those that were claimed says
how many fill one request.

In memory only: a limit may be gone after a restart, and finding it costs a request or two.
"""

import msgspec

from conversion_relay.meta.batch import MOST_BYTES, MOST_EVENTS
from conversion_relay.meta.graph import Accepted, Outcome, TooLarge, Unreachable

SURE_BYTES = 1_048_576
"""Requests of this size are not suspected when no answer comes."""
LEAST_BYTES = 4_096
FILLED = 0.97
"""Of a request; sizes of events vary, and a rest of three would be a request of its own."""


class RequestSize(msgspec.Struct):
    """Of one dataset."""

    most: int = MOST_BYTES
    limit: int = MOST_BYTES
    """Where growing ends."""
    taken: int = 0
    """The largest that was accepted."""
    of_an_event: float = 0.0
    """Mean bytes; 0 while none was claimed."""

    @property
    def events(self) -> int:
        """How many to claim, so that one request holds them."""
        return max(1, min(MOST_EVENTS, int(FILLED * self.most / self.of_an_event))) if self.of_an_event else MOST_EVENTS

    def claimed(self, events: int, size: int) -> None:
        if events:
            mean = size / events
            # Down at once, up by halves: too many events are parted, too few are a call more for each claim.
            self.of_an_event = min(mean, (self.of_an_event + mean) / 2) if self.of_an_event else mean

    def note(self, outcome: Outcome, size: int) -> None:
        """What came of a request with several events of so many bytes together."""
        if isinstance(outcome, TooLarge):
            self.taken = self.taken if self.taken < size else 0
            self.most = self.limit = max(self.taken, size // 2, LEAST_BYTES)
        elif isinstance(outcome, Unreachable) and outcome.sent and size > SURE_BYTES:
            self.most = min(self.most, max(size // 2, SURE_BYTES))
        elif isinstance(outcome, Accepted):
            self.taken = max(self.taken, size)
            if size > self.most // 2:
                self.most = min(self.limit, self.most * 5 // 4)
