"""What the routes that take something in have in common: who may send, from which page, how often, how much.

Plain ASGI without a framework: one request costs what its events cost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from conversion_relay.collector import limits
from conversion_relay.collector.limits import TokenBuckets
from conversion_relay.intake.accept import Sender
from conversion_relay.intake.browser import PREFLIGHT_SECONDS, cors_headers, listed_origin
from conversion_relay.intake.request_facts import RequestFacts, is_trusted, request_facts
from conversion_relay.relay import NO_FACTS, Relay
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
        datasets = tuple(reversed(relay.settings.datasets))
        self._by_origin = {o: d for d in datasets for o in d.allowed_origins}
        # By digest: what time the look-up takes then says nothing about a key.
        self._by_key = {_digest(key.reveal()): d for d in datasets for key in d.api_keys}
        self._heads = {origin: _head(self._cors(origin)) for origin in (None, *self._by_origin)}
        """Of an answer that has nothing to add, by the request's origin."""

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
        whole, origin = _whole(scope), headers.get("origin")
        head = None if more or cookies else self._heads.get(origin)
        if (
            head is None
            or whole is None
            or not whole.answer(status, head + b"content-length: %d\r\n" % len(body), body)
        ):
            await respond(send, status, body, {**self._cors(origin), **more}, cookies)

    async def _let_in(self, scope: dict[str, Any], headers: Mapping[str, str], receive: Receive) -> Admitted:
        if scope["method"] != "POST":
            raise HttpError(405, "method_not_allowed", "method", "send it with POST", allow="POST, OPTIONS")
        peer = scope["client"][0] if scope.get("client") else None
        sender, dataset = self._authorize(headers)
        if sender == "browser":
            facts = request_facts(headers, peer, self._settings.trusted_proxies)
            body = await self._from_browser(scope, headers, receive, facts)
        else:
            facts, body = NO_FACTS, await _body(scope, headers, receive)
        return Admitted(
            sender=sender,
            dataset=dataset,
            facts=facts,
            body=body,
            host=headers.get("host", ""),
            is_secure=self._is_secure(scope, headers, peer),
        )

    async def _from_browser(
        self, scope: Mapping[str, Any], headers: Mapping[str, str], receive: Receive, facts: RequestFacts
    ) -> bytes:
        """The body's bytes are paid for before they are read, or many requests at once would share one look."""
        address, said = facts.client_ip_address, headers.get("content-length")
        size = limits.MOST_BYTES if said is None else _length(said, limits.MOST_BYTES)
        if not self._buckets.take(address, 1, size):
            raise too_many()
        read = 0
        try:
            body = await _body(scope, headers, receive, limits.MOST_BYTES)
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
            dataset = self._by_key.get(_digest(key.strip())) if scheme.lower() == "bearer" else None
            if dataset is not None:
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

    def _cors(self, origin: str | None) -> dict[str, str]:
        # Without credentials a browser keeps no cookie of an answer to a page's script.
        return cors_headers(
            origin,
            self._by_origin,
            request_headers="authorization, content-type",
            credentials=self._settings.set_cookies,
        )


def too_many() -> HttpError:
    return HttpError(429, "too_many", "client_ip_address", "too many events; wait a little", **{"retry-after": "1"})


def _length(said: str, most: int) -> int:
    """As far as it is one; `_body` refuses the others."""
    return min(int(said), most) if said.isascii() and said.isdecimal() and len(said) <= 12 else 0


async def _body(
    scope: Mapping[str, Any], headers: Mapping[str, str], receive: Receive, most: int = MOST_BYTES
) -> bytes:
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "unsupported_encoding", "content-encoding", "send the body uncompressed")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()) or len(length) > 12 or int(length) > DRAINED * most:
        raise _too_large(most)
    whole = _whole(scope)
    if whole is not None and (body := whole.body(most)) is not None:
        return body
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read(receive, most)
    except TimeoutError:
        late = f"the body did not arrive within {BODY_SECONDS:.0f} seconds"
        raise HttpError(408, "too_slow", "body", late, connection="close") from None


async def _read(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
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
    if size > most:
        raise _too_large(most)
    return b"".join(parts)


def _too_large(most: int) -> HttpError:
    return HttpError(413, "too_large", "body", f"send at most {most} bytes in one request", connection="close")


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = str(name, "latin-1"), str(value, "latin-1")
        headers[key] = text if key not in headers else f"{headers[key]}{'; ' if key == 'cookie' else ', '}{text}"
    return headers


async def respond(send: Send, status: int, body: bytes, headers: Mapping[str, str], cookies: tuple[str, ...]) -> None:
    """JSON, whole."""
    pairs = [*_pairs(headers), (b"content-length", str(len(body)).encode())]
    pairs += [(b"set-cookie", cookie.encode("latin-1")) for cookie in cookies]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _pairs(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    given = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return [(b"content-type", b"application/json"), *given]


def _head(headers: Mapping[str, str]) -> bytes:
    return b"".join(b"%s: %s\r\n" % pair for pair in _pairs(headers))


class Whole(Protocol):
    """What our own server (`protocol.py`) offers beside ASGI: a request and its answer, each in one piece."""

    def body(self, most: int) -> bytes | None:
        """The request's body, once; None where it is not all here, or larger."""

    def answer(self, status: int, head: bytes, body: bytes) -> bool:
        """Writes the answer; `head` is its header lines. False: it has to be sent as ASGI has it."""


WHOLE = "conversion_relay.whole"
"""The extension's name in the scope."""


def _whole(scope: Mapping[str, Any]) -> Whole | None:
    extensions = scope.get("extensions")
    return extensions.get(WHOLE) if extensions else None


def _answer_whole(scope: Mapping[str, Any], status: int, head: bytes, body: bytes) -> bool:
    whole = _whole(scope)
    return whole is not None and whole.answer(status, b"%scontent-length: %d\r\n" % (head, len(body)), body)


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogatepass")).digest()


_encode = msgspec.json.Encoder().encode
