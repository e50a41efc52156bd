"""Signing in and out: a page with one field, a signed cookie, and back to where the person wanted to go.

The cookie is SameSite=Strict, so a link in a mail or a chat arrives without it. Then the sign-in page would be shown to
who is signed in; instead it asks the browser once to go there again, which is then a step within our own site.
"""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from litestar import Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from conversion_relay.dashboard.access import Access, Refusal
from conversion_relay.dashboard.changes import form_in, is_ours
from conversion_relay.dashboard.credentials import all_headers
from conversion_relay.dashboard.local_user import End
from conversion_relay.dashboard.session import Renewed, forgotten, issued, set_cookie
from conversion_relay.errors import leaves_no_variables
from conversion_relay.outbox.audit import Audit, Change
from conversion_relay.relay.threads import in_thread
from conversion_relay.telemetry import logger

Connection = ASGIConnection[Any, Any, Any, Any]
Guard = Callable[[Connection, BaseRouteHandler], Any]
PAGE = "/dashboard/sign-in"
MOST_BYTES = 8_192


def guard_of(access: Access) -> Guard:
    """A Litestar guard for routes that are about the relay itself. A browser that wants a page is led to sign in."""

    async def only_operators(connection: Connection, _: BaseRouteHandler) -> None:
        refused = await refusal_of(access, connection)
        if refused is None:
            return
        headers = connection.headers
        if refused.status == 401 and _wants_a_page(headers):
            # A form of a session that is over does nothing: the person sees the page again, and what is true by now.
            wanted = str(connection.url) if connection.scope.get("method") == "GET" else headers.get("referer", "")
            to = urlencode({"to": own_path(_in_its_site(wanted))})
            raise HTTPException("sign in", status_code=303, headers={"Location": f"{PAGE}?{to}"})
        told = dict(refused.headers)
        if "sec-fetch-mode" in headers:  # a browser's own box for passwords must not open over a page of ours
            told.pop("WWW-Authenticate", None)
        raise HTTPException(refused.message, status_code=refused.status, headers=told)

    return only_operators


@leaves_no_variables
async def refusal_of(access: Access, connection: Connection) -> Refusal | None:
    scope = connection.scope
    asked = all_headers(scope), peer_of(connection), scope.get("http_version", "1.1"), _ends_of(scope)
    if access.is_slow:
        return await in_thread(access.refusal, *asked)
    return access.refusal(*asked)


def peer_of(connection: Connection) -> str | None:
    client = connection.scope.get("client")
    return client[0] if client else None


def _ends_of(scope: Mapping[str, Any]) -> tuple[End, End] | None:
    """None where the server is no TCP socket, or says nothing of it."""
    client, server = scope.get("client"), scope.get("server")
    if not (client and server and client[1] and server[1]):
        return None
    return (client[0], client[1]), (server[0], server[1])


def sign_in_routes(
    access: Access, audit: Audit, tokens: Renewed, render: Callable[..., str], headers: Mapping[str, str]
) -> list[HTTPRouteHandler]:
    """`tokens`: of our own forms. `render`: a template and its words. `headers`: of every page."""

    def page(status: int, to: str, *, again: bool = False, wrong: str = "", after: str = "") -> Response[str]:
        html = render("sign_in.html", to=to, again=again, wrong=wrong)
        more = {"Retry-After": after} if after else {}
        return Response(html, status_code=status, media_type="text/html", headers={**headers, **more})

    def gone_to(where: str, cookie: str) -> Response[str]:
        return Response("", status_code=303, headers={**headers, "Location": where, "Set-Cookie": cookie})

    @get(PAGE)
    async def ask(request: Request[Any, Any, Any]) -> Response[str]:
        to = own_path(request.query_params.get("to", ""))
        return page(200, to, again=request.headers.get("sec-fetch-site") == "cross-site" and access.has_password)

    @post(PAGE, status_code=303)
    @leaves_no_variables
    async def sign_in(request: Request[Any, Any, Any]) -> Response[str]:
        body = await _form_of(request)
        form = form_in(body, 10)
        to = own_path(form.get("to", [""])[0])
        if not is_ours(request.headers):
            raise HTTPException("this form did not come from the dashboard; open it anew", status_code=403)
        if not access.has_password:
            return page(403, to, wrong="There is no password: set RELAY_ADMIN_PASSWORD.")
        told = all_headers(request.scope), peer_of(request)
        refused = await in_thread(access.sign_in, form.get("password", [""])[0], *told)
        if refused is not None and refused.status == 429:
            after = refused.headers["Retry-After"]
            return page(429, to, wrong=f"Too many wrong passwords: wait {after} s.", after=after)
        if refused is not None:
            logger.warning("A wrong password was given to the dashboard")
            return page(401, to, wrong="This is not the password.")
        now = time.time()
        logger.info("An operator signed in to the dashboard")
        audit.note(Change(now, "dashboard", "sign-in"))
        return gone_to(to, set_cookie(issued(access.keys()[0], now), is_secure=_is_secure(request)))

    @post("/dashboard/sign-out", status_code=303)
    async def sign_out(request: Request[Any, Any, Any]) -> Response[str]:
        form = form_in(await _form_of(request), 10)
        if not is_ours(request.headers) or not tokens.is_one(form.get("token", [""])[0].encode()):
            raise HTTPException("this form did not come from the dashboard; open it anew", status_code=403)
        return gone_to(PAGE, forgotten(is_secure=_is_secure(request)))

    def _is_secure(request: Request[Any, Any, Any]) -> bool:
        return access.is_secure(request.url.scheme, all_headers(request.scope), peer_of(request))

    return [ask, sign_in, sign_out]


def own_path(text: str) -> str:
    """Where a person may be led: within the dashboard.

    >>> own_path("/dashboard/events?q=1"), own_path("//evil.example"), own_path("/dashboard\\\\evil")
    ('/dashboard/events?q=1', '/dashboard', '/dashboard')
    """
    is_own = re.fullmatch(r"/dashboard(?:[/?][^\s\\]*)?", text) is not None and len(text) < 4_000
    return text if is_own and not text.startswith(PAGE) else "/dashboard"


def _in_its_site(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


async def _form_of(request: Request[Any, Any, Any]) -> bytes:
    body = await request.body()
    if len(body) > MOST_BYTES:
        raise HTTPException("too large", status_code=413)
    return body


def _wants_a_page(headers: Mapping[str, str]) -> bool:
    return "text/html" in headers.get("accept", "") and "x-patch" not in headers and "authorization" not in headers
