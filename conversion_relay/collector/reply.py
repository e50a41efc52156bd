"""What a route answers, and how it becomes a status, header lines and a body."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
RETRY_AFTER = "5"


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


def too_many() -> HttpError:
    return HttpError(429, "too_many", "client_ip_address", "too many events; wait a little", **{"retry-after": "1"})


def internal() -> HttpError:
    return HttpError(500, "internal", "", "this is our fault; it was logged", connection="close")


class Written(msgspec.Struct, frozen=True):
    """A reply as it is sent. `headers`: beside those that every answer of its route has (`Door.given`)."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}
    cookies: tuple[str, ...] = ()


def written(reply: Reply | HttpError) -> Written:
    if isinstance(reply, HttpError):
        headers = {"x-relay-reason": reply.body.reason, **reply.headers}
        return Written(reply.status, _encode(reply.body), headers)
    return Written(reply.status, _encode(reply.answer), reply.headers, reply.cookies)


async def respond(send: Send, status: int, body: bytes, headers: Mapping[str, str], cookies: tuple[str, ...]) -> None:
    """JSON, unless the headers say something else; whole."""
    pairs = [*header_pairs(headers, cookies), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def headless(send: Send) -> Send:
    """What a GET is answered, without its body: the answer to a HEAD."""

    async def without_body(message: dict[str, Any]) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return without_body


def header_pairs(headers: Mapping[str, str], cookies: tuple[str, ...] = ()) -> list[tuple[bytes, bytes]]:
    given = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    set_cookies = [(b"set-cookie", cookie.encode("latin-1")) for cookie in cookies]
    kind = [] if any(name == b"content-type" for name, _ in given) else [(b"content-type", b"application/json")]
    return [*kind, *given, *set_cookies]


_encode = msgspec.json.Encoder().encode
