"""The facade a Python program uses: `Relay.from_env().track(Event(...))`.

One Relay serves all threads of a process: outbox and client are opened once, by whoever needs them first, under a lock.
It also survives a fork (gunicorn --preload, multiprocessing). A fork copies locks and connections, and only the one
thread that forked, so a lock that another thread held would stay locked in the child. The child gets a new lock, and
random numbers of its own. Outbox and client look after themselves (`outbox/sqlite/fork.py`, `http_client.py`).
"""

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal, cast

import msgspec

from conversion_relay.errors import InvalidEvent
from conversion_relay.event import Event, Receipt, Rejection, SealedEvent
from conversion_relay.event_id import without_email
from conversion_relay.intake.accept import WITHHELD, Acceptance, Policy, Sender, Submission, accept
from conversion_relay.intake.members import checked
from conversion_relay.intake.reading import read_event
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from conversion_relay.intake.visit import keys_of, visit_of
from conversion_relay.meta.batch import pack
from conversion_relay.outbox import Meter, Operator, Outbox, Visits, open_outbox, unsupported
from conversion_relay.settings import Dataset, Settings

if TYPE_CHECKING:
    # A Lambda function that only accepts must not pay for the client that sends.
    from concurrent.futures import Future

    from conversion_relay.delivery.transport import Transport
    from conversion_relay.meta.graph import Outcome


class Tracked(msgspec.Struct, frozen=True):
    """What became of one event: durable, known already, or withheld because the visitor did not agree."""

    event_id: str | None
    state: Literal["accepted", "duplicate", "withheld"]
    dropped: tuple[str, ...] = ()
    """What was left out of the event or completed, as "path: reason"; never a value."""


class Sent(msgspec.Struct, frozen=True):
    """What Meta said to events that were sent at once, past the outbox."""

    event_ids: tuple[str, ...]
    outcome: "Outcome"

    @property
    def accepted(self) -> bool:
        from conversion_relay.meta.graph import Accepted

        return isinstance(self.outcome, Accepted)


