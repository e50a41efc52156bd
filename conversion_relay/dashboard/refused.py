"""Whether who asks may look, and what they are told who may not. A request is its ASGI scope.

A browser that wants a page is led to sign in; a program gets the status and the reason. What a person may be led to
afterwards is within the dashboard: an address that came with the request is nobody's word.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from conversion_relay.dashboard.access import Access, Refusal, by_name
from conversion_relay.dashboard.credentials import all_headers
from conversion_relay.dashboard.local_user import End
from conversion_relay.errors import leaves_no_variables
from conversion_relay.relay.threads import in_thread

SIGN_IN = "/dashboard/sign-in"


@leaves_no_variables
async def refusal_of(access: Access, scope: Mapping[str, Any]) -> Refusal | None:
    """None: let in."""
    asked = all_headers(scope), peer_of(scope), scope.get("http_version", "1.1"), _ends_of(scope)
    if access.is_slow:
        return await in_thread(access.refusal, *asked)
    return access.refusal(*asked)


def shown(refused: Refusal, scope: Mapping[str, Any]) -> Refusal:
    """What is answered: the refusal as it is, or the way to the page for signing in."""
    headers = by_name(scope["headers"])
    if refused.status == 401 and _wants_a_page(headers):
        # A form of a session that is over does nothing: the person sees the page again, and what is true by now.
        wanted = _asked_for(scope) if scope.get("method") == "GET" else _in_its_site(headers.get("referer", ""))
        return Refusal(303, "sign in", {"Location": f"{SIGN_IN}?{urlencode({'to': own_path(wanted)})}"})
    told = dict(refused.headers)
    if "sec-fetch-mode" in headers:  # a browser's own box for passwords must not open over a page of ours
        told.pop("WWW-Authenticate", None)
    return Refusal(refused.status, refused.message, told)


def peer_of(scope: Mapping[str, Any]) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def own_path(text: str) -> str:
    """Where a person may be led: within the dashboard.

    >>> own_path("/dashboard/events?q=1"), own_path("//evil.example"), own_path("/dashboard\\\\evil")
    ('/dashboard/events?q=1', '/dashboard', '/dashboard')
    """
    is_own = re.fullmatch(r"/dashboard(?:[/?][^\s\\]*)?", text) is not None and len(text) < 4_000
    return text if is_own and not text.startswith(SIGN_IN) else "/dashboard"


def _asked_for(scope: Mapping[str, Any]) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])


def _in_its_site(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _wants_a_page(headers: Mapping[str, str]) -> bool:
    return "text/html" in headers.get("accept", "") and "x-patch" not in headers and "authorization" not in headers


def _ends_of(scope: Mapping[str, Any]) -> tuple[End, End] | None:
    """None where the server is no TCP socket, or says nothing of it."""
    client, server = scope.get("client"), scope.get("server")
    if not (client and server and client[1] and server[1]):
        return None
    return (client[0], client[1]), (server[0], server[1])
