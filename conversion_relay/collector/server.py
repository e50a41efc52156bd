"""uvicorn, the same way for every verb that serves, with a deadline for a request's head.

uvicorn waits for ever for a client that sends half a header; a few hundred of those and nobody else gets in.
"""

import asyncio
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

HEAD_SECONDS = 10.0
"""From the connection, or from a request's first byte, to the end of its headers."""
GRACE_SECONDS = 4
"""For requests that are being answered; with what delivery has in flight it stays below ten seconds."""
_before_stopping: list[Callable[[], None]] = []


def on_told_to_stop(begin: Callable[[], None]) -> None:
    """`begin` is called as soon as the process gets SIGTERM or SIGINT, while open requests are still being answered."""
    _before_stopping.append(begin)


def run(app: Any, *, host: str, port: int, workers: int = 1, factory: bool = False) -> None:
    """Until SIGTERM or SIGINT."""
    # uvicorn shuts down gracefully and then raises the signal again: a signal to stop is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(
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
    if workers > 1:
        Multiprocess(config, sockets=[config.bind_socket()]).run()
        return
    config.load_app()
    server = _Server(config)
    server.run()
    if not server.started:
        sys.exit(1)


class _Server(uvicorn.Server):
    """Delivery begins to stop at the signal, not only after the last request."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        for begin in _before_stopping:
            begin()
        super().handle_exit(sig, frame)


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
