"""What we do about what Meta said: one pure decision for each event.

What could go wrong, and the rule that prevents it:

- *An event dies of somebody else's trouble.* Only Meta's own "this event is wrong" can kill an event. Silence, a
  throttle, a dead token, a wrong dataset and every error that we do not know stop the dataset (`Park`). They spend no
  attempt, and the event waits until Meta would not take it any more.
- *A wrong clock kills an event.* Our clock, Meta's or the sender's may be wrong. What Meta finds to lie in the future
  waits; so does what is too large for a proxy on the way.
- *All workers come back at the same moment.* Every delay is drawn at random between 0 and 1, 2, 4 ... seconds ("full
  jitter": https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). `jitter` is an argument, so that
  a decision can be tested in a table. Meta's own Retry-After is never undercut.
- *One event makes Meta fail, and stands in the first batch after every outage.* An event that was sent alone in
  vain, in more than one outage, lets others go first for a while (`Park.aside`).

Rejected: a number of attempts after which an event is given up (an outage of a day would spend them all).
"""

import msgspec

from conversion_relay.meta.graph import (
    Accepted,
    Ambiguous,
    Misconfigured,
    Outcome,
    Refused,
    Throttled,
    TooLarge,
    Unauthorized,
    Unlisted,
    Unreachable,
)
from conversion_relay.outbox.verdict import Dead, Delivered, Park, RetryAt, Verdict

FIRST_DELAY = 1.0
LONGEST_DELAY = 300.0
LONGEST_OUTAGE_DELAY = 30.0
"""Seconds; while Meta is away one small request at a time asks for it, so it may ask more often than an event is
retried: within half a minute of Meta's return events flow again."""
FIRST_ASIDE = 5.0
"""Seconds before an event that failed alone is tried again; doubles with each outage."""
OUTAGE_FAILURES = 3
"""So many in a row are an outage, not a hiccup."""
PROBE_EVERY = 60.0
"""Seconds between two looks at a dataset whose token or permission is wrong."""
FUTURE_DELAY = 900.0
"""Seconds before an event that Meta finds to lie in the future is tried again."""
A_PERSONS = frozenset({"tls", "proxy_address", "proxy_login"})
"""Reasons of a silence that no waiting mends."""
NOT_META = "foreign_answer"
"""The word for an answer that Meta's Graph API did not give: the token is not at fault, nor the dataset."""
AMBIGUOUS_ATTEMPTS = 3
"""From the third answer on that does not add up, somebody should look; the event goes on being sent."""


class Facts(msgspec.Struct, frozen=True):
    """What the decision needs to know besides the outcome."""

    attempts: int
    """How often this event was sent before and answered; not counting throttles, outages and dead tokens."""
    failures: int
    """How often in a row this dataset could not be reached, this time included."""
    setbacks: int = 0
    """For an event that was sent alone in an outage: in how many outages it was, with events taken between them."""


