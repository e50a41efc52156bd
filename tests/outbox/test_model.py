"""The outbox against a model of two pages: every verb in any order, crashes, full disks, clocks that are set."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from conversion_relay.errors import LeaseLost, OutboxUnavailable
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox import STATES, Attempt, Lease, SideCounts
from conversion_relay.outbox.sqlite.lanes import LONGEST_WAIT
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.verdict import Dead, Delivered, Expired, Hold, Park, RetryAt, Verdict, Withhold

NOW = 1_795_435_200.0
DAY = 86_400.0
LEASE = 60.0
LEDGER, DEAD_LETTERS = 8 * DAY, 90 * DAY
DATASETS = ("1", "2")
PERSONS = ("aa" * 32, "bb" * 32)


class Kept(msgspec.Struct, eq=False):
    """What the model knows of one event."""

    number: int
    dataset: str
    event_id: str
    expires_at: float
    person: str
    state: str = "pending"
    due_at: float | None = None
    is_held: bool = False
    settled_at: float = 0.0
    has_body: bool = True
    is_withdrawn: bool = False
    """While it was leased: what becomes of it is up to Meta."""

    def can_go(self, now: float) -> bool:
        if self.is_held:
            return self.expires_at <= now
        return self.due_at is None or self.due_at <= now or self.due_at > now + LONGEST_WAIT


class Held(msgspec.Struct):
    """A lease as the model knows it."""

    lease: Lease
    since: float
    until: float
    process: int
    rest: dict[int, Kept]
    """By the outbox's own key."""


