"""The collector as one ASGI application."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.exceptions.responses import create_exception_response

from conversion_relay.collector.dataset_limits import EventLimits
from conversion_relay.collector.door import Admitted, Door, Handle, headers_of
from conversion_relay.collector.events import EventsEndpoint
from conversion_relay.collector.limits import holder_of
from conversion_relay.collector.metrics import render
from conversion_relay.collector.openapi import document
from conversion_relay.collector.operating import last_day, operating
from conversion_relay.collector.places import Places
from conversion_relay.collector.reply import ErrorBody, HttpError, Receive, Reply, Send, not_durable, respond, written
from conversion_relay.collector.scripts import NAMES, Script, scripts, show
from conversion_relay.collector.unhandled import note_failure
from conversion_relay.collector.view_content import ViewContentEndpoint
from conversion_relay.collector.visitors import VisitorsEndpoint
from conversion_relay.collector.webhooks import PREFIX, WebhooksEndpoint
from conversion_relay.collector.whole import Whole
from conversion_relay.dashboard import access_of, dashboard_routes, guard_of, refusal_of
from conversion_relay.dashboard.changes import MOST_BYTES
from conversion_relay.dashboard.credentials import without_credentials
from conversion_relay.dashboard.figures import Memory
from conversion_relay.delivery.installation import known
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.errors import OutboxUnavailable, leaves_no_variables
from conversion_relay.outbox import DeadLetters, Meter, Operator, Overview, Queue, Visits, unsupported
from conversion_relay.relay import Relay
from conversion_relay.relay.threads import in_thread
from conversion_relay.settings import Settings
from conversion_relay.telemetry import Counters
from conversion_relay.webhooks import Webhooks

PATHS = (
    *("/events", "/visitors", "/withdraw", "/livez", "/readyz", "/metrics", "/openapi.json", "/dashboard"),
    *(f"/{name}" for name in NAMES),
)
"""What is the collector's where it shares a port with a site. `/view-content` and `/webhooks` are then the site's, for
it knows the orders."""
NEEDS: tuple[tuple[str, type, str], ...] = (
    ("/visitors", Visits, "remember_visitor"),
    ("/withdraw", Operator, "withdraw"),
    ("/dashboard/event", Operator, "find"),
)
"""Routes that not every outbox can carry: what it must be, and the verb that the route is about."""


def not_carried(outbox: Queue) -> list[str]:
    """Routes that this outbox cannot carry; they answer 501 with the reason."""
    return [route for route, part, _ in NEEDS if not isinstance(outbox, part)]


def no_paces() -> dict[str, PaceNow]:
    """Delivery runs elsewhere."""
    return {}


class Collector:
    """An ASGI application. `whole`: what our own server need not go through ASGI for, by the URL's bytes."""

    def __init__(
        self,
        relay: Relay,
        counters: Counters,
        paces: Callable[[], dict[str, PaceNow]],
        places: Callable[[str], Places],
        counters_of_all: Callable[[], Counters],
    ) -> None:
        limits = EventLimits.kept_in(places)
        self._door = Door(relay, counters, limits.buckets)
        events, visitors = EventsEndpoint(relay, counters, limits), VisitorsEndpoint(relay, counters, limits.visits)
        posts: dict[str, Handle] = {"/events": events.post, "/visitors": visitors.post, "/withdraw": visitors.withdraw}
        posts["/view-content"] = ViewContentEndpoint(events).post
        posts |= {route: _refuse(relay.outbox, route) for route in not_carried(relay.outbox) if route in posts}
        self._posts = posts
        self._looks = {"/livez": b'{"status":"alive"}', "/openapi.json": msgspec.json.encode(document())}
        self._scripts = {f"/{name}": script for name, script in scripts().items()}
        self._rest = _rest(relay, paces, counters_of_all)
        self._webhooks = WebhooksEndpoint(Webhooks(relay, counters), self._door.facts)
        self.whole = {b"/events": Whole(self._door, "/events", events.post_at_once, events.post)}

    def use(self, settings: Settings) -> None:
        """New settings, from any thread: origins, keys, policies, copies and limits hold from the next request on."""
        self._door.use(settings)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ("//" in scope["path"] or scope["path"].endswith("/")):
            # People join "https://relay.example/" and "/events"; a 404 to the preflight would lose the page's events.
            scope = {**scope, "path": f"/{'/'.join(filter(None, scope['path'].split('/')))}"}
        if scope["type"] == "http" and (handle := self._posts.get(scope["path"])):
            await self._door.serve(scope, receive, send, handle)
        elif scope["type"] == "http" and (look := self._looks.get(scope["path"])):
            await _show(scope["method"], look, send)
        elif scope["type"] == "http" and (script := self._scripts.get(scope["path"])):
            await _show_script(scope, script, send)
        elif scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._webhooks.serve(scope, receive, send)
        else:
            scope = without_credentials(scope) if scope["type"] == "http" else scope
            await _or_its_head(self._rest, scope, receive, send)