def decide(outcome: Outcome, facts: Facts, now: float, jitter: float) -> Verdict:
    """One event's fate. `jitter` is a random number in [0, 1); `now` is Unix seconds.

    >>> from conversion_relay.meta.graph import Said
    >>> decide(Throttled(Said(code=4), after=30.0), Facts(attempts=0, failures=1), now=100.0, jitter=0.5)
    Park(until=145.0, why='throttled', alert=False, sent=False, aside=None)
    >>> decide(Unreachable("connect", sent=False), Facts(attempts=0, failures=3), now=100.0, jitter=0.5)
    Park(until=102.0, why='connect', alert=False, sent=False, aside=None)
    """
    match outcome:
        case Accepted():
            return Delivered()
        case Refused() if outcome.is_about_time:
            return RetryAt(now + FUTURE_DELAY * (1 + jitter), "in_the_future")
        case Refused():
            return Dead(_why(outcome))
        case TooLarge():
            return RetryAt(now + backoff(facts.attempts + 1, jitter), "too_large", alert=True)
        case Throttled(after=after):
            # never before Meta's own word, and not all workers at the same moment after it
            return Park(now + after * (1 + jitter), "throttled")
        case Unauthorized() if outcome.said.is_metas:
            return Park(now + PROBE_EVERY, "unauthorized", alert=True)
        case Misconfigured() if outcome.said.is_metas:
            return Park(now + PROBE_EVERY, "unserved_version" if outcome.of_version else "misconfigured", alert=True)
        case Unauthorized() | Misconfigured() | Unlisted():
            until = now + backoff(facts.failures, jitter, LONGEST_OUTAGE_DELAY)
            why = "unknown_error" if outcome.said.is_metas else NOT_META
            return Park(until, why, alert=True, aside=_aside(facts.setbacks, until))
        case Unreachable(why=why, sent=sent):
            until = now + backoff(facts.failures, jitter, LONGEST_OUTAGE_DELAY)
            return Park(until, why, alert=why in A_PERSONS, sent=sent, aside=_aside(facts.setbacks, until))
        case Ambiguous(why=why) if is_no_answer(outcome) and facts.failures >= OUTAGE_FAILURES:
            until = now + backoff(facts.failures, jitter, LONGEST_OUTAGE_DELAY)
            return Park(until, why, sent=True, aside=_aside(facts.setbacks, until))
        case Ambiguous(why=why):
            again_and_again = facts.attempts + 1 >= AMBIGUOUS_ATTEMPTS
            why = "accounting_mismatch" if again_and_again else why
            return RetryAt(now + backoff(facts.attempts + 1, jitter), why, sent=True, alert=again_and_again)


def may_be_one_events(outcome: Outcome) -> bool:
    """Whether one event in the request may be why: an error that nobody listed, a silence, and the page of a program on
    the way, such as a firewall that does not like a text: it may come with any status."""
    is_foreign = isinstance(outcome, Unauthorized | Misconfigured) and not outcome.said.is_metas
    return is_foreign or isinstance(outcome, Unlisted | Unreachable)


def is_no_answer(outcome: Outcome) -> bool:
    """A success that Meta did not write, such as "Service Unavailable" or a login page. Time after time it is an
    outage: a backlog that is sent into it would all be in doubt."""
    return isinstance(outcome, Ambiguous) and not outcome.said.is_metas


def backoff(failures: int, jitter: float, longest: float = LONGEST_DELAY) -> float:
    """Seconds to wait after the n-th failure in a row: full jitter under 1, 2, 4 ... `longest`.

    >>> [backoff(n, jitter=1.0) for n in (1, 2, 3, 9, 10, 5000)]
    [1.0, 2.0, 4.0, 256.0, 300.0, 300.0]
    """
    ceiling = min(longest, FIRST_DELAY * 2.0 ** min(failures - 1, 20))
    return ceiling * jitter


def alone(verdict: Verdict) -> Verdict:
    """For an event that Meta is known to stumble over (`stumbling.py`): it waits by itself."""
    if not isinstance(verdict, Park):
        return verdict
    return RetryAt(verdict.aside or verdict.until, verdict.why, sent=verdict.sent, alert=verdict.alert)


def unsent(verdict: Verdict) -> Verdict:
    """The same pause for an event of the dataset that was not in the failed request."""
    return msgspec.structs.replace(verdict, sent=False, aside=None) if isinstance(verdict, Park) else verdict


def _aside(setbacks: int, until: float) -> float | None:
    """An event that Meta stumbles over would be in every first batch after every outage, and hold up all others."""
    return until + min(LONGEST_DELAY, FIRST_ASIDE * 2.0 ** (min(setbacks, 20) - 1)) if setbacks else None


def _why(refused: Refused) -> str:
    said = refused.said
    return f"meta_{said.code}" if said.subcode is None else f"meta_{said.code}_{said.subcode}"
