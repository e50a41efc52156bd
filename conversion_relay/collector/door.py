"""What the routes that take something in have in common: who may send, from which page, how often, how much.

Plain ASGI without a framework: one request costs what its events cost.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from conversion_relay.collector import limits
from conversion_relay.collector.limits import TokenBuckets
from conversion_relay.intake.accept import Sender
from conversion_relay.intake.browser import PREFLIGHT_SECONDS, cors_headers, listed_origin
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts, is_trusted, request_facts
from conversion_relay.relay import Relay
from conversion_relay.settings import Dataset
from conversion_relay.telemetry import Counters

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MOST_BYTES = 4 * 1_048_576
DRAINED = 4
"""So many times what is allowed is read and dropped before the 413, so that who is still sending hears it."""
BODY_SECONDS = 10.0
"""No ASGI server drops a body that stalls half-way, so we do."""
RETRY_AFTER = "5"


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was let in."""

    sender: Sender
    dataset: Dataset
    facts: RequestFacts
    """The visitor's own; empty for a backend, whose address and browser are not the visitor's."""
    body: bytes
    host: str
    is_secure: bool
    """The browser came by https, as far as we or a trusted proxy can tell."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """`answer` becomes JSON."""

    status: int
    answer: object
    headers: dict[str, str] = {}
    cookies: tuple[str, ...] = ()


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of an answer to a request of which nothing could be read."""

    reason: str
    field: str
    message: str


