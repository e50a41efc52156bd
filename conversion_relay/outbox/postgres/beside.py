"""Who was seen, and what the page's pixel sent: the verbs that doors call from an event loop."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.any_visitors import AnyVisitors
from conversion_relay.outbox.postgres import sides, visits
from conversion_relay.outbox.postgres.database import CLOSED
from conversion_relay.outbox.postgres.deeds import Deeds
from conversion_relay.outbox.postgres.group import NO_THREAD

T = TypeVar("T")


class Beside(Deeds, AnyVisitors):
    """A part of `PostgresOutbox`, which opens the database."""

    def _begin_threads(self) -> None:
        """Also in the child of a fork, which knows of visitors what its parent knew: it would pass over the refusal of
        the first one who buys."""
        self._is_looking = False
        self._beside = ThreadPoolExecutor(2, thread_name_prefix="outbox-beside")

    def remember_visitor(self, key: str, visit: Visit, now: float) -> None:
        self._do(lambda session, _: visits.remember(session, key, visit, now), strict=True)
        self._has_visitors = True

    def visitor(self, key: str, now: float) -> Visit | None:
        return visits.found(self._database.read(visits.FIND, (key, now - visits.VISITOR_SECONDS)))

    def _any_visitor(self) -> "Future[bool]":
        return self._submit(self._is_any_visitor)

    def _is_any_visitor(self) -> bool:
        return bool(self._database.read("SELECT 1 FROM relay.visitor LIMIT 1"))

    def _look_for_visitors(self) -> None:
        self._note_visitors(time.monotonic(), found=self._is_any_visitor())

    def note_pixel(self, dataset: str, pairs: Sequence[tuple[str, str]], now: float) -> "Future[None]":
        def work() -> None:
            number = self._datasets.make(dataset)
            self._do(lambda session, _: sides.note_pixel(session, dataset, number, pairs, now))

        return self._submit(work)

    def _submit(self, work: Callable[[], T]) -> "Future[T]":
        try:
            return self._beside.submit(work)
        except RuntimeError as error:  # "cannot schedule new futures after shutdown", or "can't start new thread"
            refused: Future[T] = Future()
            refused.set_exception(OutboxUnavailable(NO_THREAD if "thread" in str(error) else CLOSED))
            return refused