@leaves_no_variables
def create_app(
    relay: Relay,
    *,
    counters: Counters | None = None,
    paces: Callable[[], dict[str, PaceNow]] = no_paces,
    places: Callable[[str], Places] = lambda _: Places(),
    counters_of_all: Callable[[], Counters] | None = None,
) -> Collector:
    """`counters`: of this process. `paces`: how delivery is doing, where it runs in this process. `places`
    and `counters_of_all`: where several processes share what limits count, and figures; the latter is for /metrics and
    pages."""
    own = counters or Counters()
    return Collector(relay, own, paces, places, counters_of_all or (lambda: own))


async def _show(method: str, body: bytes, send: Send) -> None:
    """What is the same for everybody and may be asked for as often as anybody likes: it must cost nothing."""
    if method in ("GET", "HEAD"):
        await respond(send, 200, body, {}, ())
    else:
        await _only_to_look_at(send)


async def _only_to_look_at(send: Send) -> None:
    answer = written(HttpError(405, "method_not_allowed", "method", "send GET or HEAD", allow="GET, HEAD"))
    await respond(send, answer.status, answer.body, answer.headers, ())


async def _or_its_head(rest: Litestar, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Load balancers and watchers of uptime ask with HEAD, which Litestar's routes do not answer."""

    async def headless(message: dict[str, Any]) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    if scope.get("method") == "HEAD":
        await rest({**scope, "method": "GET"}, receive, headless)  # type: ignore[arg-type]
    else:
        await rest(scope, receive, send)  # type: ignore[arg-type]


async def _show_script(scope: dict[str, Any], script: Script, send: Send) -> None:
    if scope["method"] not in ("GET", "HEAD"):
        await _only_to_look_at(send)
        return
    shown = show(script, scope.get("query_string", b"").decode("latin-1"), headers_of(scope["headers"]))
    pairs = [(name.encode(), value.encode()) for name, value in shown.headers.items()]
    if shown.status == 200:
        pairs.append((b"content-length", str(len(shown.body)).encode()))
    await send({"type": "http.response.start", "status": shown.status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else shown.body})


def _rest(relay: Relay, paces: Callable[[], dict[str, PaceNow]], counters_of_all: Callable[[], Counters]) -> Litestar:
    access = access_of(lambda: relay.settings, holder_of)

    @get("/readyz")
    async def readyz(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
        """An event could be made durable now. Meta being away is no reason to refuse events."""
        try:
            await in_thread(relay.outbox.probe)
        except OutboxUnavailable as error:
            answer = {"status": "cannot record"}
            if await refusal_of(access, request) is None:
                answer["reason"] = str(error)
            return Response(answer, status_code=503)
        return Response({"status": "ready"})

    memory = Memory()

    @get("/metrics", media_type=MediaType.TEXT, guards=[guard_of(access)])
    async def metrics() -> str:
        return await in_thread(lambda: _metrics(relay, counters_of_all(), paces(), memory))

    return Litestar(
        route_handlers=[readyz, metrics, *dashboard_routes(relay, paces, access, counters_of_all)],
        after_exception=[_note_failure],
        exception_handlers={404: _not_here, OutboxUnavailable: _unavailable},
        request_max_body_size=MOST_BYTES,  # Litestar's own is 10 MB, of anybody who has no password
        openapi_config=None,
        logging_config=None,
    )


def _not_here(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    if request.url.path.startswith("/dashboard/"):
        return create_exception_response(request, error)
    body = ErrorBody("not_found", "path", "nothing is here; events go to POST /events, the rest is in /openapi.json")
    return Response(body, status_code=404, headers={"x-relay-reason": body.reason})


def _unavailable(_: Request[Any, Any, Any], error: OutboxUnavailable) -> Response[Any]:
    answer = not_durable(str(error))
    return Response(answer.body, status_code=answer.status, headers=dict(written(answer).headers))


async def _note_failure(error: Exception, _: Any) -> None:
    """Litestar answers by itself whatever a route raises, and says nothing."""
    if getattr(error, "status_code", 500) >= 500:
        note_failure(error)


def _metrics(relay: Relay, counters: Counters, paces: dict[str, PaceNow], memory: Memory) -> str:
    outbox, now = relay.outbox, time.time()
    more = list(operating(known(outbox, relay.settings, now), paces, relay.settings))
    if isinstance(outbox, Overview):
        more += last_day(memory.today(outbox, now), outbox.dead_groups(now), now)
    counts = outbox.counts() if isinstance(outbox, DeadLetters) else {}
    sides = outbox.deduplication() if isinstance(outbox, Meter) else {}
    return render(counters, counts, paces, sides, now, more)


def _refuse(outbox: Queue, route: str) -> Handle:
    """Answers for a route that this outbox cannot carry."""
    (verb,) = (verb for path, _, verb in NEEDS if path == route)
    why = str(unsupported(outbox, verb))

    async def refuse(admitted: Admitted) -> Reply:
        raise HttpError(501, "not_supported", "outbox", why)

    return refuse