class HttpError(Exception):
    """Ends the request with this status and reason; raised by a route, answered by the door."""

    def __init__(self, status: int, reason: str, field: str, message: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.body = ErrorBody(reason, field, message)
        self.headers = headers


def not_durable(what: str) -> HttpError:
    return HttpError(503, "not_durable", "outbox", f"{what}; send it again", **{"retry-after": RETRY_AFTER})


Handle = Callable[[Admitted], Awaitable[Reply]]


class Door:
    """Lets a request in to its route, and gives every request one answer."""

    def __init__(self, relay: Relay, counters: Counters, buckets: TokenBuckets) -> None:
        self._settings, self._counters, self._buckets = relay.settings, counters, buckets
        self._by_origin = {o: d for d in reversed(relay.settings.datasets) for o in d.allowed_origins}

    async def serve(self, scope: dict[str, Any], receive: Receive, send: Send, handle: Handle) -> None:
        headers, route = _headers(scope), scope["path"]
        cookies: tuple[str, ...] = ()
        try:
            if scope["method"] == "OPTIONS":
                status, body, more = 204, b"", {"access-control-max-age": PREFLIGHT_SECONDS}
            else:
                reply = await handle(await self._let_in(scope, headers, receive))
                status, body, more, cookies = reply.status, _encode(reply.answer), reply.headers, reply.cookies
        except HttpError as error:
            status, body = error.status, _encode(error.body)
            more = {"x-relay-reason": error.body.reason, **error.headers}
            self._counters.add(f"relay_{route[1:]}_rejected_total", reason=error.body.reason)
        self._counters.add("relay_intake_requests_total", route=route, code=str(status))
        await respond(send, status, body, {**self._cors(headers), **more}, cookies)

    async def _let_in(self, scope: dict[str, Any], headers: Mapping[str, str], receive: Receive) -> Admitted:
        if scope["method"] != "POST":
            raise HttpError(405, "method_not_allowed", "method", "send it with POST", allow="POST, OPTIONS")
        peer = scope["client"][0] if scope.get("client") else None
        facts = request_facts(headers, peer, self._settings.trusted_proxies)
        sender, dataset = self._authorize(headers)
        body = await (self._from_browser(headers, receive, facts) if sender == "browser" else _body(headers, receive))
        return Admitted(
            sender=sender,
            dataset=dataset,
            facts=facts if sender == "browser" else NO_FACTS,
            body=body,
            host=headers.get("host", ""),
            is_secure=self._is_secure(scope, headers, peer),
        )

    async def _from_browser(self, headers: Mapping[str, str], receive: Receive, facts: RequestFacts) -> bytes:
        """The body's bytes are paid for before they are read, or many requests at once would share one look."""
        address, said = facts.client_ip_address, headers.get("content-length")
        size = limits.MOST_BYTES if said is None else _length(said, limits.MOST_BYTES)
        if not self._buckets.take(address, 1, size):
            raise too_many()
        read = 0
        try:
            body = await _body(headers, receive, limits.MOST_BYTES)
            read = len(body)
        finally:
            self._buckets.take(address, 0, read - size)
        return body

    def _is_secure(self, scope: Mapping[str, Any], headers: Mapping[str, str], peer: str | None) -> bool:
        if scope.get("scheme") == "https":
            return True
        told = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip()
        return told == "https" and is_trusted(peer, self._settings.trusted_proxies)

    def _authorize(self, headers: Mapping[str, str]) -> tuple[Sender, Dataset]:
        """Which dataset, and how far the sender is trusted. An API key outranks an Origin."""
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme:
            for dataset in self._settings.datasets:
                for known in dataset.api_keys:
                    if scheme.lower() == "bearer" and _same(known.reveal(), key.strip()):
                        return "backend", dataset
            raise HttpError(
                401, "unauthorized", "authorization", "unknown API key; RELAY_API_KEYS lists the known ones"
            )
        if not headers.get("origin"):
            message = "send Authorization: Bearer <api key> (RELAY_API_KEYS), or call from an allowed origin"
            raise HttpError(401, "unauthorized", "authorization", message, **{"www-authenticate": "Bearer"})
        allowed = listed_origin(headers["origin"], self._by_origin)
        if allowed is None:
            raise HttpError(
                403, "origin_not_allowed", "origin", "add this site's exact origin to RELAY_ALLOWED_ORIGINS"
            )
        return "browser", self._by_origin[allowed]

    def _cors(self, headers: Mapping[str, str]) -> dict[str, str]:
        # Without credentials a browser keeps no cookie of an answer to a page's script.
        return cors_headers(
            headers.get("origin"),
            self._by_origin,
            request_headers="authorization, content-type",
            credentials=self._settings.set_cookies,
        )


def too_many() -> HttpError:
    return HttpError(429, "too_many", "client_ip_address", "too many events; wait a little", **{"retry-after": "1"})


def _length(said: str, most: int) -> int:
    """As far as it is one; `_body` refuses the others."""
    return min(int(said), most) if said.isascii() and said.isdecimal() and len(said) <= 12 else 0


async def _body(headers: Mapping[str, str], receive: Receive, most: int = MOST_BYTES) -> bytes:
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "unsupported_encoding", "content-encoding", "send the body uncompressed")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()) or len(length) > 12 or int(length) > DRAINED * most:
        raise _too_large(most)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise HttpError(400, "cut_off", "body", "the connection closed before the body was complete")
                more = message.get("more_body", False)
                size += len(message.get("body", b""))
                if size <= most:
                    parts.append(message.get("body", b""))
                elif size > DRAINED * most:
                    break
    except TimeoutError:
        late = f"the body did not arrive within {BODY_SECONDS:.0f} seconds"
        raise HttpError(408, "too_slow", "body", late, connection="close") from None
    if size > most:
        raise _too_large(most)
    return b"".join(parts)


def _too_large(most: int) -> HttpError:
    return HttpError(413, "too_large", "body", f"send at most {most} bytes in one request", connection="close")


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        if key in headers:
            text = f"{headers[key]}{'; ' if key == 'cookie' else ', '}{text}"
        headers[key] = text
    return headers


async def respond(send: Send, status: int, body: bytes, headers: Mapping[str, str], cookies: tuple[str, ...]) -> None:
    """JSON, whole."""
    pairs = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    pairs += [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    pairs += [(b"set-cookie", cookie.encode("latin-1")) for cookie in cookies]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _same(known: str, given: str) -> bool:
    return hmac.compare_digest(known.encode(), given.encode("utf-8", "surrogatepass"))


_encode = msgspec.json.Encoder().encode
