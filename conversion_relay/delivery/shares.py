"""Who may make the next call of a dataset: fresh events, or the suspects that Meta refused before.

What could go wrong: four hundred refused events need hundreds of calls. Made before anything else, they keep good
events from Meta for a minute; made after everything else, the good ones among the suspects never come out on a busy
site.

The rule: while both wait, fresh events have three calls of four. Each call with fresh events earns the suspects a third
of a call; a suspects' call spends a whole one. While no fresh event waits, the suspects may use every call but one,
which is kept free for what comes next. What was earned while nobody had to wait is not saved up for later.

Rejected: a fixed number of calls for each (it idles when the other has nothing to do); a pause between the suspects'
calls (a good event among them waits for nothing).
"""

import msgspec

FRESH_CALLS = 3
"""For each call of the suspects, while both wait."""


class Shares(msgspec.Struct):
    """Of one dataset."""

    fresh_waits: bool = False
    """At the last look there was something fresh to send, and no pause kept it."""
    earned: int = 0
    in_flight: int = 0
    """Turns with suspects."""

    def note_fresh_call(self) -> None:
        self.earned = min(self.earned + 1, FRESH_CALLS)

    def may_call(self) -> bool:
        """Whether a call with suspects may be made now."""
        return not self.fresh_waits or self.earned >= FRESH_CALLS

    def spend(self) -> None:
        """It is made."""
        if self.fresh_waits:
            self.earned -= FRESH_CALLS

    def has_room(self, most_calls: int) -> bool:
        """Whether one more turn with suspects leaves a call for what is fresh."""
        return self.in_flight < max(1, most_calls - 1)
