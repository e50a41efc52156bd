"""The facade a Python program uses: `Relay.from_env().track(Event(...))`.

One Relay serves all threads of a process: outbox and client are opened once, by whoever needs them first, under a
lock. It also survives a fork (gunicorn --preload, multiprocessing, Celery). A fork copies locks and connections, and
only the one thread that forked, so a lock that another thread held would stay locked in the child. The child gets a new
lock, and random numbers of its own. Outbox and client look after themselves (`outbox/sqlite/fork.py`,
`http_client.py`); who delivers in the background is started anew (`background.py`). A Relay does not travel by pickle:
where processes are spawned, each makes its own.

An event loop awaits `track_async`: the file is opened in a thread, and the outbox completes a future at the commit.

Beside it: `judge.py` and `keeping.py` (the door and the outbox by themselves), `tracked.py` (answers), `background.py`
(delivery in this process), `at_once.py` (past the outbox), `in_test.py` (collects instead of keeping).
"""

import atexit
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn, Self

from conversion_relay.errors import InvalidEvent, leaves_no_variables
from conversion_relay.event import Event, Rejection, SealedEvent
from conversion_relay.intake.accept import WITHHELD, Sender
from conversion_relay.intake.built import checked
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from conversion_relay.outbox import Outbox
from conversion_relay.relay.copies import Judged
from conversion_relay.relay.keeping import Keeping
from conversion_relay.relay.tracked import Copied, Sent, Tracked, facts_as_read, refuse_misuse, refuse_settings
from conversion_relay.relay.uwsgi import Later, forks_later
from conversion_relay.settings import Dataset, Settings

if TYPE_CHECKING:
    # A Lambda function that only accepts must not pay for the client that sends.
    from conversion_relay.delivery.transport import Transport
    from conversion_relay.relay.in_test import RelayInTest

__all__ = ["NO_FACTS", "Copied", "Relay", "Sent", "Tracked"]
AT_ONCE = 1_000  # events of one commit of `track_many`


