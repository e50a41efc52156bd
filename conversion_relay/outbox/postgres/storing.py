"""From a group of puts to rows with keys, and back to receipts."""

import threading
from collections.abc import Sequence

from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox.postgres import inbox
from conversion_relay.outbox.postgres.books import Datasets
from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.group import Job
from conversion_relay.outbox.postgres.keys import BLOCK, first_key, period_of
from conversion_relay.outbox.postgres.ledger import Parts
from conversion_relay.outbox.postgres.put import Row, insert
from conversion_relay.outbox.postgres.session import Session


class Storing:
    def __init__(self, database: Database, datasets: Datasets) -> None:
        self._database, self._datasets = database, datasets
        self.parts = Parts(database)
        self.after_fork()

    def after_fork(self) -> None:
        """Numbers must not be given twice."""
        self._lock, self._numbers = threading.Lock(), iter(range(0))

    def commit(self, jobs: Sequence[Job]) -> list[list[Receipt]]:
        rows = [[self._row(event, job.now) for event in job.events] for job in jobs]
        flat = [row for of_job in rows for row in of_job]
        stored = self._database.transact(lambda session: insert(session, flat), strict=True) if flat else set()
        return [[Receipt(row.event.event_id, duplicate=row.key not in stored) for row in of_job] for of_job in rows]

    def _row(self, event: SealedEvent, now: float) -> Row:
        period = period_of(now)
        self.parts.make(period)
        return Row(first_key(period) | self.number(), self._datasets.make(event.dataset), float(now), event)

    def number(self) -> int:
        with self._lock:
            number = next(self._numbers, None)
            if number is None:
                ((first,),) = self._database.read("SELECT nextval('relay.event_number')")
                self._numbers = iter(range(first, first + BLOCK))
                number = next(self._numbers)
            return number

    def take_in(self) -> None:
        """What callers committed by themselves is put like any other event."""

        def work(session: Session) -> int:
            taken = inbox.take(session)
            if taken:
                insert(session, [self._row(event, now) for event, now in taken])
            return len(taken)

        while self._database.transact(work) == inbox.TAKEN_AT_ONCE:
            continue
