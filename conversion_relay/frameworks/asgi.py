"""Any ASGI program: a middleware that reads the visitor, and a lifespan that delivers.

    relay = Relay.from_env(deliver=True)
    app = FastAPI(lifespan=lifespan(relay))
    app.add_middleware(Conversions, relay=relay, consent=ConsentCookie("marketing"))

A handler asks for the visitor with `visitor(request)`, whatever the framework's request is: it has a `scope`.
`frameworks/starlette.py` and `frameworks/litestar.py` have the dependency in their framework's own form.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from conversion_relay.errors import leaves_no_variables
from conversion_relay.frameworks.visitor import ConsentCookie, Visitor, cookie_of, visitor_of_scope
from conversion_relay.relay import Relay
from conversion_relay.relay.threads import in_thread

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
KEY = "conversion_relay.visitor"


class HasScope(Protocol):
    """A request of some ASGI framework, or its WebSocket."""

    @property
    def scope(self) -> Any: ...


class Conversions:
    """Middleware: each HTTP request and WebSocket knows its visitor. Reads headers alone, so it delays nothing."""

    def __init__(self, app: App, relay: Relay, consent: ConsentCookie | str | None = None) -> None:
        self._app, self._relay, self._consent = app, relay, cookie_of(consent)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] in ("http", "websocket"):
                scope[KEY] = visitor_of_scope(self._relay, scope, self._consent)
            await self._app(scope, receive, send)
        finally:
            del scope, receive, send  # a report of an error shows the variables of this frame, too


@leaves_no_variables
def visitor(request: HasScope) -> Visitor:
    """The visitor of this request. Raises RuntimeError where the middleware is missing."""
    return visitor_in(request.scope)


@leaves_no_variables
def visitor_in(scope: Scope) -> Visitor:
    """The same, where a framework gives the scope itself."""
    found = scope.get(KEY)
    if not isinstance(found, Visitor):
        raise RuntimeError("no visitor here: add the middleware conversion_relay.frameworks.asgi.Conversions")
    return found


def lifespan(relay: Relay) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """For a framework's `lifespan`: the outbox is opened before the first request, and closed after the last.

    Both wait for the disk, so they run in threads. Where the Relay delivers, what is in flight is finished. An
    application that starts again in the same process, as a test's client has it do, opens it again."""

    @asynccontextmanager
    async def running(app: Any) -> AsyncIterator[None]:
        await in_thread(relay.reopen)
        await in_thread(lambda: relay.outbox)
        try:
            yield
        finally:
            await asyncio.to_thread(relay.close)

    return running
