"""The verbs of the SQLite outbox that only look: what an operator, a page or a command asks."""

from typing import TYPE_CHECKING, Any

from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.any_visitors import AnyVisitors
from conversion_relay.outbox.recent_sides import RecentSides
from conversion_relay.outbox.sqlite import figures, look, sides, visits, workers
from conversion_relay.outbox.story import (
    Counts,
    DeadGroup,
    Details,
    Figures,
    Found,
    Search,
    SideCounts,
    SignOfLife,
    Story,
)

if TYPE_CHECKING:
    from concurrent.futures import Future

    from conversion_relay.outbox.sqlite.database import Database


class Looks(RecentSides, AnyVisitors):
    """A part of `SqliteOutbox`, which opens the database."""

    _database: "Database"
    _newest = sides.NEWEST_EVENTS, sides.NEWEST_REPORTS

    def counts(self) -> dict[str, Counts]:
        return look.counts(self._database.read)

    def find(self, event_id: str) -> list[Story]:
        return self._stories("WHERE event_id = ?", (event_id,))

    def dead(self, limit: int = 100) -> list[Story]:
        return self._stories("WHERE state = 'dead' ORDER BY settled_at DESC LIMIT ?", (limit,))

    def held(self, limit: int = 100) -> list[Story]:
        return self._stories(f"WHERE event.key IN ({look.HELD_KEYS} LIMIT ?)", (limit,))

    def recent(self, limit: int = 50) -> list[Story]:
        """The newest events, for the dashboard."""
        return self._stories("ORDER BY event.key DESC LIMIT ?", (limit,))

    def figures(self, since: float) -> list[Figures]:
        return figures.figures(self._database.read, since)

    def figure_sums(self, since: float, until: float) -> list[Figures]:
        return figures.figure_sums(self._database.read, since, until)

    def delivered_by_hour(self, since: float, until: float) -> list[tuple[str, str, int, int]]:
        return figures.delivered_by_hour(self._database.read, since, until)

    def search(self, search: Search) -> Found:
        return look.search(self._database.read, search)

    def details(self, key: int) -> Details:
        return look.details(self._database.read, key)

    def dead_groups(self, now: float) -> list[DeadGroup]:
        return look.dead_groups(self._database.read, now)

    def deduplication(self) -> dict[str, dict[str, SideCounts]]:
        return sides.deduplication(self._database.read)

    def visitor(self, key: str, now: float) -> Visit | None:
        return visits.find(self._database.read, key, now)

    def notices(self) -> list[tuple[str, float]]:
        return [(str(cause), float(at)) for cause, at in self._database.read(workers.NOTICES)]

    def workers(self) -> list[SignOfLife]:
        return workers.signs(self._database.read)

    def _stories(self, where: str, values: tuple[Any, ...]) -> list[Story]:
        return look.stories(self._database.read, where, values)

    def _any_visitor(self) -> "Future[bool]":
        return self._database.submit(visits.is_any)
