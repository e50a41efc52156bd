"""The facade a Python program uses: `Relay.from_env().track(Event(...))`.

One Relay serves all threads of a process: outbox and client are opened once, by whoever needs them first, under a
lock. It also survives a fork (gunicorn --preload, multiprocessing, Celery). A fork copies locks and connections, and
only the one thread that forked, so a lock that another thread held would stay locked in the child. The child gets a new
lock, and random numbers of its own. Outbox and client look after themselves (`outbox/sqlite/fork.py`,
`http_client.py`); who delivers in the background is started anew (`background.py`). A Relay does not travel by pickle:
where processes are spawned, each makes its own.

An event loop awaits `track_async`: the file is opened in a thread, and the commit is a future that the outbox
completes.

Beside it: `judge.py` and `keeping.py` (the door and the outbox by themselves), `tracked.py` (answers), `background.py`
(delivery in this process), `at_once.py` (past the outbox), `in_test.py` (collects instead of keeping). This room knows
no framework; `frameworks/` does.
"""

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, Self

from conversion_relay.errors import InvalidEvent
from conversion_relay.event import Event, Receipt, Rejection, SealedEvent
from conversion_relay.intake.accept import WITHHELD, Acceptance, Sender
from conversion_relay.intake.members import checked
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from conversion_relay.outbox import Outbox
from conversion_relay.relay.keeping import Keeping
from conversion_relay.relay.tracked import Sent, Tracked, not_kept, refuse_misuse
from conversion_relay.settings import Settings

if TYPE_CHECKING:
    # A Lambda function that only accepts must not pay for the client that sends.
    from conversion_relay.delivery.transport import Transport
    from conversion_relay.relay.in_test import RelayInTest

__all__ = ["NO_FACTS", "Relay", "Sent", "Tracked"]
AT_ONCE = 1_000
"""Events of one commit of `track_many`."""


