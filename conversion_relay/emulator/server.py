"""Runs the stand-in under uvicorn, with each request's socket at hand: hanging up and resetting are below HTTP."""

import asyncio
import socket
import struct
import threading
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TRANSPORT = "emulator.transport"


class _Protocol(HttpToolsProtocol):
    """uvicorn's own protocol that lends its transport to the application."""

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope.setdefault("extensions", {})[TRANSPORT] = self.transport


def close(scope: Any) -> None:
    """Hang up without an answer."""
    scope["extensions"][TRANSPORT].abort()


def reset(scope: Any) -> None:
    """A TCP reset: the peer's next read or write fails."""
    transport: asyncio.Transport = scope["extensions"][TRANSPORT]
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def serve(app: Any, host: str, port: int) -> None:
    """Until SIGTERM or SIGINT."""
    uvicorn.Server(_config(app, host, port)).run()


class Server:
    """The same inside another process, for the demo and for tests. Port 0 takes any free one."""

    def __init__(self, app: Any, host: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = socket.create_server((host, port), backlog=1024)
        # asyncio sets this on sockets it opened itself only; without it every second answer waits 40 ms for an ACK.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        self._server = uvicorn.Server(_config(app, host, self.port))
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="emulator")

    def start(self) -> None:
        """Returns when requests are answered."""
        self._thread.start()
        self._started.wait()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    def _run(self) -> None:
        # Not uvicorn.Server.run: signals belong to the process that this runs in.
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self._server.startup(sockets=[self._socket])
        self._started.set()
        await self._server.main_loop()
        await self._server.shutdown(sockets=[self._socket])


def _config(app: Any, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
    )
