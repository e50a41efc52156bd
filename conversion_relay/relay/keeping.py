"""A Relay's outbox: opened once, put into, asked about visitors."""

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast
from uuid import UUID

import msgspec

from conversion_relay.errors import OutboxUnavailable, leaves_no_variables
from conversion_relay.event import Event, Receipt, SealedEvent
from conversion_relay.event_id import names_no_event, without_email
from conversion_relay.intake.accept import Sender
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from conversion_relay.intake.visit import kept_under, keys_of, visit_of
from conversion_relay.outbox import (
    IN_A_TRANSACTION,
    Joins,
    JoinsAsync,
    Leases,
    Meter,
    Operator,
    Outbox,
    Visits,
    located,
    open_outbox,
    unsupported,
)
from conversion_relay.relay.judge import Judge
from conversion_relay.relay.tracked import consent_as_read, facts_as_read
from conversion_relay.relay.uwsgi import NOT_YET, Later, forks_later
from conversion_relay.settings import Dataset, Settings

if TYPE_CHECKING:
    # A Lambda function that only accepts must not pay for the client that sends.
    from concurrent.futures import Future

    from conversion_relay.relay.background import Background


CLOSED = "this Relay is closed; make another one"
PATCHED = (
    "gevent or eventlet replaced Python's threads after the outbox was opened, so waiting for it would never end; "
    "patch before the Relay is made, with gunicorn in its configuration file or without --preload"
)


