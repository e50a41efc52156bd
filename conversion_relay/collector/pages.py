"""What is under /dashboard, as an ASGI application that is made when somebody first asks for it.

What pages are made with (Litestar, Jinja2) takes as long to load as all the rest of a start, and half as much memory.
Most processes of a fleet never show a page. So the first request for a page loads it, in another thread, while events
are taken. Whether the packages are there is asked at the start: who installed too little hears of it then.
"""

import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from conversion_relay.collector.reply import Receive, Send, headless, not_durable, written
from conversion_relay.collector.unhandled import note_failure
from conversion_relay.dashboard.changes import MOST_BYTES
from conversion_relay.dashboard.credentials import without_credentials
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.relay.threads import in_thread

if TYPE_CHECKING:
    from litestar import Litestar, Response

LOADED_LATE = ("litestar", "jinja2", "prometheus_client")


class Pages:
    """An ASGI application."""

    def __init__(self, routes: Callable[[], list[Any]]) -> None:
        """`routes` loads and makes them. Raises ModuleNotFoundError for a package that will be needed."""
        for name in LOADED_LATE:
            if find_spec(name) is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        self._routes = routes
        self._app: Litestar | None = None
        self._lock = threading.Lock()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        app: Any = self._app or await self._loaded()
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif scope["method"] == "HEAD":
            # Load balancers and watchers of uptime ask with it, and Litestar's routes do not answer it.
            await app({**without_credentials(scope), "method": "GET"}, receive, headless(send))
        else:
            await app(without_credentials(scope), receive, send)

    async def _loaded(self) -> "Litestar":
        try:
            return await in_thread(self._made)
        except OutboxUnavailable:  # short of threads: the route itself says so
            return self._made()

    def _made(self) -> "Litestar":
        with self._lock:
            if self._app is None:
                self._app = self._new()
            return self._app

    def _new(self) -> "Litestar":
        from litestar import Litestar

        return Litestar(
            route_handlers=self._routes(),
            after_exception=[_note_failure],
            exception_handlers={OutboxUnavailable: _unavailable},
            request_max_body_size=MOST_BYTES,  # Litestar's own is 10 MB, of anybody who has no password
            openapi_config=None,
            logging_config=None,
        )


def _unavailable(_: Any, error: OutboxUnavailable) -> "Response[Any]":
    from litestar import Response

    answer = written(not_durable(str(error)))
    return Response(answer.body, status_code=answer.status, headers=dict(answer.headers), media_type="application/json")


async def _note_failure(error: Exception, _: Any) -> None:
    """Litestar answers by itself whatever a route raises, and says nothing."""
    if getattr(error, "status_code", 500) >= 500:
        note_failure(error)
