"""What became of every event, for a person: counts by state, recent events, dead letters, one event's story.

In come an opened `Relay` and a look at each dataset's pace; out come routes that the collector serves under /dashboard.
It reads and changes nothing. It may not know a person: the outbox holds none, and bodies are not shown.

Who may look. With RELAY_ADMIN_PASSWORD: who knows it (HTTP Basic, any user name). Without: this machine alone. "This
machine" takes three signs, because a page on the web can point its own host name at 127.0.0.1 (DNS rebinding) and a
proxy on this machine makes every visitor look local: the peer is a loopback address, the Host header is a name of this
machine, and no X-Forwarded-For came along.
What is shown came from outside, so it is set as text by the page's script, under a content security policy that loads
nothing from elsewhere and runs no inline script.
"""

import asyncio
import base64
import binascii
import hmac
import ipaddress
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, NotFoundException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.static_files import create_static_files_router

from conversion_relay.delivery.pace import PaceNow
from conversion_relay.outbox import DeadLetters, Operator, unsupported
from conversion_relay.relay import Relay

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def dashboard_routes(relay: Relay, paces: Callable[[], Mapping[str, PaceNow]]) -> list[Any]:
    """Litestar handlers. `paces`: how fast each dataset is sent now, by dataset id."""
    password = relay.settings.admin_password.reveal()

    def only_operators(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        if password:
            if not _knows(password, connection.headers.get("authorization", "")):
                raise NotAuthorizedException(headers={"WWW-Authenticate": 'Basic realm="Conversion Relay"'})
        elif not _is_local(connection):
            raise PermissionDeniedException("set RELAY_ADMIN_PASSWORD to open the dashboard to other machines")

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

    static = create_static_files_router(path="/dashboard/static", directories=[HERE / "static"])
    handlers: list[HTTPRouteHandler] = [page, data, event]
    return [*handlers, static]


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
                "parked_seconds": pace.parked_seconds if (pace := paces.get(dataset)) else 0.0,
                "why": pace.why if (pace := paces.get(dataset)) else None,
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


def _knows(password: str, authorization: str) -> bool:
    scheme, _, credentials = authorization.partition(" ")
    try:
        given = base64.b64decode(credentials, validate=True).partition(b":")[2]
    except binascii.Error:
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(given, password.encode())


def _is_local(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether the request comes from this machine, by a name of this machine, and through no proxy."""
    peer = connection.client.host if connection.client else ""
    host = connection.headers.get("host", "").rpartition(":")[0].strip("[]") or connection.headers.get("host", "")
    try:
        local_peer = ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
    return local_peer and host in ("localhost", "127.0.0.1", "::1") and "x-forwarded-for" not in connection.headers
