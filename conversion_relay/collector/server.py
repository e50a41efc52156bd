"""uvicorn, the same way for every verb that serves, with a deadline for a request's head.

uvicorn waits for ever for a client that sends half a header; a few hundred of those and nobody else gets in.
"""

import asyncio
import signal
import sys
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
"""From the connection, or from a request's first byte, to the end of its headers."""
GRACE_SECONDS = 8


def run(app: Any, *, host: str, port: int, workers: int = 1, factory: bool = False) -> None:
    """Until SIGTERM or SIGINT."""
    # uvicorn shuts down gracefully and then raises the signal again: being told to stop is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        app,
        host=host,
        port=port,
        workers=workers,
        factory=factory,
        http=_HeadDeadline,
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


class _HeadDeadline(HttpToolsProtocol):
    """Hangs up on a head that does not come; bodies have a deadline of their own in `events.py`."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        between_requests = self.cycle is None or self.cycle.response_complete
        if self._timer is None and between_requests:
            self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._cancel()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