class Keeping(Judge):
    """What is judged, kept. Over 150 lines: one method for each thing that a program may ask of the outbox, a few lines
    each."""

    def __init__(self, settings: Settings, outbox: Outbox | None, clock: Callable[[], float]) -> None:
        # Everybody who asks these settings where the outbox is means the file of the start, whatever folder is current.
        super().__init__(msgspec.structs.replace(settings, outbox=located(settings.outbox)), clock)
        self._outbox = outbox
        self._own_outbox: Outbox | None = None
        self._opening, self._kind_of_lock = threading.RLock(), threading.Lock
        self._is_opening = self._is_closed = False
        self._background: Background | Later | None = None

    @property
    def outbox(self) -> Outbox:
        """Opened when first needed, so that a program that only sends directly makes no file."""
        if threading.Lock is not self._kind_of_lock:
            self._follow_patch()
        if self._outbox is None:
            with self._opening:
                if self._is_opening:  # this very thread opens it, and a signal handler came in between
                    raise OutboxUnavailable("the outbox is being opened; a signal handler cannot wait for it")
                if self._outbox is None:
                    self._outbox = self._own_outbox = self._open()
                    if self._is_closed:  # by another thread, which saw none to close
                        self._outbox.close()
                    self._refuse_if_closed()
        return self._outbox

    def _follow_patch(self) -> None:
        """Somebody replaced Python's locks. Greenlets share one thread: a lock from before the patch would stop all of
        them, and whoever is to free it. A profiler that only looks on is no harm."""
        is_green = str(getattr(threading.Lock, "__module__", "")).startswith(("gevent", "eventlet"))
        if is_green and self._own_outbox is not None and self._outbox is self._own_outbox:
            raise OutboxUnavailable(PATCHED)
        self._opening, self._kind_of_lock = threading.RLock(), threading.Lock

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise OutboxUnavailable(CLOSED)

    def _open(self) -> Outbox:
        self._refuse_if_closed()
        if forks_later():
            raise OutboxUnavailable(NOT_YET)
        self._is_opening = True
        try:
            return open_outbox(self.settings.outbox, dataset=self.settings.only_dataset)
        finally:
            self._is_opening = False

    def put(self, events: Sequence[SealedEvent]) -> list[Receipt]:
        """Durable when it returns."""
        return self._outbox_that_is_delivered().put(events, self._clock())

    def put_within(self, connection: Any, events: Sequence[SealedEvent]) -> None:
        """Kept when the transaction of this connection commits, gone when it is rolled back: psycopg's, Django's or
        SQLAlchemy's, to the database of a postgresql:// outbox. Raises UnsupportedByOutbox with any other."""
        if not isinstance(self.outbox, Joins):
            raise unsupported(self.outbox, IN_A_TRANSACTION)
        self.outbox.put_within(connection, events, self._clock())

    async def put_within_async(self, connection: Any, events: Sequence[SealedEvent]) -> None:
        """The same by an asynchronous connection of psycopg or SQLAlchemy."""
        if not isinstance(self.outbox, JoinsAsync):
            raise unsupported(self.outbox, IN_A_TRANSACTION)
        await self.outbox.put_within_async(connection, events, self._clock())

    @property
    def is_collecting(self) -> bool:
        """Whether events are collected for a test, as `testing` does."""
        return getattr(self.outbox, "is_for_tests", False)

    def put_soon(self, events: Sequence[SealedEvent]) -> "Future[list[Receipt]]":
        """The same for an event loop: the future is done after the commit."""
        return self._outbox_that_is_delivered().put_soon(events, self._clock())

    def _outbox_that_is_delivered(self) -> Outbox:
        outbox = self.outbox
        if self._background is not None:
            self._background.ensure()
        return outbox

    @property
    def waits_for_disk_alone(self) -> bool:
        """Whether `put_soon` only submits; a store over the network waits for its answer."""
        return _has(type(self.outbox), Leases)

    @leaves_no_variables
    def remember(
        self,
        key: str | int | UUID,
        facts: RequestFacts,
        consent: Literal["granted", "denied"] | None = None,
        *,
        dataset: Dataset | None = None,
        sender: Sender = "backend",
    ) -> bool:
        """Keep this visit (7 days, 90 with consent) under an order's or registration's id, for the event that a webhook
        brings later. False when the visitor's choice forbids it; then the choice alone is kept. `sender`: a browser's
        own word stands behind yours. Raises OutboxUnavailable when nothing is durable, and ValueError for a key such as
        "" or "None": it is of every order without an id, and one visitor would stand behind another's."""
        named, facts = _named(key), facts_as_read(facts)
        if is_nobodys(named):
            raise ValueError("remember: this key is what stands where an order has no id; give the id once it has one")
        said, vouched = facts.consent if consent is None else consent_as_read(consent), sender == "backend"
        visit = visit_of(facts, said, self._policy(dataset), self._clock(), vouched=vouched)
        if visit is None:
            return False
        outbox = self.outbox
        is_refusal = visit.consent == "denied"
        if not isinstance(outbox, Visits):
            if is_refusal:
                return False
            raise unsupported(outbox, "remember_visitor")
        outbox.remember_visitor(named, visit, self._clock())
        return not is_refusal

    def has_visitors(self) -> bool:
        """Whether `facts_of` may know anybody; costs nothing, so an event loop may ask."""
        outbox = self.outbox
        return _has(type(outbox), Visits) and cast("Visits", outbox).has_visitors()

    @leaves_no_variables
    def facts_of(self, key: str | int | UUID) -> RequestFacts | None:
        """The visit that was remembered under this key, for `track`."""
        named, outbox = _named(key), self.outbox
        is_known = isinstance(outbox, Visits) and not is_nobodys(named)
        visit = cast("Visits", outbox).visitor(named, self._clock()) if is_known else None
        return visit.facts() if visit else None

    @leaves_no_variables
    def facts_for(self, event: Event) -> RequestFacts:
        """The visit behind a backend's event: remembered under its `order_id`, or under what its id names."""
        custom: Any = event.custom_data or {}
        order_id = custom.get("order_id") if isinstance(custom, dict) else custom.order_id or None
        return self.facts_under(keys_of(order_id, event.event_id))

    @leaves_no_variables
    def facts_under(self, keys: Iterable[str]) -> RequestFacts:
        """The first visit under these keys; a refusal under any of them counts before it."""
        found = [facts for key in keys if (facts := self.facts_of(key))]
        return next((facts for facts in found if facts.consent == "denied"), found[0] if found else NO_FACTS)

    def note_pixel(self, dataset: Dataset, pairs: Sequence[tuple[str, str]]) -> "Future[None]":
        """The page's pixel got these (event name, event id); counted when the future is done, where it is counted."""
        outbox = self.outbox
        if _has(type(outbox), Meter):
            return cast("Meter", outbox).note_pixel(dataset.pixel_id, pairs, self._clock())
        from concurrent.futures import Future

        nothing: Future[None] = Future()
        nothing.set_result(None)
        return nothing

    def withdraw(self, dataset: Dataset, event_ids: Sequence[str], also: Sequence[Dataset] = ()) -> int:
        """A visitor takes back what their browser sent and Meta does not have yet, and its copies; how many events.
        `also`: further datasets that the same page may have sent to. Raises UnsupportedByOutbox where the store cannot
        take anything back."""
        outbox = self.outbox
        if not isinstance(outbox, Operator):
            raise unsupported(outbox, "withdraw")
        ids, now = [without_email(i) for i in event_ids], self._clock()
        return sum(outbox.withdraw(one.pixel_id, ids, now) for one in self.settings.with_copies(dataset, *also))

    def _forget_outbox(self) -> None:
        """Closed, and opened anew when it is needed; one that somebody gave stays, as theirs."""
        with self._opening:
            if self._own_outbox is not None and self._outbox is self._own_outbox:
                self._outbox.close()
                self._outbox = self._own_outbox = None

    def swap_outbox(self, outbox: Outbox | None) -> Outbox | None:
        """Use this one from now on (None: open one when needed); the one that was used. For tests."""
        with self._opening:
            before, self._outbox = self._outbox, outbox
        return before


def _named(key: object) -> str:
    """An order's id as a key of the outbox: shops count orders, or name them by UUIDs."""
    if not isinstance(key, str | int | UUID) or isinstance(key, bool):
        raise TypeError(f"a visit is kept under a text, a number or a UUID, not {type(key).__name__}: the order's id")
    return kept_under(str(key))


def is_nobodys(key: str) -> bool:
    """Whether this is what stands where an order has no id yet: one visitor would stand behind all of these."""
    return not key.strip() or names_no_event(key)


@cache
def _has(store: type, part: type) -> bool:
    """Whether this kind of store has that part. Remembered, since `isinstance` with a protocol takes 20 microseconds,
    which is too long for every event of a request."""
    return issubclass(store, part)
