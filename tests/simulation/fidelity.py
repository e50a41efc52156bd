"""What Meta gets is what was sent: the event of that id, whole, and nobody else's.

    person    the one digest of an e-mail address is that of this event's visitor
    made by   it names the template that made it
    time      it is the site's, or by up to CLOCK_SKEW earlier, since what is a little ahead of the door's clock becomes
              now; or, where the site gave none or a page was ahead, one that the machine's clock showed as the door
              took it

An event that Meta takes is compared, not each one that is sent: what Meta refuses is sent again as it is.
"""

from typing import Any

from conversion_relay.meta.validate import CLOCK_SKEW
from tests.simulation.facts import Fact, Facts
from tests.simulation.meta import Key
from tests.simulation.scheduler import Scheduler

STAMPING_SECONDS = 600
"""A process that stood still stamps a request when it goes on, after the site has given up."""


class Fidelity:
    def __init__(self, world: Scheduler, facts: Facts) -> None:
        self.world, self.facts = world, facts

    def at_take(self, key: Key, event: dict[str, Any]) -> None:
        fact = self.facts.known.get(key)
        if fact is None:
            return  # `Safety` says so
        if event["user_data"].get("em") not in (fact.digest, [fact.digest]):
            self.world.fail(f"{key} is sent with another person")
        if event["custom_data"]["content_category"] != fact.template:
            self.world.fail(f"{key} is sent with another body")
        at, earliest, latest = event["event_time"], fact.event_time, fact.latest_time
        is_its_own = earliest - CLOCK_SKEW <= at <= latest + STAMPING_SECONDS * fact.is_stamped
        if not is_its_own and not (at < earliest and _is_the_doors(at, fact)):
            self.world.fail(f"{key} is sent with another time, {at - fact.event_time} s from its own")


def _is_the_doors(at: int, fact: Fact) -> bool:
    """Of an event of a page whose clock was ahead of the door's."""
    if fact.doors_times is None:
        return False
    first, last = fact.doors_times
    return first <= at <= last + STAMPING_SECONDS
