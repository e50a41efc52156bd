"""Who was seen, and what the page's pixel sent: the verbs that doors call from an event loop."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.postgres import sides, visits
from conversion_relay.outbox.postgres.database import CLOSED
from conversion_relay.outbox.postgres.deeds import Deeds
from conversion_relay.outbox.postgres.group import NO_THREAD

LOOK_FOR_VISITORS_EVERY = 1.0


class Beside(Deeds):
    """A part of `PostgresOutbox`, which opens the database."""

    def _begin_beside(self) -> None:
        self._has_visitors, self._looked_for_visitors_at = False, float("-inf")
        self._begin_threads()

    def _begin_threads(self) -> None:
        """Also in the child of a fork, which knows of visitors what its parent knew: it would pass over the refusal of
        the first one who buys."""
        self._beside = ThreadPoolExecutor(2, thread_name_prefix="outbox-beside")

    def remember_visitor(self, key: str, visit: Visit, now: float) -> None:
        self._do(lambda session, _: visits.remember(session, key, visit, now), strict=True)
        self._has_visitors = True

    def visitor(self, key: str, now: float) -> Visit | None:
        return visits.found(self._database.read(visits.FIND, (key, now - visits.VISITOR_SECONDS)))

    def has_visitors(self) -> bool:
        """Once there was one, they are looked up. Another thread looks, for event loops; until it has there may be one:
        another machine may just have remembered the first, who refused."""
        if self._has_visitors or time.monotonic() - self._looked_for_visitors_at < LOOK_FOR_VISITORS_EVERY:
            return self._has_visitors
        self._submit(self._look_for_visitors)
        return True

    def _look_for_visitors(self) -> None:
        at = time.monotonic()
        if self._database.read("SELECT 1 FROM relay.visitor LIMIT 1"):
            self._has_visitors = True  # and never False: this process may just have remembered one
        self._looked_for_visitors_at = at

    def note_pixel(self, dataset: str, pairs: Sequence[tuple[str, str]], now: float) -> "Future[None]":
        def work() -> None:
            number = self._datasets.make(dataset)
            self._do(lambda session, _: sides.note_pixel(session, dataset, number, pairs, now))

        return self._submit(work)

    def _submit(self, work: Callable[[], None]) -> "Future[None]":
        try:
            return self._beside.submit(work)
        except RuntimeError as error:  # "cannot schedule new futures after shutdown", or "can't start new thread"
            refused: Future[None] = Future()
            refused.set_exception(OutboxUnavailable(NO_THREAD if "thread" in str(error) else CLOSED))
            return refused
