"""What became of every event, for a person: counts by state, recent events, dead letters, one event's story.

In come an opened `Relay` and a look at each dataset's pace; out come routes that the collector serves under /dashboard.
It reads and changes nothing. It may not know a person: the outbox holds none, and bodies are not shown.

Who may look is decided in `access.py`.
What is shown came from outside, so it is set as text by the page's script, under a content security policy that loads
nothing from elsewhere and runs no inline script.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, NotFoundException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.params import FromPath

from conversion_relay.dashboard.access import Access, Refusal
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.outbox import DeadLetters, Operator, unsupported
from conversion_relay.relay import Relay

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
STATIC = {
    path.name: ({".css": "text/css", ".js": "text/javascript"}[path.suffix], path.read_bytes())
    for path in sorted((HERE / "static").iterdir())
}
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def guard_of(access: Access) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    """A Litestar guard for routes that are about the relay itself."""

    def only_operators(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        if refused := refusal_of(access, connection):
            raise HTTPException(refused.message, status_code=refused.status, headers=refused.headers)

    return only_operators


def refusal_of(access: Access, connection: ASGIConnection[Any, Any, Any, Any]) -> Refusal | None:
    scope = connection.scope
    client = scope.get("client")
    peer = client[0] if client else None
    return access.refusal(scope["headers"], peer, scope.get("http_version", "1.1"))


def dashboard_routes(
    relay: Relay, paces: Callable[[], Mapping[str, PaceNow]], access: Access | None = None
) -> list[Any]:
    """Litestar handlers. `paces`: how fast each dataset is sent now, by dataset id. `access`: who may look."""
    settings = relay.settings
    only_operators = guard_of(access or Access(settings.admin_password.reveal(), settings.trusted_proxies))

    @get("/dashboard", guards=[only_operators], sync_to_thread=False)
    def page() -> Response[str]:
        html = (HERE / "templates" / "dashboard.html").read_text("utf-8")
        return Response(html, media_type="text/html; charset=utf-8", headers=_HEADERS)

    @get("/dashboard/data", guards=[only_operators])
    async def data() -> Response[bytes]:
        return _json(await asyncio.to_thread(_overview, relay, paces()))

    @get("/dashboard/event", guards=[only_operators])
    async def event(request: Request[Any, Any, Any]) -> Response[bytes]:
        outbox = relay.outbox
        if not isinstance(outbox, Operator):
            return _not_carried(str(unsupported(outbox, "find")))
        stories = await asyncio.to_thread(outbox.find, request.query_params.get("id", ""))
        if not stories:
            raise NotFoundException("no event has this id")
        return _json(stories)

    @get("/dashboard/static/{name:str}", guards=[only_operators], sync_to_thread=False)
    def static(name: FromPath[str]) -> Response[bytes]:
        """By a list of names: nothing that is asked for is looked up on the disk."""
        kind, content = STATIC.get(name, ("", b""))
        if not content:
            raise NotFoundException("no such file")
        return Response(content, media_type=kind, headers=_HEADERS)

    handlers: list[HTTPRouteHandler] = [page, data, event, static]
    return handlers


_SHOWN_OF_A_PACE = ("parked_seconds", "why", "clock_skew_seconds", "error_share")
_NOT_SENT_YET = PaceNow(parked_seconds=0.0, why=None, in_flight=0, most_in_flight=0)


def _overview(relay: Relay, paces: Mapping[str, PaceNow]) -> dict[str, Any]:
    outbox = relay.outbox
    books = outbox.counts() if isinstance(outbox, DeadLetters) else {}
    held, recent = (outbox.held(50), outbox.recent(50)) if isinstance(outbox, Operator) else ([], [])
    now = time.time()
    return {
        "now": now,
        "datasets": [
            {
                "dataset": dataset,
                **msgspec.to_builtins(book),
                "imbalance": book.imbalance,
                **{name: getattr(paces.get(dataset, _NOT_SENT_YET), name) for name in _SHOWN_OF_A_PACE},
            }
            for dataset, book in books.items()
        ],
        "recent": recent,
        "dead": held + (outbox.dead(50) if isinstance(outbox, DeadLetters) else []),
    }


def _not_carried(why: str) -> Response[bytes]:
    """This kind of outbox cannot show it."""
    answer = _json({"reason": "not_supported", "field": "outbox", "message": why})
    answer.status_code, answer.headers["X-Relay-Reason"] = 501, "not_supported"
    return answer


def _json(value: object) -> Response[bytes]:
    return Response(msgspec.json.encode(value), media_type="application/json", headers=_HEADERS)