class Relay(Keeping):
    """Accepts events into the outbox. Who delivers: `deliver=True`, the verbs `deliver` and `serve`, a Lambda function.

    Over 150 lines: one method for each thing that a program may ask for, a few lines each."""

    def __init__(
        self,
        settings: Settings,
        *,
        outbox: Outbox | None = None,
        transport: "Transport | None" = None,
        clock: Callable[[], float] = time.time,
        deliver: bool = False,
    ) -> None:
        """`deliver`: as of `start_delivery`."""
        super().__init__(settings, outbox, clock)
        self._transport = transport
        _all_relays.add(self)
        if deliver:
            self.start_delivery()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, deliver: bool = False) -> "Relay":
        """Settings from the environment and RELAY_CONFIG. Raises SettingsError that names what is missing."""
        relay = cls(Settings.from_env(environ))
        if deliver:
            relay.start_delivery(watches=environ is None)
        return relay

    def start_delivery(self, *, watches: bool = False) -> None:
        """Deliver in threads of this process, from now until `close`; also what waits from before.

        `watches`: a token file that the environment names is read again when it changes. Raises UnsupportedByOutbox
        for a store whose events others deliver."""
        from conversion_relay.relay.background import Background

        outbox = self.outbox
        if getattr(outbox, "is_for_tests", False):  # a program under test may ask for delivery; nobody delivers there
            return
        with self._opening:
            self._background = self._background or Background(self.settings, outbox, self._clock, watches=watches)
        self._background.ensure()

    def track(
        self,
        event: Event,
        facts: RequestFacts = NO_FACTS,
        *,
        sender: Sender = "backend",
        connection: object | None = None,
    ) -> Tracked:
        """Durable when it returns. Raises InvalidEvent (field, rule, remedy) and OutboxUnavailable.

        `connection`: as of `put_within`; the event is durable when its transaction commits, and `pending` until then.
        In an event loop await `track_async`: this one waits for the disk."""
        acceptance = self.let_in(event, facts, sender)
        if isinstance(acceptance, Rejection):
            return _withheld(acceptance)
        if connection is not None:
            self.put_within(connection, [acceptance.event])
            return Tracked(acceptance.event.event_id, "pending", acceptance.dropped)
        (receipt,) = self.put([acceptance.event])
        return _durable(receipt, acceptance)

    async def track_async(self, event: Event, facts: RequestFacts = NO_FACTS, *, sender: Sender = "backend") -> Tracked:
        """`track` that never blocks the event loop. A caller that is cancelled meanwhile takes nothing back."""
        import asyncio

        acceptance = self.let_in(event, facts, sender)
        if isinstance(acceptance, Rejection):
            return _withheld(acceptance)
        if self._outbox is None:
            await asyncio.to_thread(lambda: self.outbox)
        if self.waits_for_disk_alone:
            put = asyncio.wrap_future(self.put_soon([acceptance.event]))
        else:
            put = asyncio.ensure_future(asyncio.to_thread(self.put, [acceptance.event]))
        (receipt,) = await asyncio.shield(put)
        return _durable(receipt, acceptance)

    def track_many(
        self, events: Iterable[Event], facts: RequestFacts = NO_FACTS, *, sender: Sender = "backend"
    ) -> list[Tracked]:
        """Durable when it returns, with one commit for each 1,000 events; an answer for each, in their order.

        One bad event costs no other: its answer says `refused` and why. Raises OutboxUnavailable; to track all of them
        again is safe where they have ids of your own."""
        accepted = [self._asked(event, facts, sender) for event in events]
        sealed = [one.event for one in accepted if isinstance(one, Acceptance)]
        steps = [sealed[first : first + AT_ONCE] for first in range(0, len(sealed), AT_ONCE)]
        receipts = iter([receipt for step in steps for receipt in self.put(step)])
        return [
            _durable(next(receipts), one)
            if isinstance(one, Acceptance)
            else not_kept(one, "withheld" if one.reason in WITHHELD else "refused")
            for one in accepted
        ]

    def _asked(self, event: Event, facts: RequestFacts, sender: Sender) -> Acceptance | Rejection:
        refuse_misuse(event, facts)
        read = checked(event)
        return read if isinstance(read, Rejection) else self.accept(read, facts, sender=sender)

    def let_in(
        self, event: Event, facts: RequestFacts = NO_FACTS, sender: Sender = "backend"
    ) -> Acceptance | Rejection:
        """What `track` does before it keeps an event: hash and judge. For whoever keeps it later, with a transaction.

        A visitor who did not agree is a Rejection; raises InvalidEvent for any other."""
        asked = self._asked(event, facts, sender)
        if isinstance(asked, Rejection) and asked.reason not in WITHHELD:
            raise InvalidEvent(asked.reason, asked.field, asked.message)
        return asked

    def send(
        self, events: Sequence[SealedEvent], *, deadline: float = 5.0, test_event_code: str | None = None
    ) -> list[Sent]:
        """Post now and hear Meta's answer; nothing is stored and nothing is retried. `deadline` in seconds."""
        from conversion_relay.relay.at_once import send_at_once

        client, code = self._client(), test_event_code
        return send_at_once(events, self.settings, client, self._clock, deadline=deadline, test_event_code=code)

    def _client(self) -> "Transport":
        with self._opening:
            if self._transport is None:
                from conversion_relay.delivery.transport import GraphTransport

                self._transport = GraphTransport()
            return self._transport

    if TYPE_CHECKING:  # for checkers: it is called on the class and on a Relay, with nothing

        @staticmethod
        def testing() -> "RelayInTest": ...

    else:

        def testing(self=None):
            """Collect events instead of keeping them: `with relay.testing() as collected:` for this Relay until the
            block ends; `Relay.testing()` for a new one that needs no settings. They are in `collected.events`."""
            from conversion_relay.relay.in_test import RelayInTest

            return RelayInTest(self)

    def after_fork(self) -> None:
        """Runs in the child of a fork, by the hook at the end of this module."""
        self._opening, self._drawn = threading.RLock(), iter(())  # or parent and child would give the same ids
        self._is_opening = False
        if self._background is not None:
            self._background.after_fork_in_child()

    def close(self) -> None:
        """Let go of outbox and connections. What was tracked stays durable; tracking more raises OutboxUnavailable."""
        self._is_closed = True
        if self._background is not None:
            self._background.stop()
        if self._outbox is not None:
            self._outbox.close()
        if self._transport is not None:
            self._transport.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Relay does not travel to another process; make one there with Relay.from_env()")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_all_relays: "weakref.WeakSet[Relay]" = weakref.WeakSet()


def all_relays() -> list[Relay]:
    """Those of this process that somebody still holds."""
    return list(_all_relays)


def _after_fork() -> None:
    for relay in all_relays():
        relay.after_fork()


def _close_all() -> None:
    for relay in all_relays():
        relay.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close_all)


def _durable(receipt: Receipt, acceptance: Acceptance) -> Tracked:
    return Tracked(receipt.event_id, "duplicate" if receipt.duplicate else "accepted", acceptance.dropped)


def _withheld(rejection: Rejection) -> Tracked:
    return not_kept(rejection, "withheld")
