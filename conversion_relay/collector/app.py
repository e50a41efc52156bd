"""The collector as one ASGI application."""

from collections.abc import Callable
from typing import Any

import msgspec

from conversion_relay.collector.dataset_limits import EventLimits
from conversion_relay.collector.door import Admitted, Door, Handle, headers_of
from conversion_relay.collector.events import EventsEndpoint
from conversion_relay.collector.limits import holder_of
from conversion_relay.collector.monitoring import Monitor, Monitoring, Scope, answered
from conversion_relay.collector.openapi import document
from conversion_relay.collector.pages import Pages
from conversion_relay.collector.places import Places
from conversion_relay.collector.reply import HttpError, Receive, Reply, Send, headless, respond, written
from conversion_relay.collector.scripts import NAMES, Script, scripts, show
from conversion_relay.collector.view_content import ViewContentEndpoint
from conversion_relay.collector.visitors import VisitorsEndpoint
from conversion_relay.collector.webhooks import PREFIX, WebhooksEndpoint
from conversion_relay.collector.whole import Whole
from conversion_relay.dashboard import access_of
from conversion_relay.dashboard.access import Access
from conversion_relay.dashboard.credentials import without_credentials
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.errors import leaves_no_variables
from conversion_relay.outbox import Operator, Queue, Visits, unsupported
from conversion_relay.relay import Relay
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
NOTHING_HERE = "nothing is here; events go to POST /events, the rest is in /openapi.json"


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
        access = access_of(lambda: relay.settings, holder_of)
        self._monitoring = Monitoring(relay, access, paces, counters_of_all)
        self._pages = Pages(lambda: _routes(relay, access, paces, counters_of_all))
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
        elif scope["type"] == "http" and (monitor := self._monitoring.routes.get(scope["path"])):
            await _monitored(monitor, without_credentials(scope), send)
        elif scope["type"] != "http" or f"{scope['path']}/".startswith("/dashboard/"):
            await self._pages(scope, receive, send)
        else:
            await _respond(send, HttpError(404, "not_found", "path", NOTHING_HERE))


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


async def _monitored(monitor: Monitor, scope: Scope, send: Send) -> None:
    if scope["method"] not in ("GET", "HEAD"):
        await _only_to_look_at(send)
        return
    answer = await answered(monitor, scope)
    send = headless(send) if scope["method"] == "HEAD" else send
    await respond(send, answer.status, answer.body, answer.headers, ())


async def _only_to_look_at(send: Send) -> None:
    await _respond(send, HttpError(405, "method_not_allowed", "method", "send GET or HEAD", allow="GET, HEAD"))


async def _respond(send: Send, error: HttpError) -> None:
    answer = written(error)
    await respond(send, answer.status, answer.body, answer.headers, ())


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


def _routes(
    relay: Relay, access: Access, paces: Callable[[], dict[str, PaceNow]], counters_of_all: Callable[[], Counters]
) -> list[Any]:
    """Of the dashboard; loads what pages are made with."""
    from conversion_relay.dashboard.routes import dashboard_routes

    return dashboard_routes(relay, paces, access, counters_of_all)


def _refuse(outbox: Queue, route: str) -> Handle:
    """Answers for a route that this outbox cannot carry."""
    (verb,) = (verb for path, _, verb in NEEDS if path == route)
    why = str(unsupported(outbox, verb))

    async def refuse(admitted: Admitted) -> Reply:
        raise HttpError(501, "not_supported", "outbox", why)

    return refuse
