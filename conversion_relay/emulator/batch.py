"""Batch requests: several calls of the Graph API in one `POST /`, answered together.

https://developers.facebook.com/docs/graph-api/batch-requests

Each operation is asked of the stand-in as a request of its own, one after the other. No page says that `/events` may be
one of them, nor that it may not; Meta's own SDKs have a batch for every edge. Operations that depend on the answer of
another and attached files are refused, since nothing that sends events needs them.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from conversion_relay.emulator import answers
from conversion_relay.emulator.answers import Answer
from conversion_relay.emulator.exchange import Receive, Scope, Send
from conversion_relay.emulator.graph_errors import (
    BATCH_IS_NO_ARRAY,
    BATCH_IS_TOO_LARGE,
    OPERATION_IS_NOT_PLAYED,
    OPERATION_IS_WRONG,
    GraphError,
)
from conversion_relay.emulator.requests import GraphRequest

MOST_OPERATIONS = 50
_NOT_PLAYED = ("depends_on", "attached_files")
Ask = Callable[[Scope, Receive, Send], Awaitable[None]]


def operations_in(request: GraphRequest) -> list[Any] | GraphError:
    operations = request.batch
    if not isinstance(operations, list) or not operations:
        return BATCH_IS_NO_ARRAY
    return BATCH_IS_TOO_LARGE if len(operations) > MOST_OPERATIONS else operations


async def played(
    operations: list[Any], request: GraphRequest, scope: Scope, receive: Receive, version: str, ask: Ask
) -> Answer:
    """The answers in the order of the operations: each with its code, its headers and its body as a text."""
    told = []
    for operation in operations:
        asked = _asked(operation, request, scope, version)
        answer = _Heard()
        if isinstance(asked, GraphError):
            answer.status, answer.headers, answer.body = asked.status, [], answers.json_of(asked.body(answers.trace()))
        else:
            await ask(*_as_request(asked, receive), answer.hear)
        told.append(answer.shown(with_headers=request.include_headers))
    return answers.json(200, told)


def _asked(operation: Any, request: GraphRequest, scope: Scope, version: str) -> tuple[Scope, bytes] | GraphError:
    """The scope and the body of the request that an operation stands for."""
    if not isinstance(operation, dict):
        return OPERATION_IS_WRONG
    method, address, body = operation.get("method"), operation.get("relative_url"), operation.get("body", "")
    if not isinstance(method, str) or not isinstance(address, str) or not isinstance(body, str):
        return OPERATION_IS_WRONG
    if any(operation.get(name) for name in _NOT_PLAYED):
        return OPERATION_IS_NOT_PLAYED
    path, _, query = address.lstrip("/").partition("?")
    if version and not path.startswith("v"):
        path = f"{version}/{path}"
    given = {name for part in query.split("&") for name in [part.partition("=")[0]]}
    # What the batch itself was sent with holds for each operation that says nothing else.
    for name, value in (("access_token", request.token), ("appsecret_proof", request.proof)):
        if value and name not in given:
            query += f"{'&' if query else ''}{name}={quote(value, safe='')}"
    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    its_own = {"method": method.upper(), "path": f"/{path}", "headers": headers, "query_string": query.encode()}
    return {**scope, **its_own, "in_batch": True}, body.encode()


def _as_request(asked: tuple[Scope, bytes], receive: Receive) -> tuple[Scope, Receive]:
    scope, body = asked
    coming = [{"type": "http.request", "body": body}]

    async def receive_it() -> dict[str, Any]:
        return coming.pop() if coming else await receive()

    return scope, receive_it


class _Heard:
    """What an operation was answered."""

    def __init__(self) -> None:
        self.status, self.body = 0, b""
        self.headers: list[tuple[bytes, bytes]] = []

    async def hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
        self.body += message.get("body", b"")

    def shown(self, *, with_headers: bool) -> dict[str, Any] | None:
        """None where the connection was cut instead of an answer, as of an operation that took too long."""
        if not self.status:
            return None
        headers = [{"name": name.decode(), "value": value.decode("latin-1")} for name, value in self.headers]
        told = {"code": self.status, **({"headers": headers} if with_headers else {})}
        return told | {"body": self.body.decode("utf-8", "replace")}
