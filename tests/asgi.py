"""Calls an ASGI application without a server."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

Result = TypeVar("Result")


def run(call: Coroutine[Any, Any, Result]) -> Result:
    """In a thread of its own: Playwright leaves a running loop in the one that runs the browser's tests."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, call).result()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    """By name in lower case; the last one where there are several."""
    body: bytes
    cookies: list[str]


def ask(app: Any, path: str, body: bytes = b"", *, method: str = "POST", query: str = "", **headers: str) -> Answer:
    """One request of somebody at 198.51.100.7, and its answer. A `_` in a header's name stands for `-`."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "scheme": "http",
        "client": ("198.51.100.7", 1),
    }

    async def called() -> None:
        await app(scope, receive, send)
        for _ in range(5):  # for what the answer does not wait for
            await asyncio.sleep(0)

    run(called())
    pairs = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
    cookies = [value for name, value in pairs if name == "set-cookie"]
    return Answer(sent[0]["status"], dict(pairs), b"".join(part.get("body", b"") for part in sent[1:]), cookies)
