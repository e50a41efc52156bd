"""What worlds are there to reach. A soak in which one of these never happened has lost a part of its generator."""

from tests.simulation.plan import ACTS, MOODS

MUST_BE_REACHED = (
    *(f"meta {mood}" for mood in MOODS),
    *(f"operator: {act}" for act in ACTS),
    "a token ended",
    "meta changed a rule",
    "Meta got a copy",
    "a visitor took an event back",
    "a site was answered 503",
    "the door refused",
    "the clock was set",
    *(f"state {state}" for state in ("delivered", "dead", "erased")),
    "log: The outbox cannot record",
    "log: The outbox records again",
    "log: Meta takes events again",
    "log: Settings read again",
    "log: The outbox file was damaged; it was set aside, and what could be read of it goes on in a new one",
    "log: The salvage of a damaged outbox file was interrupted; it is finished now, and the damaged file is set aside",
)
