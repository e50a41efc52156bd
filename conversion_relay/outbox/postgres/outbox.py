"""The outbox of several machines, in PostgreSQL 14 or newer.

The same promises as the embedded outbox, by the same protocols. `database.py` tells what is done when a connection is
lost, `group.py` and `put.py` how events are stored, `lanes.py` and `leases.py` how they are claimed and settled,
`ledger.py` how old ones are dropped, `inbox.py` how an order and its Purchase commit together.
"""

import contextlib
import secrets
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from os import register_at_fork
from typing import Any

import psycopg

from conversion_relay.errors import LeaseLost, OutboxUnavailable, SettingsError
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox.answer import answer_of
from conversion_relay.outbox.counting import KEPT_HOURS, hour_of
from conversion_relay.outbox.postgres import (
    claimed,
    clock,
    delivered,
    figures,
    floors,
    inbox,
    lanes,
    leases,
    ledger,
    sides,
    visits,
    waiting,
)
from conversion_relay.outbox.postgres.beside import Beside
from conversion_relay.outbox.postgres.books import Datasets, gather, write
from conversion_relay.outbox.postgres.crowd import Crowd
from conversion_relay.outbox.postgres.database import Database
from conversion_relay.outbox.postgres.dsn import read_dsn
from conversion_relay.outbox.postgres.group import Groups
from conversion_relay.outbox.postgres.refusals import is_of_settings
from conversion_relay.outbox.postgres.schema import prepare
from conversion_relay.outbox.postgres.session import Session
from conversion_relay.outbox.postgres.signal import Signals
from conversion_relay.outbox.postgres.storing import Storing
from conversion_relay.outbox.protocol import (
    Housekeeping,
    Lease,
    LeasedEvent,
    Leases,
    Meter,
    Operator,
    Overview,
    Queue,
    Settlement,
    Visits,
)
from conversion_relay.outbox.story import Attempt
from conversion_relay.outbox.verdict import Dead, Delivered, Expired, Park, RetryAt, Withhold

UNREACHABLE = "RELAY_OUTBOX: PostgreSQL cannot be reached with this address, user and password"


