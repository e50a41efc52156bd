"""Django: INSTALLED_APPS += ["conversion_relay.frameworks.django"], and two lines in a view.

    from conversion_relay.frameworks.django import track

    def checkout(request):
        with transaction.atomic():
            order = Order.objects.create(...)
            tracked = track(request, Event(event_name="Purchase", event_id=f"purchase_{order.pk}", ...))
        return render(request, "thanks.html", {"order": order, "tracked": tracked})

What could go wrong. An event that is kept inside a transaction tells Meta of an order that was rolled back. An event
that is judged after the commit raises where nobody can mend it, and its time is later than the order's.

The rule. The event is judged and hashed at once, so a mistake in it is the view's; it is kept when the transaction has
committed. Without a transaction it is durable when `track` returns. All of it is true of `request.visitor.track`, too.
When it cannot be kept after the commit, the order stands, and an error line of the log names the event. An outbox in
the program's own database (OUTBOX_DATABASE) joins the transaction: order and event are stored together or not at all,
also when the process dies in between.

Settings: `CONVERSION_RELAY = {...}` in Django's settings (`conf.py`), and the environment for everything else.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from conversion_relay.errors import OutboxUnavailable, leaves_no_variables
from conversion_relay.event import Event, SealedEvent
from conversion_relay.frameworks.django.conf import consent_cookie, get_relay, given
from conversion_relay.frameworks.visitor import Visitor, visitor_of_environ
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from conversion_relay.relay import Relay, Tracked
from conversion_relay.telemetry import logger

if TYPE_CHECKING:
    from django.http import HttpRequest

__all__ = ["get_relay", "keep", "track", "track_async", "visitor"]
NOT_KEPT = "An event could not be kept after its transaction had committed"


class DjangoVisitor(Visitor):
    """`request.visitor`: one whose events wait for the view's transaction."""

    def track(self, event: Event, *, using: str | None = None) -> Tracked:
        """As the module's `track`."""
        alias = _in_transaction(using)
        if alias is None:
            return super().track(event)
        judged = self.relay.judge(event, self.facts)
        if sealed := judged.events:
            keep(self.relay, sealed, alias)
        return judged.told(None)


@leaves_no_variables
def visitor(request: "HttpRequest | RequestFacts | None") -> DjangoVisitor:
    """Who asks: address through trusted proxies, browser, click, page, consent. None: nobody does, as in a task.
    Facts: who asked before, as `get_relay().facts_of(key)` has them."""
    if request is None or isinstance(request, RequestFacts):
        return DjangoVisitor(get_relay(), request or NO_FACTS)
    environ = {**request.META, "wsgi.url_scheme": request.scheme}
    found = visitor_of_environ(get_relay(), environ, consent_cookie())
    return DjangoVisitor(found.relay, found.facts)


def track(request: "HttpRequest | RequestFacts | None", event: Event, *, using: str | None = None) -> Tracked:
    """Kept when the transaction commits, at once where there is none. `using` is the alias of its database; without
    it the outbox's own is looked at first, the default one second, then the others. Raises InvalidEvent in either case
    at once. `status` is "pending" inside a transaction.

    `request` is None in a task, a command, a signal's receiver: `get_relay().track` would know no transaction there.
    None says nothing of consent; a visit that was remembered does: `track(get_relay().facts_of(key), event)`."""
    return visitor(request).track(event, using=using)


async def track_async(request: "HttpRequest | RequestFacts | None", event: Event) -> Tracked:
    """For an asynchronous view, which has no transaction: durable when it was awaited."""
    return await visitor(request).track_async(event)


def _in_transaction(using: str | None) -> str | None:
    """The database whose transaction the event waits for; None where there is none. A shop with routers has its orders
    in a database that the view does not name: to look at the default one alone would tell of what is rolled back."""
    if using:
        return using if transaction.get_connection(using).in_atomic_block else None
    opened = [one.alias for one in connections.all(initialized_only=True) if one.in_atomic_block]
    first = (given().get("OUTBOX_DATABASE"), DEFAULT_DB_ALIAS)
    return next((alias for alias in (*first, *opened) if alias in opened), None)


def keep(relay: Relay, events: Sequence[SealedEvent], using: str | None) -> None:
    """In the transaction itself where the outbox is in its database; else when it has committed. Never when it is
    rolled back."""
    alias = using or DEFAULT_DB_ALIAS
    if alias == given().get("OUTBOX_DATABASE") and not relay.is_collecting:  # a test's database has no outbox
        relay.put_within(connections[alias], events)
        return
    transaction.on_commit(partial(_put, relay, events), using=using, robust=True)


def _put(relay: Relay, events: Sequence[SealedEvent]) -> None:
    try:
        relay.put(events)
    except OutboxUnavailable as error:
        event = events[0]
        logger.error(NOT_KEPT, extra={"event": event.event_name, "event_id": event.event_id, "reason": str(error)})
