"""One request and its answer on the wire: the whole body or none, and an answer that may come byte by byte."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from conversion_relay.emulator.answers import Answer

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Scope = dict[str, Any]


class Gone(Exception):
    """The client hung up before its whole request had come."""


async def body_of(receive: Receive) -> bytes:
    """Raises Gone for a body that is cut off: what came of it may be readable, and Meta never takes a part."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def until_gone(receive: Receive, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


async def respond(send: Send, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": _pairs(answer)})
    await send({"type": "http.response.body", "body": answer.body})


async def drip(send: Send, receive: Receive, answer: Answer) -> None:
    """Headers, then a byte each half second: what holds a client whose timeout is per read."""
    await send({"type": "http.response.start", "status": answer.status, "headers": _pairs(answer)})
    gone = asyncio.ensure_future(until_gone(receive, 600))
    for byte in answer.body:
        await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
        done, _ = await asyncio.wait([gone], timeout=0.5)
        if done:
            return
    gone.cancel()
    await send({"type": "http.response.body", "body": b""})


def _pairs(answer: Answer) -> list[tuple[bytes, bytes]]:
    headers = {**answer.headers, "content-length": str(len(answer.body))}
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