class Relay:
    """Accepts events into the outbox. `serve`, `deliver` or a Lambda function delivers them.

    Over 150 lines: one method for each thing that a program may ask for, a few lines each."""

    def __init__(
        self,
        settings: Settings,
        *,
        outbox: Outbox | None = None,
        transport: "Transport | None" = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._outbox = outbox
        self._transport = transport
        self._clock = clock
        self._opening = threading.Lock()
        self._policies: tuple[Settings, dict[str | None, Policy]] = settings, {}
        self._drawn: Iterator[bytes] = iter(())
        _all_relays.add(self)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Relay":
        """Settings from the environment and RELAY_CONFIG. Raises SettingsError that names what is missing."""
        return cls(Settings.from_env(environ))

    @property
    def outbox(self) -> Outbox:
        """Opened when first needed, so that a program that only sends directly makes no file."""
        if self._outbox is None:
            with self._opening:
                if self._outbox is None:
                    self._outbox = open_outbox(self.settings.outbox, dataset=self.settings.only_dataset)
        return self._outbox

    def track(self, event: Event, facts: RequestFacts = NO_FACTS, *, sender: Sender = "backend") -> Tracked:
        """Durable when it returns. Raises InvalidEvent (field, rule, remedy) and OutboxUnavailable."""
        read = checked(event)
        accepted = read if isinstance(read, Rejection) else self.accept(read, facts, sender=sender)
        if isinstance(accepted, Rejection):
            if accepted.reason in WITHHELD:
                return Tracked(None, "withheld")
            raise InvalidEvent(accepted.reason, accepted.field, accepted.message)
        (receipt,) = self.put([accepted.event])
        state: Literal["duplicate", "accepted"] = "duplicate" if receipt.duplicate else "accepted"
        return Tracked(receipt.event_id, state, accepted.dropped)

    def seal(
        self,
        event: Event | bytes,
        facts: RequestFacts = NO_FACTS,
        *,
        sender: Sender = "backend",
        dataset: Dataset | None = None,
    ) -> SealedEvent | Rejection:
        """The door by itself: hash and judge one event (bytes: its JSON), keep nothing."""
        read = read_event(event) if isinstance(event, bytes) else checked(event)
        if isinstance(read, Rejection):
            return read
        accepted = self.accept(read, facts, sender=sender, dataset=dataset)
        return accepted if isinstance(accepted, Rejection) else accepted.event

    def accept(
        self,
        event: Event,
        facts: RequestFacts = NO_FACTS,
        *,
        sender: Sender = "backend",
        dataset: Dataset | None = None,
    ) -> Acceptance | Rejection:
        """`seal`, with what was left out on the way; for a door that tells its caller so."""
        submission, policy = Submission(event=event, sender=sender), self._policy(dataset)
        entropy = self._entropy() if event.event_id is None else b""
        return accept(submission, facts, policy, now=self._clock(), entropy=entropy)

    def _policy(self, dataset: Dataset | None) -> Policy:
        """Made once for each dataset, and again when the settings have changed."""
        settings, pixel_id = self.settings, dataset.pixel_id if dataset else None
        if self._policies[0] is not settings:
            self._policies = settings, {}
        known = self._policies[1]
        if pixel_id not in known:
            known[pixel_id] = settings.policy(dataset or settings.datasets[0])
        return known[pixel_id]

    def _entropy(self) -> bytes:
        """10 random bytes. Drawn in blocks: at each call into the kernel another thread takes the interpreter."""
        if (piece := next(self._drawn, None)) is None:
            block = os.urandom(1_000)
            piece, *others = [block[i : i + 10] for i in range(0, 1_000, 10)]
            self._drawn = iter(others)
        return piece

    def remember(
        self,
        key: str,
        facts: RequestFacts,
        consent: Literal["granted", "denied"] | None = None,
        *,
        dataset: Dataset | None = None,
    ) -> bool:
        """Keep this visit (7 days, 90 with consent) under an order's or registration's id, for the event that a webhook
        brings later. False when the visitor's choice forbids it. Raises OutboxUnavailable when nothing is durable."""
        visit = visit_of(facts, consent, self._policy(dataset), self._clock())
        if visit is None:
            return False
        outbox = self.outbox
        if not isinstance(outbox, Visits):
            raise unsupported(outbox, "remember_visitor")
        outbox.remember_visitor(without_email(key), visit, self._clock())
        return True

    def has_visitors(self) -> bool:
        """Whether `facts_of` may know anybody; costs nothing, so an event loop may ask."""
        outbox = self.outbox
        return _has(type(outbox), Visits) and cast("Visits", outbox).has_visitors()

    def facts_of(self, key: str) -> RequestFacts | None:
        """The visit that was remembered under this key, for `track`."""
        outbox = self.outbox
        visit = outbox.visitor(without_email(key), self._clock()) if isinstance(outbox, Visits) else None
        return visit.facts() if visit else None

    def facts_for(self, event: Event) -> RequestFacts:
        """The visit behind a backend's event: remembered under its `order_id`, or under what its id names."""
        for key in keys_of((event.custom_data or {}).get("order_id"), event.event_id):
            if facts := self.facts_of(key):
                return facts
        return NO_FACTS

    def put(self, events: Sequence[SealedEvent]) -> list[Receipt]:
        """Durable when it returns."""
        return self.outbox.put(events, self._clock())

    def put_soon(self, events: Sequence[SealedEvent]) -> "Future[list[Receipt]]":
        """The same for an event loop: the future is done after the commit."""
        return self.outbox.put_soon(events, self._clock())

    def note_pixel(self, dataset: Dataset, pairs: Sequence[tuple[str, str]]) -> "Future[None]":
        """The page's pixel got these (event name, event id); counted when the future is done, where it is counted."""
        outbox = self.outbox
        if _has(type(outbox), Meter):
            return cast("Meter", outbox).note_pixel(dataset.pixel_id, pairs, self._clock())
        from concurrent.futures import Future

        nothing: Future[None] = Future()
        nothing.set_result(None)
        return nothing

    def withdraw(self, dataset: Dataset, event_ids: Sequence[str]) -> int:
        """A visitor takes back what their browser sent and Meta does not have yet; how many events. Raises
        UnsupportedByOutbox where the store cannot take anything back."""
        outbox = self.outbox
        if not isinstance(outbox, Operator):
            raise unsupported(outbox, "withdraw")
        return outbox.withdraw(dataset.pixel_id, [without_email(i) for i in event_ids], self._clock())

    def send(
        self, events: Sequence[SealedEvent], *, deadline: float = 5.0, test_event_code: str | None = None
    ) -> list[Sent]:
        """Post now and hear Meta's answer; nothing is stored and nothing is retried."""
        return [
            self._send(batch, dataset, deadline, test_event_code)
            for dataset in self.settings.datasets
            for batch in pack([event for event in events if event.dataset == dataset.pixel_id])
        ]

    def _send(
        self, batch: Sequence[SealedEvent], dataset: Dataset, deadline: float, test_event_code: str | None
    ) -> Sent:
        from conversion_relay.delivery.exchange import post

        outcome = post(
            self._client(), self.settings, dataset, batch, deadline, self._clock, test_event_code=test_event_code
        )
        _say(batch, outcome)
        return Sent(tuple(event.event_id for event in batch), outcome)

    def _client(self) -> "Transport":
        with self._opening:
            if self._transport is None:
                from conversion_relay.delivery.transport import GraphTransport

                self._transport = GraphTransport()
            return self._transport

    def after_fork(self) -> None:
        """Runs in the child of a fork, by the hook at the end of this module."""
        self._opening, self._drawn = threading.Lock(), iter(())  # or parent and child would give the same ids

    def close(self) -> None:
        """Let go of outbox and connections. What was tracked stays durable; tracking more raises OutboxUnavailable."""
        if self._outbox is not None:
            self._outbox.close()
        if self._transport is not None:
            self._transport.close()

    def __enter__(self) -> "Relay":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_all_relays: "weakref.WeakSet[Relay]" = weakref.WeakSet()


def _after_fork() -> None:
    for relay in list(_all_relays):
        relay.after_fork()


os.register_at_fork(after_in_child=_after_fork)


@cache
def _has(store: type, part: type) -> bool:
    """Whether this kind of store has that part. Remembered, since `isinstance` with a protocol takes 20 microseconds,
    which is too long for every event of a request."""
    return issubclass(store, part)


def _say(batch: Sequence[SealedEvent], outcome: "Outcome") -> None:
    """Nobody will try these again, so each gets its sentence now."""
    from conversion_relay.meta.graph import Accepted, Refused
    from conversion_relay.telemetry import Sentences

    sentences = Sentences()
    for event in batch:
        match outcome:
            case Accepted():
                sentences.sent(event.event_name, event.event_id)
            case Refused():
                said = msgspec.to_builtins(outcome.said)
                sentences.failed(event.event_name, event.event_id, why="refused", said=said)
            case _:
                why = getattr(outcome, "why", type(outcome).__name__.lower())
                sentences.error(event.event_name, event.event_id, why=why)
    sentences.flush()