class OutboxMachine(RuleBasedStateMachine):
    leases = Bundle("leases")

    @initialize()
    def begin(self) -> None:
        self.place = Path(tempfile.mkdtemp())
        self.wall, self.boot = NOW, 5_000.0
        self.process = 0
        self.events: dict[tuple[str, str], Kept] = {}
        self.forgotten: list[Kept] = []
        self.newest = 0
        self.held: dict[str, Held] = {}
        self.outbox = self._open()

    def _open(self) -> SqliteOutbox:
        return SqliteOutbox(str(self.place / f"{self.process}.db"), boot_clock=lambda: self.boot)

    def teardown(self) -> None:
        if hasattr(self, "outbox"):
            self.outbox.close()
            shutil.rmtree(self.place)

    # -- verbs ---------------------------------------------------------------------------------------------------------

    @rule(
        dataset=st.sampled_from(DATASETS),
        ids=st.lists(st.integers(0, 30), min_size=1, max_size=8),
        lasts=st.sampled_from([100.0, 10_000.0, 7 * DAY]),
        person=st.sampled_from(PERSONS),
    )
    def put(self, dataset: str, ids: list[int], lasts: float, person: str) -> None:
        events = [self._sealed(dataset, f"e{n}", self.wall + lasts, person) for n in ids]
        receipts = self.outbox.put(events, self.wall)
        expected = []
        for event in events:
            expected.append(Receipt(event.event_id, duplicate=(dataset, event.event_id) in self.events))
            self._remember(event, person)
        assert receipts == expected

    @rule(dataset=st.sampled_from(DATASETS), n=st.integers(0, 30), person=st.sampled_from(PERSONS))
    def put_on_a_full_disk(self, dataset: str, n: int, person: str) -> None:
        """Taken whole or refused whole; and what was stored before is settled as ever, once there is room."""
        event = self._sealed(dataset, f"e{n}", self.wall + DAY, person, padding=200_000)
        with self._full_disk():
            try:
                self.outbox.put([event], self.wall)
            except OutboxUnavailable:
                return
        self._remember(event, person)

    @rule(target=leases, dataset=st.sampled_from(DATASETS), limit=st.integers(1, 6))
    def claim(self, dataset: str, limit: int) -> object:
        lease = self.outbox.claim(dataset, limit, LEASE, self.wall)
        self._wake(dataset)
        can_go = {k.event_id for k in self._pending(dataset) if k.due_at is None and not k.is_held}
        claimed = {event.event_id for event in lease.events} if lease else set()
        assert claimed <= can_go and len(claimed) == min(limit, len(can_go))
        if lease is None:
            return multiple()
        assert all(event.intact and event.body for event in lease.events)
        rest = {event.key: self.events[dataset, event.event_id] for event in lease.events}
        for kept in rest.values():
            kept.state = "leased"
        self.held[lease.token] = Held(lease, self.wall, self.boot + LEASE, self.process, rest)
        return lease.token

    @rule(token=leases, choice=st.data())
    def settle(self, token: str, choice: st.DataObject) -> None:
        """Some or all of its events, each with a verdict of its own."""
        held = self.held[token]
        events = choice.draw(st.lists(st.sampled_from(held.lease.events), min_size=1, unique_by=lambda e: e.key))
        settlements = [(event, choice.draw(st.sampled_from(self._verdicts()))) for event in events]
        attempt = Attempt(at=self.wall, outcome="refused", code=100)
        if not {event.key for event in events} <= held.rest.keys():
            with pytest.raises(LeaseLost):
                self.outbox.settle(held.lease, settlements, attempt, self.wall)
            return
        self.outbox.settle(held.lease, settlements, attempt, self.wall)
        for event, verdict in settlements:
            self._apply(held.rest.pop(event.key), verdict)

    @rule(token=leases)
    def settle_what_cannot_be_recorded(self, token: str) -> None:
        held = self.held[token]
        if not held.rest:
            return
        events = [event for event in held.lease.events if event.key in held.rest]
        with self._locked(), pytest.raises(OutboxUnavailable):
            self.outbox.settle(held.lease, [(event, Delivered()) for event in events], None, self.wall)

    @rule(token=consumes(leases))
    def release(self, token: str) -> None:
        held = self.held[token]
        self.outbox.release(held.lease)
        self._free(held)

    @rule(token=leases)
    def extend(self, token: str) -> None:
        held = self.held[token]
        if held.rest:
            self.outbox.extend(held.lease, LEASE)
            held.until = self.boot + LEASE
        else:
            with pytest.raises(LeaseLost):
                self.outbox.extend(held.lease, LEASE)

    @rule()
    def look_for_work(self) -> None:
        """Takes back what a dead or a slow owner held."""
        for held in self.held.values():
            if held.until <= self.boot or held.process != self.process:
                self._free(held)
        waiting = self.outbox.waiting(self.wall)
        assert set(waiting) == {dataset for dataset in DATASETS if self._pending(dataset)}

    @rule()
    def tidy(self) -> None:
        self.outbox.tidy(self.wall)
        for dataset in DATASETS:
            self._wake(dataset)

    @rule()
    def prune(self) -> None:
        self.outbox.prune(self.wall)
        for key, kept in list(self.events.items()):
            keeps = DEAD_LETTERS if kept.state == "dead" else LEDGER
            has_ended = kept.state not in ("pending", "leased") and kept.settled_at < self.wall - keeps
            if has_ended and kept.number < self.newest:
                self.forgotten.append(self.events.pop(key))
            elif kept.state == "dead" and kept.expires_at < self.wall:
                kept.has_body = False

    @rule(which=st.none() | st.sets(st.integers(0, 30)))
    def replay(self, which: set[int] | None) -> None:
        ids = None if which is None else [f"e{n}" for n in which]
        again = [
            kept
            for kept in self.events.values()
            if (kept.state == "dead" or (kept.state == "pending" and kept.is_held))
            and kept.has_body
            and kept.expires_at > self.wall
            and (ids is None or kept.event_id in ids)
        ]
        assert self.outbox.replay(self.wall, ids) == len(again)
        for kept in again:
            kept.state, kept.is_held, kept.due_at = "pending", False, None

    @rule(person=st.sampled_from(PERSONS))
    def erase(self, person: str) -> None:
        theirs = [
            kept
            for kept in self.events.values()
            if kept.person == person and kept.state in ("pending", "leased", "dead") and kept.has_body
        ]
        assert self.outbox.erase([person], self.wall) == len(theirs)
        for kept in theirs:
            kept.state, kept.settled_at = "erased", self.wall

    @rule(dataset=st.sampled_from(DATASETS), ids=st.lists(st.integers(0, 30), min_size=1, max_size=8))
    def withdraw(self, dataset: str, ids: list[int]) -> None:
        asked = {f"e{n}" for n in ids}
        theirs = [kept for kept in self.events.values() if kept.dataset == dataset and kept.event_id in asked]
        at_once = [kept for kept in theirs if kept.state in ("pending", "dead")]
        for kept in theirs:
            kept.is_withdrawn |= kept.state == "leased"
        assert self.outbox.withdraw(dataset, sorted(asked), self.wall) == len(at_once)
        for kept in at_once:
            self._withdraw(kept, self.wall)

    @rule(token=leases)
    def ask_what_was_revoked(self, token: str) -> None:
        held = self.held[token]
        events = [event for event in held.lease.events if event.key in held.rest]
        revoked = {key for key, kept in held.rest.items() if kept.is_withdrawn or kept.state == "erased"}
        assert self.outbox.revoked(events) == revoked

    @rule(dataset=st.sampled_from(DATASETS), ids=st.lists(st.integers(0, 30), min_size=1, max_size=8))
    def note_pixel(self, dataset: str, ids: list[int]) -> None:
        self.outbox.note_pixel(dataset, [("Lead", f"e{n}") for n in ids], self.wall).result()

    # -- the world -----------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1.0, 30.0, 61.0, 3_000.0, DAY, 9 * DAY]))
    def time_passes(self, seconds: float) -> None:
        self.wall += seconds
        self.boot += seconds

    @rule(seconds=st.sampled_from([-8 * DAY, -3_000.0, 3_000.0, 8 * DAY]))
    def the_wall_clock_is_set(self, seconds: float) -> None:
        self.wall += seconds

    @rule(cleanly=st.booleans())
    def the_process_ends_and_another_begins(self, cleanly: bool) -> None:
        """Killed: the next one finds what was on the disk at that moment."""
        if cleanly:
            self.outbox.close()
        old = self.place / f"{self.process}.db"
        self.process += 1
        for suffix in ("", "-wal"):
            if (file := old.with_name(old.name + suffix)).exists():
                shutil.copyfile(file, self.place / f"{self.process}.db{suffix}")
        self.outbox.close()
        self.outbox = self._open()

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def the_books_are_the_models(self) -> None:
        if not hasattr(self, "outbox"):
            return
        books = self.outbox.counts()
        for dataset in DATASETS:
            mine = [k for k in (*self.events.values(), *self.forgotten) if k.dataset == dataset]
            expected = {state: sum(k.state == state for k in mine) for state in STATES} | {"accepted": len(mine)}
            book = books.get(dataset)
            found = {name: getattr(book, name) if book else 0 for name in expected}
            assert found == expected
            assert book is None or book.imbalance == 0

    @invariant()
    def every_event_is_on_one_side_of_the_meter(self) -> None:
        if not hasattr(self, "outbox"):
            return
        sides = self.outbox.deduplication()
        for dataset in DATASETS:
            stored = sum(kept.dataset == dataset for kept in (*self.events.values(), *self.forgotten))
            meter = sides.get(dataset, {}).get("Lead", SideCounts())
            assert meter.both + meter.server_only == stored and min(meter.both, meter.server_only) >= 0

    # -- the model -----------------------------------------------------------------------------------------------------

    def _sealed(self, dataset: str, event_id: str, expires_at: float, person: str, padding: int = 0) -> SealedEvent:
        return SealedEvent(
            dataset=dataset,
            event_name="Lead",
            event_id=event_id,
            event_time=int(self.wall),
            expires_at=int(expires_at),
            body=b'{"em":["%s"]}' % person.encode() + b" " * padding,
        )

    def _remember(self, event: SealedEvent, person: str) -> None:
        if (event.dataset, event.event_id) not in self.events:
            self.newest += 1
            kept = Kept(self.newest, event.dataset, event.event_id, float(event.expires_at), person)
            self.events[event.dataset, event.event_id] = kept

    def _pending(self, dataset: str) -> list[Kept]:
        return [kept for kept in self.events.values() if kept.dataset == dataset and kept.state == "pending"]

    def _wake(self, dataset: str) -> None:
        """Whose time has come by this clock is due from now on, whatever becomes of the clock."""
        for kept in self._pending(dataset):
            if kept.can_go(self.wall):
                kept.due_at, kept.is_held = None, False

    def _verdicts(self) -> list[Verdict]:
        waits = [RetryAt(self.wall + seconds, "short_count", sent=seconds > 5) for seconds in (0.0, 30.0, 3_000.0)]
        parks = [Park(self.wall + 60, "throttled"), Park(self.wall + 60, "code_1", aside=self.wall + 90)]
        return [Delivered(), Dead("meta_100"), Expired(), Withhold(), Hold("ambiguous_late"), *waits, *parks]

    def _apply(self, kept: Kept, verdict: Verdict) -> None:
        if kept.state == "erased":
            return
        if kept.is_withdrawn and not isinstance(verdict, Delivered | Expired | Withhold):
            self._withdraw(kept, self.wall)
            return
        kept.state, kept.due_at, kept.is_held, kept.settled_at = "pending", None, False, self.wall
        match verdict:
            case Delivered():
                kept.state = "delivered"
            case Dead():
                kept.state = "dead"
            case Expired():
                kept.state = "expired"
            case Withhold():
                kept.state, kept.has_body = "erased", False
            case Hold():
                kept.is_held = True
            case RetryAt(at=at):
                kept.due_at = at
            case Park(aside=aside):
                kept.due_at = aside

    def _withdraw(self, kept: Kept, at: float) -> None:
        kept.state, kept.settled_at, kept.has_body = "erased", at, False

    def _free(self, held: Held) -> None:
        for kept in held.rest.values():
            if kept.state == "leased" and kept.is_withdrawn:
                self._withdraw(kept, held.since)
            elif kept.state == "leased":
                kept.state, kept.due_at, kept.is_held = "pending", None, False
        held.rest = {}

    @contextlib.contextmanager
    def _full_disk(self) -> Iterator[None]:
        writer = self.outbox._database.writer
        ((pages,),) = writer.execute("PRAGMA page_count").fetchall()
        writer.execute(f"PRAGMA max_page_count = {pages}").fetchall()
        try:
            yield
        finally:
            writer.execute("PRAGMA max_page_count = 1000000000").fetchall()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        other = apsw.Connection(str(self.place / f"{self.process}.db"))
        other.set_busy_timeout(5_000)  # a commit just made may still be checkpointing
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """A locked file is given up at once, so that a run of many steps takes seconds."""
    monkeypatch.setattr("conversion_relay.outbox.sqlite.writer.BUSY_SECONDS", 0.05)


OutboxMachine.TestCase.settings = settings(
    max_examples=int(os.environ.get("MODEL_RUNS", "60")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestOutboxModel = OutboxMachine.TestCase
