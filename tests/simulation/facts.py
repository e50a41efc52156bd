"""What the world knows of each event, and what must hold for it.

The facts are kept by the world alone: from what it sent, what was answered, and what Meta got. Nothing of the product
is asked.
"""

from tests.simulation.meta import WEEK, Graph, Key
from tests.simulation.scheduler import MICRO, START, Scheduler

MARGIN = 3_900
"""Seconds: what is within an hour of Meta's limit is not sent any more; and a clock may have drifted."""
AHEAD = 30 * MICRO
"""From here on Meta, whose clock may be behind, can find a time to lie in the future."""
IN_THE_FUTURE = 1_800 * MICRO
"""The longest time until what was found to lie in the future is looked at again."""
HELD_AFTER = 47 * 3_600 * MICRO
GIVEN_UP = 1_800 * MICRO
"""A site tries for minutes to hand over an event; what has no answer after this time never gets one."""


class Fact:
    """One event. Times are virtual microseconds; None: it did not happen."""

    __slots__ = (
        "acknowledged_at", "digest", "doors_times", "erased_at", "event_time", "family", "is_broken", "is_silent",
        "is_stamped", "key", "latest_time", "made_at", "may_be_gone", "taken_back_at", "template",
    )  # fmt: skip

    def __init__(self, key: Key, *, is_broken: bool, event_time: int, made_at: int = 0) -> None:
        self.key, self.is_broken, self.event_time, self.made_at = key, is_broken, event_time, made_at
        self.acknowledged_at: int | None = None
        self.taken_back_at: int | None = None
        self.erased_at: int | None = None
        self.family = [self]
        """This one, then its copies for other datasets; the same list for all of them."""
        self.latest_time = event_time
        """`event_time` is the earliest; they differ where the door stamped it, at each attempt to send it."""
        self.doors_times: tuple[int, int] | None = None
        """Of a page's event: what the machine's clock showed while it was sent, at the least and at the most."""
        self.digest = self.template = ""
        self.is_stamped = False
        self.is_silent = False
        """Its visitor did not speak of consent."""
        self.may_be_gone = False
        """Nobody may expect it any more, also when the site sends it again."""

    def stamp(self, event_time: int) -> None:
        """By the machine's clock, since the site gave no time."""
        self.is_stamped = True
        self.event_time = min(self.event_time, event_time)
        self.latest_time = max(self.latest_time, event_time)

    def note_doors_time(self, at: int) -> None:
        first, last = self.doors_times or (at, at)
        self.doors_times = min(first, at), max(last, at)

    @property
    def owed_from(self) -> int:
        """Virtual time: what was stamped by a clock that was ahead has to wait; else 0."""
        if not self.is_stamped:
            return 0
        at = (self.latest_time - START) * MICRO
        return at + IN_THE_FUTURE if at > self.made_at + AHEAD else 0

    @property
    def is_gone(self) -> bool:
        return self.taken_back_at is not None or self.erased_at is not None

    @property
    def gone_at(self) -> int | None:
        return min((at for at in (self.taken_back_at, self.erased_at) if at is not None), default=None)


def replays(world: Scheduler) -> int:
    """How many a person asked for."""
    return world.marks["operator: replay"] + world.marks["operator: replay_some"]


class Facts:
    def __init__(self, world: Scheduler, graph: Graph) -> None:
        self.world, self.graph = world, graph
        self.known: dict[Key, Fact] = {}
        self.gone: list[Fact] = []
        """Those that were taken back or erased."""
        self.clock_was_wrong = False
        """The machine's, at some time in this world."""
        self.are_silent_withheld = False
        """The operator asked for consent: what silent visitors sent need not be sent any more."""
        self.in_doubt: dict[Key, int] = {}
        """Since when delivery cannot know whether Meta has it."""
        self.withheld_from: int | None = None
        """From then on everybody knows, and such an event is not sent."""
        self.times_forgiven = 0
        """How often something was lost that nobody could keep (`loss.py`): what was known of rows holds no more."""
        self._open: dict[Key, Fact] = {}

    def new(self, key: Key, *, is_broken: bool, event_time: int) -> Fact:
        fact = Fact(key, is_broken=is_broken, event_time=event_time, made_at=self.world.now)
        return self._open.setdefault(key, self.known.setdefault(key, fact))

    def open_events(self) -> list[Fact]:
        """Those that Meta does not have and has not refused, and that nobody took back."""
        graph, now = self.graph, self.world.now
        self._open = {
            key: fact
            for key, fact in self._open.items()
            if key not in graph.taken
            and key not in graph.refused_alone
            and not fact.is_gone
            and (fact.acknowledged_at is not None or now - fact.made_at < GIVEN_UP)
        }
        return list(self._open.values())

    def is_owed(self, fact: Fact) -> bool:
        """Whether Meta must get it: it is good, and nothing ended it."""
        return not fact.is_broken and fact.key not in self.graph.refused_alone and self.is_alive(fact)

    def is_alive(self, fact: Fact) -> bool:
        """It was acknowledged, Meta does not have it, and nobody took it back, nor did its time."""
        return (
            fact.acknowledged_at is not None
            and self.world.now >= fact.owed_from
            and not fact.is_gone
            and not (self.are_silent_withheld and fact.is_silent)
            and fact.key not in self.graph.taken
            and fact.event_time > START + self.world.now / MICRO + self.graph.most_ahead + MARGIN - WEEK
        )

    def may_be_held(self, fact: Fact) -> bool:
        """A Purchase that Meta may have had for two days waits for a person, or is about to."""
        since = self.in_doubt.get(fact.key, self.world.now)
        return fact.key[1] == "Purchase" and self.world.now - since > HELD_AFTER

    def missing(self) -> list[Fact]:
        """Good events that were acknowledged and that Meta does not have."""
        return [fact for fact in self.known.values() if self.is_owed(fact)]
