"""Reads a request's body, as ASGI has it: so long, so large, and no more."""

import asyncio
from collections.abc import Mapping

from conversion_relay.collector.reply import HttpError, Receive

MOST_BYTES = 4 * 1_048_576
DRAINED = 4
"""So many times what is allowed is read and dropped before the 413, so that who is still sending hears it."""
BODY_SECONDS = 10.0
"""No ASGI server drops a body that stalls half-way, so we do."""


async def receive_body(headers: Mapping[str, str], receive: Receive, most: int = MOST_BYTES) -> bytes:
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()) or len(length) > 12 or int(length) > DRAINED * most:
        raise _too_large(most)
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


def length_of(said: str, most: int) -> int:
    """As far as it is one; `receive_body` refuses the others."""
    return min(int(said), most) if said.isascii() and said.isdecimal() and len(said) <= 12 else 0
