"""From a group of puts to rows with keys, and back to receipts."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox.postgres import inbox
from conversion_relay.outbox.postgres.books import Datasets
from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.group import Job
from conversion_relay.outbox.postgres.keys import BLOCK, first_key, period_of
from conversion_relay.outbox.postgres.ledger import Parts
from conversion_relay.outbox.postgres.put import Outdated, Row, insert, store
from conversion_relay.outbox.postgres.refusals import NO_DISK
from conversion_relay.outbox.postgres.session import Session
from conversion_relay.telemetry import logger

ATTEMPTS = 3
FULL_SECONDS = 15.0
"""Then somebody may send something again, which shows whether there is room."""
Result = TypeVar("Result")


class Storing:
    def __init__(self, database: Database, datasets: Datasets) -> None:
        self._database, self._datasets = database, datasets
        self.parts = Parts(database)
        self.after_fork()

    def after_fork(self) -> None:
        """Numbers must not be given twice."""
        self._lock = threading.Lock()
        self._numbers: Iterator[int] = iter(())
        self._full_at: float | None = None
        self._trouble = ""

    def commit(self, jobs: Sequence[Job]) -> list[list[Receipt]]:
        try:
            told = self._commit(jobs)
        except OutboxUnavailable as error:
            self._full_at = time.monotonic() if str(error) == NO_DISK else None
            self._note(str(error))
            raise
        self._full_at = None
        self._note("")
        return told

    def _note(self, trouble: str) -> None:
        """Once for each trouble: whoever is refused hears no reason, and a collector may be alone."""
        if trouble and trouble != self._trouble:
            logger.error("The outbox cannot record", extra={"reason": trouble})
        elif self._trouble and not trouble:
            logger.info("The outbox records again")
        self._trouble = trouble

    def refuse_if_full(self) -> None:
        """On a full disk a small row may still find room in a page, so only the last put tells."""
        full_at = self._full_at
        if full_at is not None and time.monotonic() - full_at < FULL_SECONDS:
            raise OutboxUnavailable(NO_DISK)

    def _commit(self, jobs: Sequence[Job]) -> list[list[Receipt]]:
        def attempt() -> tuple[list[list[Row]], set[int]]:
            rows = self._rows([(job.events, job.now) for job in jobs])
            flat = [row for of_job in rows for row in of_job]
            return rows, store(self._database, flat) if flat else set()

        rows, stored = self._anew(attempt)
        return [[Receipt(row.event.event_id, duplicate=row.key not in stored) for row in of_job] for of_job in rows]

    def _anew(self, attempt: Callable[[], Result]) -> Result:
        """Once more without what is remembered, if the database is another one."""
        for _ in range(ATTEMPTS):
            with contextlib.suppress(Outdated):
                return attempt()
            self._datasets.forget()
            self.parts.forget()
            with self._lock:
                self._numbers = iter(())
        raise OutboxUnavailable(
            "PostgreSQL lacks what it just gave: look whether somebody restores the database,"
            " or took a part of `event` away"
        )

    def _rows(
        self, groups: Sequence[tuple[Sequence[SealedEvent], float]], session: Session | None = None
    ) -> list[list[Row]]:
        ids = {name: self._datasets.make(name) for name in {event.dataset for events, _ in groups for event in events}}
        firsts = {period: self._first_key(period) for period in {period_of(now) for _, now in groups}}
        numbers = iter(self.numbers(sum(len(events) for events, _ in groups), session))
        return [
            [Row(first | next(numbers), ids[event.dataset], at, event) for event in events]
            for events, at, first in ((events, float(now), firsts[period_of(now)]) for events, now in groups)
        ]

    def _first_key(self, period: int) -> int:
        self.parts.make(period)
        return first_key(period)

    def numbers(self, n: int, session: Session | None = None) -> list[int]:
        """That nobody else has. `session`: of the caller's transaction; what it asks for is lost if it is undone."""
        read = session.read if session else self._database.read
        with self._lock:
            found = list(islice(self._numbers, n))
            while len(found) < n:
                ((first,),) = read("SELECT nextval('relay.event_number')")
                self._numbers = iter(range(first, first + BLOCK))
                found += islice(self._numbers, n - len(found))
            return found

    def take_in(self) -> float:
        """What callers committed by themselves is put like any other event; the earliest time at which one was put."""
        earliest = float("inf")

        def work(session: Session) -> list[float]:
            taken = inbox.take(session)
            if taken:
                groups = self._rows([([event], at) for event, at in taken], session)
                insert(session, [row for of_put in groups for row in of_put])
            return [at for _, at in taken]

        def attempt() -> list[float]:
            # New datasets and parts have commits of their own. Made within the transaction they would need a second
            # connection while it holds the first: where the server gives few, it would wait for itself.
            for dataset, period in self._database.read(inbox.COMING, pinned=True):
                self._datasets.make(dataset)
                self.parts.make(period)
            return self._database.transact(work, pinned=True)

        while times := self._anew(attempt):
            earliest = min(earliest, *times)
            if len(times) < inbox.TAKEN_AT_ONCE:
                break
        return earliest
