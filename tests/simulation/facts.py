"""What the world knows of each event, and what must hold for it.

The facts are kept by the world alone: from what it sent, what was answered, and what Meta got. Nothing of the product
is asked, except its own books at quiet moments.
"""

from tests.simulation.meta import Graph, Key
from tests.simulation.scheduler import MICRO, START, Scheduler

WEEK = 7 * 86_400
MARGIN = 3_700
"""Seconds: what is within an hour of Meta's limit is not sent any more."""


class Fact:
    """One event. Times are virtual microseconds; None: it did not happen."""

    __slots__ = ("acknowledged_at", "digest", "erased_at", "event_time", "is_broken", "key", "taken_back_at")

    def __init__(self, key: Key, *, is_broken: bool, event_time: int) -> None:
        self.key, self.is_broken, self.event_time = key, is_broken, event_time
        self.acknowledged_at: int | None = None
        self.taken_back_at: int | None = None
        self.erased_at: int | None = None
        self.digest = ""

    @property
    def is_gone(self) -> bool:
        return self.taken_back_at is not None or self.erased_at is not None


class Facts:
    def __init__(self, world: Scheduler, graph: Graph) -> None:
        self.world, self.graph = world, graph
        self.known: dict[Key, Fact] = {}
        self.gone: list[Fact] = []

    def new(self, key: Key, *, is_broken: bool, event_time: int) -> Fact:
        return self.known.setdefault(key, Fact(key, is_broken=is_broken, event_time=event_time))

    def check_sent(self) -> None:
        """Nobody who took an event back, or who was erased, is sent after it."""
        for fact in self.gone:
            gone_at = min((at for at in (fact.taken_back_at, fact.erased_at) if at is not None), default=None)
            sent_at = self.graph.seen_at.get(fact.key)
            # A request that had begun is heard as "Meta got it first".
            if gone_at is not None and sent_at is not None and sent_at > gone_at:
                self.world.fail(f"{fact.key} was sent {(sent_at - gone_at) / MICRO:.3f} s after it was taken back")

    def missing(self) -> list[Fact]:
        """Good events that were acknowledged and that Meta does not have."""
        return [
            fact
            for fact in self.known.values()
            if fact.acknowledged_at is not None
            and not fact.is_gone
            and not fact.is_broken
            and fact.key not in self.graph.refused_alone
            and fact.key not in self.graph.taken
            and fact.event_time > START + self.world.now / MICRO + self.graph.most_ahead + MARGIN - WEEK
        ]

    def wrongly_taken(self) -> list[Key]:
        return [key for key in self.graph.taken if key not in self.known]
