"""The routes under /dashboard, for Litestar.

Pages are rendered here (Jinja2, everything escaped) and work without JavaScript; the script patches them in place. What
is shown came from outside, so a content security policy loads nothing from elsewhere and runs no inline script.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import HTTPException, NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from conversion_relay.dashboard import access_of
from conversion_relay.dashboard.access import Access
from conversion_relay.dashboard.changes import MOST_BYTES, Refused, change, token_of, told
from conversion_relay.dashboard.look import Look
from conversion_relay.dashboard.session import COOKIE, Renewed
from conversion_relay.dashboard.sign_in import Guard, guard_of, sign_in_routes
from conversion_relay.dashboard.words import sentence
from conversion_relay.delivery.pace import PaceNow
from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox import STATES, DeadLetters, Operator, Overview, Queue, Search, unsupported
from conversion_relay.outbox.audit import Audit
from conversion_relay.outbox.export import dead_csv
from conversion_relay.relay import Relay
from conversion_relay.relay.threads import in_thread
from conversion_relay.telemetry import Counters

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
STATIC = {
    path.name: ({".css": "text/css", ".js": "text/javascript"}[path.suffix], path.read_bytes())
    for path in sorted((HERE / "static").iterdir())
}
MOST_EXPORTED = 50_000
"""Dead letters in the table; `dead export` writes more."""
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer a form of our own would say "Origin: null"
    "Cache-Control": "no-store",
}


PAGES = (
    ("/dashboard", "Overview"),
    ("/dashboard/keys", "Match keys"),
    ("/dashboard/events", "Events"),
    ("/dashboard/dead", "Dead letters"),
    ("/dashboard/datasets", "Datasets"),
    ("/dashboard/changes", "Changes"),
)
_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_templates.filters["sentence"] = sentence


def dashboard_routes(
    relay: Relay,
    paces: Callable[[], Mapping[str, PaceNow]],
    access: Access | None = None,
    counters: Callable[[], Counters] = Counters,
) -> list[Any]:
    """Litestar handlers. `paces`: how fast each dataset is sent now, by dataset id. `access`: who may look. `counters`:
    of all processes of this server, for what no outbox keeps."""
    access = access or access_of(lambda: relay.settings)
    only_operators, audit = guard_of(access), Audit(relay.settings.outbox)
    tokens = Renewed(lambda: relay.settings, token_of)
    look = Look(relay, paces, counters)

    async def shown(
        request: Request[Any, Any, Any], name: str, read: Callable[[float], Any], **more: Any
    ) -> Response[str]:
        def rendered() -> str:
            context = {"here": request.url.path, "pages": PAGES, "token": tokens.all()[0].decode(), "live": True}
            context["can_sign_out"] = COOKIE in request.cookies
            context |= {"done": told(request.query_params.get("done", "")), **read(time.time()), **more}
            return _templates.get_template(name).render(context)

        return await in_thread(_page, rendered)

    @get("/dashboard", guards=[only_operators])
    async def overview(request: Request[Any, Any, Any]) -> Response[str]:
        origin = f"{request.url.scheme}://{request.url.netloc}"
        dataset = request.query_params.get("dataset", "")
        return await shown(
            request, "overview.html", lambda now: look.overview(now, dataset), title="Overview", origin=origin
        )

    @get("/dashboard/keys", guards=[only_operators])
    async def keys(request: Request[Any, Any, Any]) -> Response[str]:
        dataset = request.query_params.get("dataset", "")
        return await shown(request, "keys.html", lambda now: look.keys(now, dataset), title="Match keys")

    @get("/dashboard/events", guards=[only_operators])
    async def events(request: Request[Any, Any, Any]) -> Response[str]:
        since = request.query_params.get("since", "")
        asked = asked_for(request.query_params, time.time())
        return await shown(request, "events.html", lambda now: look.events(now, asked, since), title="Events")

    @get("/dashboard/life", guards=[only_operators])
    async def life(request: Request[Any, Any, Any]) -> Response[str]:
        asked = [request.query_params.get(name, "") for name in ("id", "name", "dataset")]
        return await shown(request, "life.html", lambda now: look.life(now, *asked), title="One event")

    @get("/dashboard/dead", guards=[only_operators])
    async def dead(request: Request[Any, Any, Any]) -> Response[str]:
        return await shown(request, "dead.html", look.dead, title="Dead letters")

    @get("/dashboard/datasets", guards=[only_operators])
    async def datasets(request: Request[Any, Any, Any]) -> Response[str]:
        text, state = request.query_params.get("q", "").strip()[:256], request.query_params.get("state", "")
        return await shown(request, "datasets.html", lambda now: look.datasets(now, text, state), title="Datasets")

    @get("/dashboard/changes", guards=[only_operators])
    async def changes(request: Request[Any, Any, Any]) -> Response[str]:
        return await shown(request, "changes.html", lambda now: look.changes(now, audit), title="Changes by hand")

    @post("/dashboard/change", guards=[only_operators], status_code=303)
    async def change_events(request: Request[Any, Any, Any]) -> Response[str]:
        outbox, body = relay.outbox, await request.body()
        if not isinstance(outbox, Overview) or len(body) > MOST_BYTES:
            raise HTTPException("not here", status_code=501 if len(body) <= MOST_BYTES else 413)
        try:
            where = await in_thread(change, outbox, audit, tokens, request.headers, body, time.time())
        except Refused:
            raise HTTPException("this form did not come from the dashboard; open it anew", status_code=403) from None
        return Response("", status_code=303, headers=_HEADERS | {"Location": where})

    handlers: list[HTTPRouteHandler] = [overview, keys, events, life, dead, datasets, changes, change_events]
    handlers += [*_read_by_programs(relay, paces, only_operators), static]
    return [*handlers, *sign_in_routes(access, audit, tokens, _rendered, _HEADERS)]


def _read_by_programs(
    relay: Relay, paces: Callable[[], Mapping[str, PaceNow]], only_operators: Guard
) -> list[HTTPRouteHandler]:
    """What is no page: the figures and one event as JSON, and dead letters for a spreadsheet."""

    @get("/dashboard/data", guards=[only_operators])
    async def data() -> Response[bytes]:
        return _json(await in_thread(_overview, relay, paces()))

    @get("/dashboard/event", guards=[only_operators])
    async def event(request: Request[Any, Any, Any]) -> Response[bytes]:
        outbox = relay.outbox
        if not isinstance(outbox, Operator):
            return _not_carried(str(unsupported(outbox, "find")))
        stories = await in_thread(outbox.find, request.query_params.get("id", ""))
        if not stories:
            raise NotFoundException("no event has this id")
        return _json(stories)

    @get("/dashboard/dead.csv", guards=[only_operators])
    async def export() -> Response[str]:
        headers = _HEADERS | {"Content-Disposition": 'attachment; filename="dead-letters.csv"'}
        # In a thread as a whole: it takes seconds, in which no event would be taken.
        return Response(await in_thread(_table, relay.outbox), media_type="text/csv", headers=headers)

    return [data, event, export]


@get("/dashboard/static/{name:str}", sync_to_thread=False)
def static(name: FromPath[str]) -> Response[bytes]:
    """By a list of names: nothing that is asked for is looked up on the disk. For everybody: who signs in needs the
    style sheet, and all of it is public."""
    kind, content = STATIC.get(name, ("", b""))
    if not content:
        raise NotFoundException("no such file")
    return Response(content, media_type=kind, headers=_HEADERS)


def _page(rendered: Callable[[], str]) -> Response[str]:
    """A page, or one that says why there is none; the script then leaves the last good one as it is."""
    try:
        html, status, headers = rendered(), 200, _HEADERS
    except OutboxUnavailable as error:
        html, status = _rendered("unavailable.html", why=str(error)), 503
        headers = _HEADERS | {"Retry-After": "5"}
    return Response(html, status_code=status, media_type="text/html", headers=headers)


def _rendered(name: str, **context: Any) -> str:
    return _templates.get_template(name).render(context)


def asked_for(query: Mapping[str, str], now: float) -> Search:
    """What a link or a form asks for. What makes no sense fits everything."""
    state, since, before = (query.get(name, "") for name in ("state", "since", "before"))
    return Search(
        text=query.get("q", "").strip()[:256],
        event_name=query.get("name", "").strip()[:100],
        state=state if state in (*STATES, "held") else None,  # type: ignore[arg-type]
        reason=query.get("reason", "").strip()[:100],
        dataset=query.get("dataset", "").strip()[:20],
        since=now - int(since) if since.isdecimal() and len(since) < 9 else None,
        before=int(before) if before.isdecimal() and len(before) < 16 else None,
    )


def _table(outbox: Queue) -> str:
    # Without the mark Excel reads UTF-8 as the machine's own charset.
    return "\ufeff" + dead_csv(outbox.dead(MOST_EXPORTED) if isinstance(outbox, DeadLetters) else [])


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
