"""What we do about what Meta said: one pure decision per event.

Only Meta's own "this event is wrong" can kill an event. Silence, throttling, a dead token and a wrong dataset stop
the dataset, not the event: they spend no attempt, and the event waits until it is too old to be worth anything.
"""

from typing import Literal

import msgspec

from conversion_relay.graph import (
    Accepted,
    Ambiguous,
    Misconfigured,
    Outcome,
    Refused,
    Throttled,
    Unauthorized,
    Unreachable,
)

FIRST_DELAY = 1.0
LONGEST_DELAY = 300.0
LONGEST_OUTAGE_DELAY = 30.0
"""Seconds; while Meta is away one small request at a time asks for it, so it may ask more often than an event is
retried: within half a minute of Meta's return events flow again."""
FIRST_ASIDE = 5.0
"""Seconds that an event which was sent alone, in vain, leaves to the others; twice as long each time that helped."""
PROBE_EVERY = 60.0
"""Seconds between two looks at a dataset whose token or permission is wrong."""
UNCERTAIN_ATTEMPTS = 3
"""A 4xx that carries no code is tried this often before it is taken for the event's fault."""
AMBIGUOUS_ATTEMPTS = 3
"""From the third answer on that does not add up, somebody should look; the event goes on being sent."""


class Facts(msgspec.Struct, frozen=True):
    """What the decision needs to know besides the outcome."""

    attempts: int
    """How often this event was sent before and answered; not counting throttles, outages and dead tokens."""
    in_batch: int
    failures: int
    """How often in a row this dataset could not be reached, this time included."""
    setbacks: int = 0
    """For an event that was sent alone in an outage: in how many outages it was, with events taken between them."""


class Delivered(msgspec.Struct, frozen=True):
    pass


class RetryAt(msgspec.Struct, frozen=True):
    """Send again at `at` (Unix seconds); the attempt counts."""

    at: float
    why: str
    sent: bool = False
    """Meta may have it all the same."""
    alert: bool = False


class Isolate(msgspec.Struct, frozen=True):
    """Send in two halves: one event in this batch is wrong and Meta did not say which."""


class Dead(msgspec.Struct, frozen=True):
    why: str


class Expired(msgspec.Struct, frozen=True):
    pass


class Park(msgspec.Struct, frozen=True):
    """Leave the whole dataset alone until `until` (Unix seconds); the attempt does not count. The event waits as if
    nothing had been tried, so that it goes as soon as the dataset does: when a new token came, not a minute later."""

    until: float
    why: str
    alert: bool = False
    """Somebody has to do something: a token, a permission, a wrong id."""
    sent: bool = False
    """Meta may have it all the same."""
    aside: float | None = None
    """Until then (Unix seconds) this event lets others go before it."""


HELD = "ambiguous_late"


class Hold(msgspec.Struct, frozen=True):
    """Not sent again by itself: Meta may have it since so long that it would be counted twice. Waits for a person."""

    why: str


class Withhold(msgspec.Struct, frozen=True):
    """Never sent, and forgotten. `withheld`: its visitor did not agree, which the operator asks for by now
    (RELAY_CONSENT); `withdrawn`: its visitor took it back."""

    why: Literal["withheld", "withdrawn"] = "withheld"


Verdict = Delivered | RetryAt | Isolate | Dead | Expired | Park | Hold | Withhold
FinalVerdict = Delivered | RetryAt | Dead | Expired | Park | Hold | Withhold
"""What can be settled; `Isolate` is answered by sending halves."""


def decide(outcome: Outcome, facts: Facts, now: float, jitter: float) -> Verdict:
    """One event's fate. `jitter` is a random number in [0, 1); `now` is Unix seconds.

    >>> from conversion_relay.graph import Said
    >>> decide(Throttled(Said(code=4), after=30.0), Facts(attempts=0, in_batch=1, failures=1), now=100.0, jitter=0.5)
    Park(until=145.0, why='throttled', alert=False, sent=False, aside=None)
    >>> decide(Unreachable("connect", sent=False), Facts(attempts=0, in_batch=1, failures=3), now=100.0, jitter=0.5)
    Park(until=102.0, why='connect', alert=False, sent=False, aside=None)
    """
    match outcome:
        case Accepted():
            return Delivered()
        case Refused():
            return _refused(outcome, facts, now, jitter)
        case Throttled(after=after):
            # never before Meta's own word, and not all workers at the same moment after it
            return Park(now + after * (1 + jitter), "throttled")
        case Unauthorized():
            return Park(now + PROBE_EVERY, "unauthorized", alert=True)
        case Misconfigured():
            return Park(now + PROBE_EVERY, "misconfigured", alert=True)
        case Unreachable(why=why, sent=sent):
            until = now + backoff(facts.failures, jitter, LONGEST_OUTAGE_DELAY)
            return Park(until, why, sent=sent, aside=_aside(facts.setbacks, until))
        case Ambiguous(why=why):
            again_and_again = facts.attempts + 1 >= AMBIGUOUS_ATTEMPTS
            why = "accounting_mismatch" if again_and_again else why
            return RetryAt(now + backoff(facts.attempts + 1, jitter), why, sent=True, alert=again_and_again)


def backoff(failures: int, jitter: float, longest: float = LONGEST_DELAY) -> float:
    """Seconds to wait after the n-th failure in a row: full jitter under 1, 2, 4 ... `longest`.

    >>> [backoff(n, jitter=1.0) for n in (1, 2, 3, 9, 10, 5000)]
    [1.0, 2.0, 4.0, 256.0, 300.0, 300.0]
    """
    ceiling = min(longest, FIRST_DELAY * 2.0 ** min(failures - 1, 20))
    return ceiling * jitter


def _aside(setbacks: int, until: float) -> float | None:
    """An event that Meta stumbles over would be in every first batch after every outage, and hold up all others."""
    return until + min(LONGEST_DELAY, FIRST_ASIDE * 2.0 ** (min(setbacks, 20) - 1)) if setbacks else None


def _refused(refused: Refused, facts: Facts, now: float, jitter: float) -> Verdict:
    if facts.in_batch > 1:
        return Isolate()
    if not refused.certain and facts.attempts + 1 < UNCERTAIN_ATTEMPTS:
        return RetryAt(now + backoff(facts.attempts + 1, jitter), "unreadable_4xx")
    return Dead(_why(refused))


def _why(refused: Refused) -> str:
    said = refused.said
    if said.code is None:
        return f"http_{said.status}"
    return f"meta_{said.code}" if said.subcode is None else f"meta_{said.code}_{said.subcode}"