class PostgresOutbox(Beside):
    """Every part of an outbox; safe to use from several threads, processes and machines.

    Longer than 150 lines, since it has each verb of the way of the events; the others are in its bases."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        """`url` as of RELAY_OUTBOX. `create`: make the tables where there are none. Raises SettingsError for what only
        another setting, of the server too, puts right; OutboxUnavailable for what may pass."""
        self._database = Database(read_dsn(url))
        try:
            prepare(self._database, create=create)
        except OutboxUnavailable as error:
            kind = SettingsError if is_of_settings(error) else OutboxUnavailable
            raise kind(f"RELAY_OUTBOX: {error}") from None
        except psycopg.Error:
            raise OutboxUnavailable(UNREACHABLE) from None
        self._owner = secrets.token_hex(8)
        self._datasets = Datasets(self._database)
        self._storing = Storing(self._database, self._datasets)
        self._groups = Groups(self._storing.commit, self._tell)
        self._signals = Signals(self._database, self._owner)
        self._floors, self._crowd = floors.Floors(), Crowd(self._database)
        self._tallier, self._gathering = figures.Tallier(self._database), figures.Gathering(self._database)
        self._wakers: list[Callable[[], None]] = []
        self._refused_claims: set[str] = set()
        self._begin_threads()
        with contextlib.suppress(OutboxUnavailable):  # it is looked for again
            self._look_for_visitors()
        _all.add(self)

    # -- putting ---------------------------------------------------------------------------------------------------

    def put(self, events: Sequence[SealedEvent], now: float, *, connection: Any = None) -> list[Receipt]:
        """`connection`: of psycopg, Django or SQLAlchemy, in whose transaction the events are stored; they are there
        when the caller commits. Nobody knows until then whether they are copies, so no receipt says so."""
        if connection is None:
            self._floors.was_put(now)
            return answer_of(lambda done: self._groups.submit(events, now, (done,)))
        self.put_within(connection, events, now)
        return [Receipt(event.event_id) for event in events]

    def put_within(self, connection: Any, events: Sequence[SealedEvent], now: float) -> None:
        inbox.append(connection, self._database.dsn.schema, events, now)

    async def put_within_async(self, connection: Any, events: Sequence[SealedEvent], now: float) -> None:
        await inbox.append_async(connection, self._database.dsn.schema, events, now)

    def put_soon(self, events: Sequence[SealedEvent], now: float) -> "Future[list[Receipt]]":
        self._floors.was_put(now)
        return self._groups.submit(events, now)

    def _tell(self) -> None:
        self._wake()
        self._signals.say()

    def on_put(self, wake: Callable[[], None]) -> None:
        self._wakers.append(wake)
        self._signals.listen(self._wake)

    def probe(self) -> None:
        self._storing.refuse_if_full()
        self._do(lambda _session, _moves: None, strict=True)  # it writes its mark

    # -- leasing ---------------------------------------------------------------------------------------------------

    def claim(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        return self._claim(dataset, limit, lease_seconds, now, suspects=False)

    def claim_suspects(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        return self._claim(dataset, limit, lease_seconds, now, suspects=True)

    def _claim(self, name: str, limit: int, seconds: float, now: float, *, suspects: bool) -> Lease | None:
        dataset = self._datasets.id(name)
        if dataset is None:
            return None
        token = secrets.token_hex(8)
        told = {"token": token, "owner": self._owner, "since": float(now), "seconds": float(seconds), "name": name}
        told["slot"] = self._database.slots.one()
        try:
            if suspects:
                rows = claimed.claim_suspects(self._database, self._floors, dataset, limit, now, told)
            else:
                rows = claimed.claim(self._database, self._floors, dataset, limit, now, told)
        except OutboxUnavailable:
            self._refused_claims.add(token)  # its commit may stand all the same
            raise
        if rows is None:
            self._take_back(token, unsent=True)
            return None
        if not rows:
            self._datasets.forget(name)  # perhaps its number is another's by now
        events = claimed.leased_events(rows)
        return Lease(token=token, dataset=name, events=events) if events else None

    def extend(self, lease: Lease, lease_seconds: float) -> None:
        if not self._do(lambda session, _: leases.extend(session, lease.token, self._owner, lease_seconds)):
            raise LeaseLost(f"the lease of {len(lease.events)} events ran out")

    def release(self, lease: Lease) -> None:
        self._take_back(lease.token, unsent=True)

    def revoked(self, events: Sequence[LeasedEvent]) -> frozenset[int]:
        keys = [event.key for event in events]
        if not keys or self._database.read(leases.COUNT_UNREVOKED, (keys,), pinned=True) == [(len(keys),)]:
            return frozenset()
        return frozenset(keys).difference(*self._database.read(leases.UNREVOKED, (keys,), pinned=True))

    def settle(self, lease: Lease, settlements: Sequence[Settlement], attempt: Attempt | None, now: float) -> None:
        groups = [(verdict, [event.key for event in events]) for verdict, events in settlements]
        events = {event.key: event for _, settled in settlements for event in settled}
        dataset = self._datasets.make(lease.dataset)
        names = self._tallier.names(dataset, events.values())

        def cells(ended: leases.Ended) -> figures.Cells:
            return self._tallier.cells(dataset, names, ended, events, now)

        def step_by_step(session: Session) -> None:
            books = leases.settle(session, lease.token, groups, attempt, now)
            figures.write(session, cells(books.ended))
            write(session, books.moves)

        if len(groups) == 1 and isinstance(groups[0][0], Delivered) and events:
            keys = groups[0][1]
            columns = figures.columns(cells([("delivered", frozenset(keys))]))
            slot = self._database.slots.one()
            values = delivered.values_of(lease.token, dataset, keys, attempt, columns, now, slot)
            if self._database.at_once(delivered.SETTLE, values, pinned=True) != []:
                return
        self._database.transact(step_by_step, pinned=True)
        for verdict, _ in settlements:
            match verdict:
                case Delivered() | Dead() | Expired() | Withhold():
                    pass
                case RetryAt(at=float(at)) | Park(aside=float(at)):
                    self._floors.waits_until(at)
                case _:
                    self._floors.forget()

    def waiting(self, now: float) -> dict[str, float]:
        has_mail, lost = waiting.first_look(self._database, self._floors)
        if has_mail:
            self._floors.was_put(self._storing.take_in())
        for token in list(self._refused_claims):
            self._take_back(token, unsent=True)
            self._refused_claims.discard(token)  # not before: what fails now is taken back by the next look
        for token in lost or ():
            self._take_back(token, lost=True)
        return waiting.look_for_work(self._database, self._floors, now)

    def suspects(self, now: float) -> dict[str, float]:
        return waiting.suspects(self._database, self._floors)

    def _take_back(self, token: str, *, unsent: bool = False, lost: bool = False) -> None:
        self._do(lambda session, moves: leases.take_back(session, token, moves, unsent=unsent, lost=lost))
        self._floors.forget()

    # -- housekeeping ----------------------------------------------------------------------------------------------

    def tidy(self, now: float) -> int:
        self._storing.parts.make_next(now)
        self._floors.is_crowded = self._crowd.look()
        if self._floors.is_crowded:
            waiting.look_ahead(self._database, self._floors)
            if not self._floors.due(floors.TO_SHIFT):
                return 0
        shifted, began = 0, time.monotonic()
        to_shift = self._database.read(*lanes.to_shift(now, is_crowded=self._floors.is_crowded), pinned=True)
        self._floors.looked(floors.TO_SHIFT, time.monotonic() - began)
        for (dataset,) in to_shift:
            work = partial(lanes.shift_lanes, dataset=dataset, now=now)
            while n := self._database.transact(work, pinned=True).n:
                shifted += n
        if shifted:
            self._floors.forget()
        return shifted

    def prune(self, now: float) -> int:
        now -= clock.ahead_of(self._database.read(clock.NOW)[0][0])
        self._storing.parts.forget()
        dropped = 0
        # Before the ledger, which somebody may hold for hours (pg_dump): nobody who visited is kept for longer by that.
        for sql, bound in (
            (sides.PRUNE, now - sides.PIXEL_SECONDS),
            (visits.PRUNE, now - visits.VISITOR_SECONDS),
        ):
            dropped += len(self._database.read(sql, (bound,)))
        dropped += ledger.prune(self._database, now)
        self._database.read(_PRUNE_MARKS)
        self._database.read(figures.PRUNE, (hour_of(now) - KEPT_HOURS,))
        # Rows that are put together are none that are dropped; they come when nothing else is left.
        dropped = dropped or self._gathering.gather(now)
        return dropped or (0 if self._floors.is_crowded else gather(self._database))

    def close(self) -> None:
        """What was submitted is committed first; leased events are free for others at once."""
        if self._database.is_closed:
            return
        self._groups.close()
        self._beside.shutdown(wait=True)
        self._signals.close()
        with contextlib.suppress(OutboxUnavailable):  # they run out
            self._do(lambda session, _: session.run(_LET_GO, (self._owner,)))
        self._database.close()

    def after_fork(self) -> None:
        """In the child: leases, threads and connections are the parent's."""
        self._owner = secrets.token_hex(8)
        self._database.after_fork()
        self._groups.after_fork()
        self._signals.after_fork()
        self._floors = floors.Floors()
        self._begin_threads()
        self._storing.after_fork()


# Longer than anybody is in doubt.
_PRUNE_MARKS = "DELETE FROM relay.mark WHERE at < clock_timestamp() - interval '10 minutes' RETURNING 1"
_LET_GO = "UPDATE relay.lease SET until = clock_timestamp() - interval '1 millisecond' WHERE owner = %b"


_all: "weakref.WeakSet[PostgresOutbox]" = weakref.WeakSet()


def _after_fork() -> None:
    for outbox in list(_all):
        outbox.after_fork()


register_at_fork(after_in_child=_after_fork)
PARTS: tuple[type[Queue], type[Leases], type[Operator], type[Overview], type[Visits], type[Meter], type[Housekeeping]]
PARTS = (PostgresOutbox,) * 7
"""mypy holds the class to the signatures of these; at run time nobody needs it."""
