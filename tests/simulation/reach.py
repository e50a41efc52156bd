"""What worlds are there to reach. A soak in which one of these never happened has lost a part of its generator.

All of it is seen from outside: in the log, in the books, in what Meta was asked, in files, and in what the verbs of the
operator answer. Of a lease that was lost the log tells; whether it was `settle` or `extend` that heard it, cannot be
seen. Nor can it be seen that suspects had their own lane, but that a refused batch came again in parts.
"""

from tests.simulation.plan import ACTS, AWAY_MOODS, MOODS

STATES = ("delivered", "dead", "expired", "erased")
ERASED = ("pending", "leased", "delivered", "dead")
"""From which states an event was erased."""
REASONS = (
    "throttled", "unauthorized", "misconfigured", "unknown_error", "timeout", "connection refused",  # Park
    "short_count", "unreadable_200", "accounting_mismatch",  # RetryAt
    "too_old",  # Expired
    "meta_100", "meta_100_2804008", "meta_100_2804019",  # Dead
)  # fmt: skip
"""As the log gives them for each verdict that keeps or ends an event."""
ENDED = ("erased: withheld", "erased: withdrawn", "erased: erased")
"""What has no line of its own in the log: Withhold, and an operator's erase."""
LOG = (
    "The outbox cannot record",
    "The outbox cannot record, so nothing is sent",
    "The outbox records again",
    "What Meta answered cannot be recorded yet",
    "The outbox file is gone",
    "The outbox file was damaged; it was set aside, and what could be read of it goes on in a new one",
    "The salvage of a damaged outbox file was interrupted; it is finished now, and the damaged file is set aside",
    "A lease ran out before it was settled; its events are sent again",
    "Meta refused events together; they are tried apart from others",
    "Meta takes events again",
    "Meta refuses every event of this dataset; events wait: see `conversion-relay dead list`",
    "Meta answered over 15 % of the last 500 requests with an error: see `conversion-relay dead list`",
    "The clock of this machine is over a minute from Meta's; events are judged by Meta's: set the clock",
    "Settings read again",
    "The new settings are not usable; the old ones stay",
    "Events wait for a dataset that is not configured; they are kept and not sent",
    "Events were forgotten unsent, since their visitors did not agree",
)
MUST_BE_REACHED = (
    *(f"meta {mood}" for mood in MOODS),
    *(f"meta away: {mood}" for mood in AWAY_MOODS),
    *(f"operator: {act}" for act in ACTS),
    *(f"state {state}" for state in STATES),
    *(f"erased what was {state}" for state in ERASED),
    *(f"reason: {reason}" for reason in REASONS),
    *(f"an event is {ended}" for ended in ENDED),
    *(f"log: {message}" for message in LOG),
    "a token ended",
    "meta changed a rule",
    "meta's clock moved",
    "meta: over the metered limit",
    "meta: a request was too large",
    "Meta got a copy",
    "meta found an event to lie in the future",
    "two events of one id, by their names",
    "another dataset got a copy",
    "Meta got an order with its visitor",
    "a refused batch came again in parts",
    "a burst",
    "a site was answered 0",
    "a site was answered 503",
    "a site sent an event again",
    "the door refused",
    "the door knew an event",
    "a pixel reported",
    "a visitor took an event back",
    "a visitor took an event back while Meta was asked",
    "dead events were sent again",
    "held events were sent again",
    "a dataset was removed",
    "the clock was set",
    "the ballast was given up",
    "the ballast was laid again",
    "a backup was put back",
    "a rescued copy was put back",
    "a bad sector was read",
    "a file was damaged",
    "a disk lost what it had promised",
    "a process that could not start",
    "the outbox was looked at",
    "an event had two holders, one after the other",
    "a dataset was all refused, until Meta took something",
    "a fresh event was owed at once",
    "hundreds of refused events were followed by good ones",
    "a person gave a dead event a new life",
    "a process called Meta in vain for a while",
    "calls to a well dataset were counted",
    "a service was weighed",
    "the ledger dropped what had ended",
    *(f"seen as {state}" for state in ("delivered", "dead", "erased")),
)
