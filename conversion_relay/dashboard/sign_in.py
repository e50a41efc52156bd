"""Signing in and out: a page with one field, a signed cookie, and back to where the person wanted to go.

The cookie is SameSite=Strict, so a link in a mail or a chat arrives without it. Then the sign-in page would be shown to
who is signed in; instead it asks the browser once to go there again, which is then a step within our own site.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from litestar import Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from conversion_relay.dashboard.access import Access
from conversion_relay.dashboard.changes import form_in, is_ours
from conversion_relay.dashboard.credentials import all_headers
from conversion_relay.dashboard.refused import SIGN_IN, own_path, peer_of, refusal_of, shown
from conversion_relay.dashboard.session import Renewed, forgotten, issued, set_cookie
from conversion_relay.errors import leaves_no_variables
from conversion_relay.outbox.audit import Audit, Change
from conversion_relay.relay.threads import in_thread
from conversion_relay.telemetry import logger

Connection = ASGIConnection[Any, Any, Any, Any]
Guard = Callable[[Connection, BaseRouteHandler], Any]
MOST_BYTES = 8_192


def guard_of(access: Access) -> Guard:
    """A Litestar guard for routes that are about the relay itself."""

    async def only_operators(connection: Connection, _: BaseRouteHandler) -> None:
        refused = await refusal_of(access, connection.scope)
        if refused is not None:
            told = shown(refused, connection.scope)
            raise HTTPException(told.message, status_code=told.status, headers=dict(told.headers))

    return only_operators


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

    @get(SIGN_IN)
    async def ask(request: Request[Any, Any, Any]) -> Response[str]:
        to = own_path(request.query_params.get("to", ""))
        return page(200, to, again=request.headers.get("sec-fetch-site") == "cross-site" and access.has_password)

    @post(SIGN_IN, status_code=303)
    @leaves_no_variables
    async def sign_in(request: Request[Any, Any, Any]) -> Response[str]:
        body = await _form_of(request)
        form = form_in(body, 10)
        to = own_path(form.get("to", [""])[0])
        if not is_ours(request.headers):
            raise HTTPException("this form did not come from the dashboard; open it anew", status_code=403)
        if not access.has_password:
            return page(403, to, wrong="There is no password: set RELAY_ADMIN_PASSWORD.")
        told = all_headers(request.scope), peer_of(request.scope)
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
        return gone_to(SIGN_IN, forgotten(is_secure=_is_secure(request)))

    def _is_secure(request: Request[Any, Any, Any]) -> bool:
        return access.is_secure(request.url.scheme, all_headers(request.scope), peer_of(request.scope))

    return [ask, sign_in, sign_out]


async def _form_of(request: Request[Any, Any, Any]) -> bytes:
    body = await request.body()
    if len(body) > MOST_BYTES:
        raise HTTPException("too large", status_code=413)
    return body
