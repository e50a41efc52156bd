"""Runs the stand-in under uvicorn, with each request's socket at hand: hanging up and resetting are below HTTP."""

import asyncio
import re
import socket
import struct
import threading
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TRANSPORT = "emulator.transport"


class _Protocol(HttpToolsProtocol):
    """uvicorn's own protocol, which lends its transport to the application and reads a body behind an Upgrade.

    Java's HttpClient offers HTTP/2 with every request over plain HTTP. The parser stops at such an offer and leaves the
    body unread, so the head is read once more without it: who offers goes on in HTTP/1.1 when nobody takes it up.
    https://www.rfc-editor.org/rfc/rfc9110#section-7.8
    """

    _offers = False

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            while data:
                data = self._rest_behind_an_offer(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _rest_behind_an_offer(self, data: bytes) -> bytes:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if self._offers:
                self._offers = False
                kept = b"".join(b"%s: %s\r\n" % pair for pair in self.headers if pair[0] != b"upgrade")
                version = self.parser.get_http_version().encode()
                head = b"%s %s HTTP/%s\r\n%s\r\n" % (self.parser.get_method(), self.url, version, kept)
                self.parser = httptools.HttpRequestParser(self)
                self.parser.feed_data(head)
                return data[offer.args[0] :]
        return b""

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._offers = True
            return
        super().on_headers_complete()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope.setdefault("extensions", {})[TRANSPORT] = self.transport

    def on_message_complete(self) -> None:
        if not self._offers:
            super().on_message_complete()


def close(scope: Any) -> None:
    """Hang up without an answer."""
    scope["extensions"][TRANSPORT].abort()


def reset(scope: Any) -> None:
    """A TCP reset: the peer's next read or write fails."""
    transport: asyncio.Transport = scope["extensions"][TRANSPORT]
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def serve(app: Any, sockets: list[socket.socket]) -> None:
    """Until SIGTERM or SIGINT, on sockets that are bound already: who prints their address knows it then."""
    for one in sockets:
        _answer_at_once(one)
    host, port = sockets[0].getsockname()[:2]
    uvicorn.Server(_config(app, host, port)).run(sockets=sockets)


class Server:
    """The same inside another process, for the demo and for tests. Port 0 takes any free one."""

    def __init__(self, app: Any, host: str = "127.0.0.1", port: int = 0, *, also: tuple[str, ...] = ()) -> None:
        """`also`: further addresses, on the same port."""
        self._sockets = [_listen(host, port)]
        self.port: int = self._sockets[0].getsockname()[1]
        self._sockets += [_listen(address, self.port) for address in also]
        self.url = f"http://{host}:{self.port}"
        self._server = uvicorn.Server(_config(app, host, self.port))
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="emulator")

    def start(self) -> None:
        """Returns when requests are answered. Raises RuntimeError where that fails: why, the thread has said."""
        self._thread.start()
        self._started.wait()
        if not self._server.started:
            raise RuntimeError("the stand-in could not be started; the error of its thread says why")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        for listening in self._sockets:
            listening.close()

    def _run(self) -> None:
        # Not uvicorn.Server.run: signals belong to the process that this runs in.
        try:
            asyncio.run(self._serve())
        finally:
            self._started.set()  # whoever started it must not wait for ever

    async def _serve(self) -> None:
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self._server.startup(sockets=self._sockets)
        self._started.set()
        await self._server.main_loop()
        await self._server.shutdown(sockets=self._sockets)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=1024)
    _answer_at_once(listening)
    return listening


def _answer_at_once(listening: socket.socket) -> None:
    """asyncio sets this on sockets it opened itself only; without it every second answer waits 40 ms for an ACK."""
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _LocalControls:
    """The controls are for this machine's own pages and programs. A page on the web can post to 127.0.0.1, which its
    Origin tells, or point its own host name there (DNS rebinding), which the Host tells."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/_emulator/") or _is_local(scope["headers"]):
            await self._app(scope, receive, send)
            return
        body = b'{"error":{"message":"/_emulator/ is for loopback: Host and Origin must be 127.0.0.1 or localhost"}}'
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _is_local(headers: list[tuple[bytes, bytes]]) -> bool:
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    origins = [value.decode("latin-1") for name, value in headers if name == b"origin"]
    return (
        len(hosts) == 1 and _LOCAL_HOST.fullmatch(hosts[0]) is not None and all(map(_LOCAL_ORIGIN.fullmatch, origins))
    )


_HOST = r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?"
_LOCAL_HOST = re.compile(_HOST, re.IGNORECASE | re.ASCII)
_LOCAL_ORIGIN = re.compile(rf"https?://{_HOST}", re.IGNORECASE | re.ASCII)


def _config(app: Any, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        _LocalControls(app),
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