class Relay(Keeping):
    """Accepts events into the outbox. Who delivers: `deliver=True`, the verbs `deliver` and `serve`, a Lambda function.

    Over 150 lines: one method for each thing that a program may ask for, a few lines each."""

    def __init__(
        self,
        settings: Settings,
        *,
        outbox: Outbox | None = None,
        transport: "Transport | None" = None,
        clock: Callable[[], float] = lambda: time.time(),  # noqa: PLW0108 - freezegun replaces it
        deliver: bool = False,
    ) -> None:
        """`deliver`: as of `start_delivery`."""
        refuse_settings(settings)
        super().__init__(settings, outbox, clock)
        self._transport = transport
        self._delivery_watches: bool | None = None  # None: nobody asked for delivery
        _all_relays.add(self)
        if deliver:
            self.start_delivery()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, deliver: bool = False) -> "Relay":
        """Settings from the environment and RELAY_CONFIG. Raises SettingsError that names what is missing."""
        if not isinstance(environ, Mapping | None):
            raise TypeError(f"from_env takes a mapping such as os.environ, or nothing, not {type(environ).__name__}")
        try:
            relay = cls(Settings.from_env(environ))
        finally:
            watches, environ = environ is None, None  # as in `Settings.from_env`: an error page would show it
        if deliver:
            relay.start_delivery(watches=watches)
        return relay

    def start_delivery(self, *, watches: bool = False) -> None:
        """Deliver in threads of this process, from now until `close`; also what waits from before.

        `watches`: a token file that the environment names is read again when it changes. Raises UnsupportedByOutbox
        for a store whose events others deliver."""
        from conversion_relay.relay.background import Background

        self._refuse_if_closed()
        self._delivery_watches = watches
        if self._outbox is None and forks_later():
            self._background = Later(self, watches)
            return
        outbox = self.outbox
        if getattr(outbox, "is_for_tests", False):  # a program under test may ask for delivery; nobody delivers there
            return
        with self._opening:
            if not isinstance(self._background, Background):
                self._background = Background(self.settings, outbox, self._clock, watches=watches, use=self.use)
        self._background.ensure()
        if self._is_closed:  # by another thread, which saw nobody to stop
            self._background.stop()

    @leaves_no_variables
    def track(
        self,
        event: Event,
        facts: RequestFacts | None = NO_FACTS,
        *,
        sender: Sender = "backend",
        connection: object | None = None,
        datasets: Sequence[str] = (),
        is_test: bool = False,
    ) -> Tracked:
        """Durable when it returns. Raises InvalidEvent (field, rule, remedy) and OutboxUnavailable.

        `connection`: as of `put_within`; the event is durable when its transaction commits, and `pending` until then.
        `datasets`: pixel ids, by default that of the first dataset; further ones get a copy, and so do those that
        RELAY_COPIES_TO of each names (`Tracked.copies`). `is_test`: copies go only where META_TEST_EVENT_CODE is set.
        `facts`: None where nobody is known. In an event loop await `track_async`: this one waits for the disk."""
        judged = self.judge(event, facts, sender, datasets, is_test=is_test)
        if not (sealed := judged.events):
            return judged.told(None)
        if connection is not None:
            self.put_within(connection, sealed)
            return judged.told(None)
        return judged.told(iter(self.put(sealed)))

    @leaves_no_variables
    async def track_async(
        self,
        event: Event,
        facts: RequestFacts | None = NO_FACTS,
        *,
        sender: Sender = "backend",
        connection: object | None = None,
        datasets: Sequence[str] = (),
    ) -> Tracked:
        """`track` that never blocks the event loop. A caller that is cancelled meanwhile takes nothing back.
        `connection`: an asynchronous one of psycopg or SQLAlchemy."""
        import asyncio

        from conversion_relay.relay.threads import in_thread, loop_of_asyncio

        judged, loop = self.judge(event, facts, sender, datasets), loop_of_asyncio()
        if not (sealed := judged.events):
            return judged.told(None)
        if self._outbox is None:
            await in_thread(lambda: self.outbox)
        if connection is not None:
            await self.put_within_async(connection, sealed)
            return judged.told(None)
        if self.waits_for_disk_alone:
            put = asyncio.wrap_future(self.put_soon(sealed), loop=loop)
        else:
            put = asyncio.ensure_future(in_thread(self.put, sealed))
        return judged.told(iter(await asyncio.shield(put)))

    @leaves_no_variables
    def track_many(
        self,
        events: Iterable[Event],
        facts: RequestFacts | None = NO_FACTS,
        *,
        sender: Sender = "backend",
        datasets: Sequence[str] = (),
    ) -> list[Tracked]:
        """Durable when it returns, with one commit for each 1,000 events; an answer for each, in their order.

        One bad event costs no other: its answer says `refused` and why. Raises OutboxUnavailable; to track all of them
        again is safe where they have ids of your own."""
        if isinstance(events, Event):
            raise TypeError("track_many takes events in a list, or from a generator; track takes one")
        found = self.datasets_of(datasets)
        asked = [self._asked(event, facts, sender, found) for event in events]
        told: list[Tracked] = []
        for first in range(0, len(asked), AT_ONCE):
            step = asked[first : first + AT_ONCE]
            sealed = [event for one in step for event in one.events]  # an event and its copies in one commit
            receipts = iter(self.put(sealed) if sealed else ())
            told += [one.told(receipts) for one in step]
        return told

    def _asked(self, event: Event, facts: RequestFacts | None, sender: Sender, datasets: Sequence[Dataset]) -> Judged:
        refuse_misuse(event, sender)
        read, facts = checked(event), facts_as_read(NO_FACTS if facts is None else facts)
        if isinstance(read, Rejection):
            return Judged(read)
        own = self.accept(read, facts, sender=sender, dataset=datasets[0])
        if len(datasets) == 1:
            return Judged(own)
        return Judged(own, self.copies_of(read, facts, sender=sender, datasets=datasets[1:], own=own))

    def judge(
        self,
        event: Event,
        facts: RequestFacts | None = NO_FACTS,
        sender: Sender = "backend",
        datasets: Sequence[str] = (),
        *,
        is_test: bool = False,
    ) -> Judged:
        """What `track` does before it keeps an event: hash and judge. For whoever keeps it later, with a transaction:
        all of `Judged.events` in one put.

        A visitor who did not agree is a Rejection; raises InvalidEvent for any other that leaves nothing to keep."""
        asked = self._asked(event, facts, sender, self.datasets_of(datasets, is_test=is_test))
        own = asked.own
        if isinstance(own, Rejection) and own.reason not in WITHHELD and not asked.events:
            raise InvalidEvent(own.reason, own.field, own.message)
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
        for opened in (self._outbox, self._transport):
            if opened is not None:
                opened.close()

    def reopen(self) -> None:
        """After `close`: the file is opened anew when it is needed, and who delivered delivers again. Nothing for a
        Relay that is open. For an application that starts twice in one process, as its tests do."""
        if not self._is_closed:
            return
        self._is_closed, self._background = False, None
        self._forget_outbox()
        if self._delivery_watches is not None:
            self.start_delivery(watches=self._delivery_watches)

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
    with contextlib.ExitStack() as stack:  # one that cannot be closed keeps no other from it
        for relay in all_relays():
            stack.callback(relay.close)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close_all)
