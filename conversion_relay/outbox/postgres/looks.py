"""The verbs of the PostgreSQL outbox that only look: what an operator, a page or a command asks."""

from functools import partial
from typing import TYPE_CHECKING, Any

from conversion_relay.outbox.counting import as_figures, first_hour, hour_of
from conversion_relay.outbox.postgres import figures, health, look, sides, workers
from conversion_relay.outbox.recent_sides import RecentSides
from conversion_relay.outbox.story import (
    Counts,
    DeadGroup,
    Details,
    Figures,
    Found,
    Search,
    ServerFact,
    SideCounts,
    SignOfLife,
    Story,
)

if TYPE_CHECKING:
    from conversion_relay.outbox.postgres.database import Database


class Looks(RecentSides):
    """A part of `PostgresOutbox`, which opens the database."""

    _database: "Database"
    _newest = sides.NEWEST_EVENTS, sides.NEWEST_REPORTS

    def counts(self) -> dict[str, Counts]:
        return look.counts(partial(self._database.read, pinned=True))

    def find(self, event_id: str) -> list[Story]:
        try:
            return look.find(self._database.read, event_id)
        except ValueError:  # the database cannot hold such a text, so it holds none
            return []

    def dead(self, limit: int = 100) -> list[Story]:
        return self._stories(look.DEAD, (limit,))

    def held(self, limit: int = 100) -> list[Story]:
        return self._stories(look.HELD_STORIES, (limit,))

    def recent(self, limit: int = 50) -> list[Story]:
        return self._stories(look.RECENT, (limit,))

    def figures(self, since: float) -> list[Figures]:
        return as_figures(self._database.read(figures.FIGURES, (hour_of(since),)))

    def figure_sums(self, since: float, until: float) -> list[Figures]:
        hours = first_hour(since), first_hour(until)
        return figures.figure_sums(self._database.read(figures.SUMS, hours), since)

    def delivered_by_hour(self, since: float, until: float) -> list[tuple[str, str, int, int]]:
        hours = first_hour(since), first_hour(until)
        return figures.delivered_by_hour(self._database.read(figures.DELIVERED, hours))

    def search(self, search: Search) -> Found:
        try:
            return look.search(self._database.read, search)
        except ValueError:  # as in `find`
            return Found(stories=[])

    def details(self, key: int) -> Details:
        return look.details(self._database.read, key)

    def dead_groups(self, now: float) -> list[DeadGroup]:
        return look.dead_groups(self._database.read, now)

    def deduplication(self) -> dict[str, dict[str, SideCounts]]:
        return sides.deduplication(self._database.read(sides.METER))

    def notices(self) -> list[tuple[str, float]]:
        return [(str(cause), float(at)) for cause, at in self._database.read(workers.NOTICES)]

    def workers(self) -> list[SignOfLife]:
        return workers.signs(self._database.read(workers.SIGNS))

    def server(self) -> list[ServerFact]:
        return health.facts(self._database.read)

    def _stories(self, where: str, values: tuple[Any, ...]) -> list[Story]:
        return look.stories(self._database.read, where, values)
