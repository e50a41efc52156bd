"""A door that does the least, raw ASGI under uvicorn with httptools and uvloop. BENCH_DOOR says how much that is:

`bare`: reads the body and answers 202. `durable`: decodes, hashes, and answers once the row is fsynced, one commit for
all who came while the last one ran. `sending`: the same, and a thread posts the rows to Meta.
"""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

from bench.least.rows import Rows, post_all
from bench.least.seal import with_id

HEAD = {
    "type": "http.response.start",
    "status": 202,
    "headers": [(b"content-length", b"2"), (b"content-type", b"application/json")],
}
BODY = {"type": "http.response.body", "body": b"{}"}


async def bare(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _start(receive, send)
        return
    await _body(receive)
    await send(HEAD)
    await send(BODY)


class Durable:
    """Group commit in one thread of asyncio's pool."""

    def __init__(self, path: Path, meta: str | None) -> None:
        self._rows, self._waiting = Rows(path), list[tuple[tuple[str, bytes], Any]]()
        self._commit: asyncio.Task[None] | None = None
        if meta:
            work = {"target": post_all, "args": (self._rows, meta, 8), "kwargs": {"until_empty": False}}
            threading.Thread(**work, daemon=True).start()  # type: ignore[arg-type]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _start(receive, send)
            return
        row = with_id(await _body(receive))
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._waiting.append((row, done))
        if self._commit is None:
            self._commit = loop.create_task(self._put())
        await done
        await send(HEAD)
        await send(BODY)

    async def _put(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            await asyncio.get_running_loop().run_in_executor(None, self._rows.put, [row for row, _ in group])
            for _, done in group:
                done.set_result(None)
        self._commit = None


async def _start(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def _body(receive: Any) -> bytes:
    message = await receive()
    body: bytes = message["body"]
    while message["more_body"]:
        message = await receive()
        body += message["body"]
    return body


def create() -> Any:
    door = os.environ["BENCH_DOOR"]
    if door == "bare":
        return bare
    return Durable(Path(os.environ["BENCH_ROWS"]), os.environ["META_URL"] if door == "sending" else None)
