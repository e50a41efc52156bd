"""Any outbox against the model: every verb in any order, time that passes, clocks that are set, machines that go.

What only some stores can suffer (a full disk, a kill) is a rule of a subclass, in `test_model.py`.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from conversion_relay.errors import LeaseLost
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.outbox import Attempt, SideCounts
from conversion_relay.outbox.verdict import Dead, Delivered, Expired, Hold, Park, RetryAt, Suspect, Verdict, Withhold
from tests.outbox.expected import DAY, Expected, Held, apply, free, withdraw
from tests.outbox.suite import Backend

NOW = 1_795_435_200.0
LEASE = 60.0
DATASETS = ("1", "2")
PERSONS = ("aa" * 32, "bb" * 32)


def runs(part: int = 1) -> settings:
    """Of a machine: the MODEL_RUNS that are asked for, or a part of them."""
    return settings(
        max_examples=int(os.environ.get("MODEL_RUNS", "40")) // part,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


class OutboxMachine(RuleBasedStateMachine):
    """Longer than 150 lines, since a rule for each verb must stand in one class."""

    leases = Bundle("leases")
    backend: Backend

    @initialize()
    def begin(self) -> None:
        self.place = Path(tempfile.mkdtemp())
        self.wall, self.boot = NOW, 5_000.0
        self.process = 0
        self.expected = Expected()
        self.held: dict[str, Held] = {}
        self.outbox: Any = self.backend.open(self.place)
        for dataset in DATASETS:  # or most runs end before anything could be claimed
            self.put(dataset, list(range(8)), 7 * DAY, PERSONS[0])

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
        events = [self.sealed(dataset, f"e{n}", self.wall + lasts, person) for n in ids]
        receipts = self.outbox.put(events, self.wall)
        expected = [Receipt(event.event_id, duplicate=not self.expected.add(event, person)) for event in events]
        assert receipts == expected

    @rule(target=leases, dataset=st.sampled_from(DATASETS), limit=st.integers(1, 6))
    def claim(self, dataset: str, limit: int) -> object:
        lease = self.outbox.claim(dataset, limit, LEASE, self.wall)
        self.expected.wake(dataset, self.wall)
        pending = [k for k in self.expected.pending(dataset) if not k.is_suspect]
        return self.took(lease, dataset, {k.event_id for k in pending if k.due_at is None and not k.is_held}, limit)

    @rule(target=leases, dataset=st.sampled_from(DATASETS), limit=st.integers(1, 6))
    def claim_suspects(self, dataset: str, limit: int) -> object:
        lease = self.outbox.claim_suspects(dataset, limit, LEASE, self.wall)
        self.expected.wake(dataset, self.wall)
        suspects = [k for k in self.expected.pending(dataset) if k.is_suspect]
        return self.took(lease, dataset, {k.event_id for k in suspects if (k.due_at or 0) <= self.wall}, limit)

    def took(self, lease: Any, dataset: str, can_go: set[str], limit: int) -> object:
        """What was claimed is what the model has, as many as there are."""
        claimed = {event.event_id for event in lease.events} if lease else set()
        assert claimed <= can_go and len(claimed) == min(limit, len(can_go))
        if lease is None:
            return multiple()
        assert all(event.intact and event.body for event in lease.events)
        rest = {event.key: self.expected.events[dataset, event.event_id] for event in lease.events}
        for kept in rest.values():
            kept.state = "leased"
        self.held[lease.token] = Held(lease, self.wall, self.boot + LEASE, self.process, rest)
        return lease.token

    @rule(token=leases, choice=st.data())
    def settle(self, token: str, choice: st.DataObject) -> None:
        """Some or all of its events, each with a verdict of its own."""
        held = self.held[token]
        events = choice.draw(st.lists(st.sampled_from(held.lease.events), min_size=1, unique_by=lambda e: e.key))
        settlements = [(choice.draw(st.sampled_from(self.verdicts())), [event]) for event in events]
        attempt = Attempt(at=self.wall, outcome="refused", code=100)
        if not {event.key for event in events} <= held.rest.keys():
            with pytest.raises(LeaseLost):
                self.outbox.settle(held.lease, settlements, attempt, self.wall)
            return
        self.outbox.settle(held.lease, settlements, attempt, self.wall)
        for verdict, (event,) in settlements:
            apply(held.rest.pop(event.key), verdict, self.wall)

    @rule(dataset=st.sampled_from(DATASETS), limit=st.integers(1, 6), choice=st.data())
    def claim_and_settle(self, dataset: str, limit: int, choice: st.DataObject) -> None:
        """In one step, as it nearly always goes: what a rule must wait for is seldom reached."""
        if isinstance(token := self.claim(dataset, limit), str):
            self.settle(token, choice)

    @rule(token=consumes(leases))
    def release(self, token: str) -> None:
        held = self.held[token]
        self.outbox.release(held.lease)
        free(held)

    @rule(token=leases)
    def extend(self, token: str) -> None:
        held = self.held[token]
        if held.rest and held.process == self.process:
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
                free(held)
        waiting, suspects = self.outbox.waiting(self.wall), self.outbox.suspects(self.wall)
        pending = {dataset: self.expected.pending(dataset) for dataset in DATASETS}
        assert set(waiting) == {name for name, kept in pending.items() if any(not one.is_suspect for one in kept)}
        assert set(suspects) == {name for name, kept in pending.items() if any(one.is_suspect for one in kept)}

    @rule()
    def tidy(self) -> None:
        self.outbox.tidy(self.wall)
        for dataset in DATASETS:
            self.expected.wake(dataset, self.wall)

    @rule()
    def prune(self) -> None:
        self.outbox.prune(self.wall)
        for kept in list(self.expected.events.values()):
            if kept.is_over(self.wall):
                is_there = any(story.dataset == kept.dataset for story in self.outbox.find(kept.event_id))
                may_stay = kept.number == self.expected.newest or kept.may_stay(self.wall, self.backend.keeps_longer)
                assert not is_there or may_stay, "only the newest event may stay"
                if not is_there:
                    self.expected.forget(kept)
            if kept.state == "dead" and kept.expires_at < self.wall:
                kept.has_body = False

    @rule(which=st.none() | st.sets(st.integers(0, 30)))
    def replay(self, which: set[int] | None) -> None:
        ids = None if which is None else [f"e{n}" for n in which]
        named = [kept for kept in self.expected.events.values() if ids is None or kept.event_id in ids]
        again = [kept for kept in named if kept.is_replayable(self.wall)]
        assert self.outbox.replay(self.wall, ids) == len(again)
        for kept in again:
            kept.state, kept.is_held, kept.due_at = "pending", False, None

    @rule(n=st.integers(0, 30))
    def find(self, n: int) -> None:
        known = [kept for kept in self.expected.events.values() if kept.event_id == f"e{n}"]
        told = {(story.dataset, story.state) for story in self.outbox.find(f"e{n}")}
        assert told == {(kept.dataset, kept.state) for kept in known}

    @rule(person=st.sampled_from(PERSONS))
    def erase(self, person: str) -> None:
        theirs = [
            kept
            for kept in self.expected.events.values()
            if kept.person == person and kept.state in ("pending", "leased", "dead") and kept.has_body
        ]
        assert self.outbox.erase([person], self.wall) == len(theirs)
        for kept in theirs:
            kept.state, kept.settled_at = "erased", self.wall

    @rule(dataset=st.sampled_from(DATASETS), ids=st.lists(st.integers(0, 30), min_size=1, max_size=8))
    def withdraw(self, dataset: str, ids: list[int]) -> None:
        asked = {f"e{n}" for n in ids}
        theirs = [kept for kept in self.expected.of(dataset) if kept.event_id in asked]
        at_once = [kept for kept in theirs if kept.state in ("pending", "dead")]
        for kept in theirs:
            kept.is_withdrawn |= kept.state == "leased"
        assert self.outbox.withdraw(dataset, sorted(asked), self.wall) == len(at_once)
        for kept in at_once:
            withdraw(kept, self.wall)

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
        self.backend.pass_time(seconds)

    @rule(seconds=st.sampled_from([-8 * DAY, -3_000.0, 3_000.0, 8 * DAY]))
    def the_wall_clock_is_set(self, seconds: float) -> None:
        self.wall += seconds

    @rule()
    def another_machine_takes_over(self) -> None:
        self.outbox.close()
        self.process += 1
        self.outbox = self.backend.open(self.place)

    # -- what always holds ---------------------------------------------------------------------------------------------

    @invariant()
    def the_books_are_the_models(self) -> None:
        books = self.outbox.counts() if hasattr(self, "outbox") else {}
        for dataset in DATASETS if hasattr(self, "outbox") else ():
            expected, book = self.expected.book(dataset), books.get(dataset)
            assert {name: getattr(book, name) if book else 0 for name in expected} == expected
            assert book is None or book.imbalance == 0

    @invariant()
    def every_event_is_on_one_side_of_the_meter(self) -> None:
        sides = self.outbox.deduplication() if hasattr(self, "outbox") else {}
        for dataset in DATASETS if hasattr(self, "outbox") else ():
            meter = sides.get(dataset, {}).get("Lead", SideCounts())
            assert meter.both + meter.server_only == self.expected.book(dataset)["accepted"]
            assert min(meter.both, meter.server_only) >= 0

    # -- what the rules draw from --------------------------------------------------------------------------------------

    def sealed(self, dataset: str, event_id: str, expires_at: float, person: str, padding: int = 0) -> SealedEvent:
        return SealedEvent(
            dataset=dataset,
            event_name="Lead",
            event_id=event_id,
            event_time=int(self.wall),
            expires_at=int(expires_at),
            body=b'{"em":["%s"]}' % person.encode() + b" " * padding,
        )

    def verdicts(self) -> list[Verdict]:
        waits = [RetryAt(self.wall + seconds, "short_count", sent=seconds > 5) for seconds in (0.0, 30.0, 3_000.0)]
        parks = [Park(self.wall + 60, "throttled"), Park(self.wall + 60, "code_1", aside=self.wall + 90)]
        suspects = [Suspect(self.wall), Suspect(self.wall + 60, sent=True)]
        return [Delivered(), Dead("meta_100"), Expired(), Withhold(), Hold("ambiguous_late"), *waits, *parks, *suspects]
