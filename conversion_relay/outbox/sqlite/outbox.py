"""The verbs of the embedded outbox: one SQLite file, fsynced before anybody is told "accepted"."""

import contextlib
import secrets
import time
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import apsw

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.intake.visit import Visit
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
from conversion_relay.outbox.sqlite import figures, ledger, look, operator, rows, sides, traces, visits, workers
from conversion_relay.outbox.sqlite.books import make_dataset_id
from conversion_relay.outbox.sqlite.database import Database
from conversion_relay.outbox.sqlite.delivered import MOST_NOTED, to_write_up
from conversion_relay.outbox.sqlite.file import Damaged, Unusable, at_start
from conversion_relay.outbox.sqlite.lanes import shift_lanes, to_shift
from conversion_relay.outbox.sqlite.looks import Looks
from conversion_relay.outbox.sqlite.salvage import set_aside
from conversion_relay.outbox.story import Attempt, SignOfLife

LEDGER_SECONDS = 8 * 86_400
"""A duplicate is known this long after its twin was settled: longer than Meta's own 48 h and any webhook's retries."""
STEP, IDS_AT_ONCE = 5_000, 1_000
"""Events of one transaction; event ids that one query looks up."""
LEASES = "SELECT token, owner, until FROM lease"


class SqliteOutbox(Looks):
    """Every part of an outbox; safe to use from several threads and several processes of one machine.

    The verbs that only look are in `looks.py`. Longer than 150 lines, since it has each other verb of the protocols;
    what a verb does is in the modules beside it."""

    _noted = 0
    """About as many delivered events wait to be written up."""

    def __init__(
        self,
        path: str,
        *,
        boot_clock: Callable[[], float] | None = None,
        ballast: bool = False,
        dataset: str | None = None,
        hands_over: bool = False,
    ) -> None:
        """`boot_clock`: seconds on a clock that nobody sets; leases are counted on it. `ballast` and `dataset` as of
        `outbox.open_outbox`, `hands_over` as of `Database`."""
        self._boot_clock = boot_clock or _seconds_since_boot
        self._refused_claims: set[str] = set()
        """Tokens of claims that failed, so that a lease nobody knows of is not waited for."""
        file = Path(path)
        try:
            self._database = Database(file, ballast=ballast, dataset=dataset, hands_over=hands_over)
        except (Unusable, Damaged, OSError) as error:
            raise at_start(file, error) from None
        self._over = ledger.Looking()
        with contextlib.suppress(OutboxUnavailable):  # it is looked for again
            self._note_visitors(time.monotonic(), found=bool(self._database.read("SELECT 1 FROM visitor LIMIT 1")))

    # -- putting ---------------------------------------------------------------------------------------------------

    def put(self, events: Sequence[SealedEvent], now: float) -> list[Receipt]:
        return self._database.carry_out(lambda db: rows.insert(db, events, now), adds=True, then=(self._tell,))

    def put_soon(self, events: Sequence[SealedEvent], now: float) -> "Future[list[Receipt]]":
        return self._database.submit(lambda db: rows.insert(db, events, now), adds=True, then=(self._tell,))

    def _tell(self, put: "Future[list[Receipt]]") -> None:
        if not put.cancelled() and put.exception() is None and not all(receipt.duplicate for receipt in put.result()):
            for wake in self._database.wakers:
                wake()

    def on_put(self, wake: Callable[[], None]) -> None:
        self._database.wakers.append(wake)

    # -- leasing ---------------------------------------------------------------------------------------------------

    def claim(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        return self._claim(partial(rows.claim, dataset_name=dataset, now=now, limit=limit), dataset, lease_seconds)

    def claim_suspects(self, dataset: str, limit: int, lease_seconds: float, now: float) -> Lease | None:
        claim = partial(rows.claim, dataset_name=dataset, now=now, limit=limit, suspects=True)
        return self._claim(claim, dataset, lease_seconds)

    def _claim(self, claim: Callable[..., "array[int]"], dataset: str, lease_seconds: float) -> Lease | None:
        token, until = secrets.token_hex(8), self._boot_clock() + lease_seconds
        work = partial(claim, token=token, owner=self._database.owner.name, until=until)
        try:
            keys = self._database.carry_out(work)
            events = rows.leased_events(self._database.read, keys) if keys else ()
        except OutboxUnavailable:
            self._refused_claims.add(token)  # its commit may be in the file all the same
            raise
        return Lease(token=token, dataset=dataset, events=events) if events else None

    def extend(self, lease: Lease, lease_seconds: float) -> None:
        until = self._boot_clock() + lease_seconds
        owner = self._database.owner.name
        self._database.carry_out(lambda db: rows.extend(db, lease, owner, until))

    def release(self, lease: Lease) -> None:
        self._take_back(lease.token, unsent=True)

    def revoked(self, events: Sequence[LeasedEvent]) -> frozenset[int]:
        return rows.revoked(self._database.read, array("q", [event.key for event in events]))

    def settle(self, lease: Lease, settlements: Sequence[Settlement], attempt: Attempt | None, now: float) -> None:
        groups = [(array("q", [event.key for event in of]), figures.told(v, of, now)) for v, of in settlements]
        work = partial(rows.settle, token=lease.token, groups=groups, attempt=attempt, now=now)
        if noted := self._database.carry_out(work):
            self._noted += noted
        if self._noted >= MOST_NOTED:
            self._write_up()

    def _write_up(self) -> None:
        self._noted = 0
        for work in to_write_up(self._database.read):
            self._database.carry_out(work)

    def waiting(self, now: float) -> dict[str, float]:
        leases, rows = self._database.latest(LEASES, look.WAITING)
        if self._take_back_lost(leases):
            (rows,) = self._database.latest(look.WAITING)
        return look.waiting(rows)

    def suspects(self, now: float) -> dict[str, float]:
        (rows,) = self._database.latest(look.SUSPECTS)
        return look.suspects(rows)

    def _take_back_lost(self, leases: list[tuple[Any, ...]]) -> int:
        """How many."""
        refused, taken = frozenset(self._refused_claims), 0
        for token, owner, until in leases:
            if token in refused or self._is_lost(owner, until):
                self._take_back(token, unsent=token in refused)
                taken += 1
        self._refused_claims -= refused
        return taken

    def _take_back(self, token: str, *, unsent: bool = False) -> None:
        self._database.carry_out(partial(rows.take_back, token=token, unsent=unsent))

    def _is_lost(self, owner: str, until: float) -> bool:
        """A process that is gone freed its lock, so nobody will settle what it leased."""
        us = self._database.owner
        return until <= self._boot_clock() or (owner != us.name and us.is_gone(owner))

    # -- the two sides of an event, and who was seen -----------------------------------------------------------------

    def remember_visitor(self, key: str, visit: Visit, now: float) -> None:
        work = partial(visits.remember, key=key, visit=visit, now=now)
        self._database.carry_out(work, adds=True)
        self._has_visitors = True

    def note_pixel(self, dataset: str, pairs: Sequence[tuple[str, str]], now: float) -> "Future[None]":
        def work(db: Any) -> None:
            sides.note_pixel(db, make_dataset_id(db, dataset), pairs, now)

        return self._database.submit(work, adds=True)

    def note_worker(self, sign: SignOfLife) -> None:
        self._database.carry_out(partial(workers.note, sign=sign))

    def forget_worker(self, worker: str) -> None:
        self._database.carry_out(partial(workers.forget, worker=worker))

    def take_notice(self, cause: str, now: float) -> bool:
        return self._database.carry_out(partial(workers.take_notice, cause=cause, now=now))

    def drop_notice(self, cause: str) -> bool:
        return self._database.carry_out(partial(workers.drop_notice, cause=cause))

    def withdraw(self, dataset: str, event_ids: Sequence[str], now: float) -> int:
        ids = tuple(dict.fromkeys(event_ids))
        return self._database.carry_out(lambda db: operator.withdraw(db, dataset, ids, now))

    # -- the operator's hand ---------------------------------------------------------------------------------------

    def replay(self, now: float, event_ids: Sequence[str] | None = None) -> int:
        keys = self._replayable(now, event_ids)
        return self.replay_chosen(keys, now)

    def replay_chosen(self, keys: Sequence[int], now: float) -> int:
        replayed = self._in_steps(partial(operator.replay, now=now), keys)
        if replayed:
            for wake in self._database.wakers:
                wake()
        return replayed

    def _replayable(self, now: float, event_ids: Sequence[str] | None) -> list[int]:
        """Keys. Named ids are looked up by their index: the dead letters may be a million, and the ids ten."""
        if event_ids is None:
            return [key for (key,) in self._database.read(operator.DEAD_OR_HELD, (now,))]
        ids = tuple(dict.fromkeys(event_ids))
        keys: list[int] = []
        for first in range(0, len(ids), IDS_AT_ONCE):
            named = apsw.carray(ids[first : first + IDS_AT_ONCE])
            keys += [key for (key,) in self._database.read(operator.DEAD_OR_HELD_OF, (now, named))]
        return keys

    def erase(self, digests: Sequence[str], now: float) -> int:
        self._write_up()
        erased = operator.erase_persons(self._database, digests, now)
        operator.forget_names(self._database, digests)
        self._database.empty_log()
        traces.overwrite(self._database, digests)
        return erased

    def erase_chosen(self, keys: Sequence[int], now: float) -> int:
        marks = traces.marks_of(self._database.read, keys)
        erased = self._in_steps(partial(operator.erase, digests=(), now=now), keys)
        self._database.empty_log()
        traces.overwrite_marks(self._database, marks)
        return erased

    def _in_steps(self, deed: Callable[..., int], keys: Sequence[int]) -> int:
        """Between which others may write."""
        return sum(self._database.carry_out(partial(deed, keys=keys[n : n + STEP])) for n in range(0, len(keys), STEP))

    def set_aside(self) -> list[str]:
        """Names of the files beside the outbox that `erase` cannot reach: damaged ones, and copies of deleted ones."""
        return set_aside(self._database.path)

    def tidy(self, now: float) -> int:
        self._write_up()
        return sum(self._shift_lanes(dataset, now) for dataset in to_shift(self._database.read, now))

    def _shift_lanes(self, dataset: int, now: float) -> int:
        """In steps, between which others may write."""
        shifted = 0
        while n := self._database.carry_out(partial(shift_lanes, dataset=dataset, now=now)):
            shifted += n
        return shifted

    def prune(self, now: float) -> int:
        self._database.lay_ballast()
        self._write_up()
        dropped, others = 0, 1
        while others and not dropped:
            found = self._over.look(self._database.read, now, LEDGER_SECONDS)
            dropped, others = self._database.carry_out(partial(ledger.prune, found=found, now=now))
        return dropped

    def probe(self) -> None:
        self._database.probe()

    def close(self) -> None:
        """What was submitted is committed first; leased events are free for others at once."""
        with contextlib.suppress(OutboxUnavailable):  # whoever comes next writes it up
            self._write_up()
        self._database.close()


def _seconds_since_boot() -> float:
    """Goes on while the machine is suspended, which `time.monotonic` does not: a lease from before has run out then."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))  # macOS calls it so


PARTS: tuple[type[Queue], type[Leases], type[Operator], type[Overview], type[Visits], type[Meter], type[Housekeeping]]
PARTS = (SqliteOutbox, SqliteOutbox, SqliteOutbox, SqliteOutbox, SqliteOutbox, SqliteOutbox, SqliteOutbox)
"""mypy holds the class to the signatures of these; at run time nobody needs it."""
