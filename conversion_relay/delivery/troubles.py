"""What of a dataset somebody should look at: said once, and shown until it is over.

What could go wrong. One event that Meta never takes meets its trouble again with each try, and others are taken in
between: each of a thousand tries in a week looked like a new trouble, and each accepted event like its end. Two
troubles that take turns each looked new. And what one event has alone pauses nothing, so that no page showed it.

The rule. A trouble stands from the moment when it was met until Meta takes events. One that comes back within LASTS
seconds is the same one: nobody is told again, unless it then stands for as long. It is returning, and shown until it
was not met for LASTS seconds; so is what an event has alone from the beginning. All else is shown while it stands, if
it was met within LASTS seconds.

Times are seconds on a clock that nobody sets.
"""

import msgspec

LASTS = 600.0
"""Seconds; an event that waits for another try is tried at least each five minutes (`retry.LONGEST_DELAY`)."""


class Trouble(msgspec.Struct):
    since: float
    met_at: float
    is_said: bool = True
    stands: bool = True
    is_returning: bool = False


class Troubles(msgspec.Struct):
    """Of one dataset, by their words in the ledger."""

    known: dict[str, Trouble] = {}

    def meet(self, why: str, now: float, *, of_an_event: bool = False) -> bool:
        """Whether it is news. `of_an_event`: the dataset is not paused for it."""
        trouble = self.known.get(why)
        if trouble is None or not (trouble.stands or _is_recent(trouble, now)):
            self.known[why] = Trouble(now, now, is_returning=of_an_event)
            return True
        if not trouble.stands:
            trouble.stands, trouble.is_said, trouble.since, trouble.is_returning = True, False, now, True
        trouble.met_at = now
        is_news = not trouble.is_said and now - trouble.since > LASTS
        trouble.is_said |= is_news
        return is_news

    def end(self) -> bool:
        """Meta took events. Whether something that was said is over by that."""
        ended = [trouble for trouble in self.known.values() if trouble.stands]
        for trouble in ended:
            trouble.stands = False
        return any(trouble.is_said for trouble in ended)

    def shown(self, now: float) -> tuple[str, ...]:
        """What a page shows now."""
        return tuple(
            why
            for why, trouble in self.known.items()
            if _is_recent(trouble, now) and (trouble.stands or trouble.is_returning)
        )


def _is_recent(trouble: Trouble, now: float) -> bool:
    return now - trouble.met_at <= LASTS
