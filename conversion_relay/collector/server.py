"""uvicorn, the same way for every verb that serves, with bounds and deadlines of our own (`protocol.py`,
`connections.py`): uvicorn waits for ever, and puts together whatever comes."""

import errno
import functools
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from conversion_relay.collector.connections import Limits
from conversion_relay.collector.direct import DirectProtocol
from conversion_relay.telemetry import tell_supervisor, tell_watchdog

KEEP_ALIVE_SECONDS = 15
GRACE_SECONDS = 4
"""For requests that are being answered; with what delivery has in flight it stays below ten seconds."""
_before_stopping: list[Callable[[], None]] = []


def on_told_to_stop(begin: Callable[[], None]) -> None:
    """`begin` is called as soon as the process gets SIGTERM or SIGINT, while open requests are still being answered."""
    _before_stopping.append(begin)


def run(
    app: Any,
    *,
    host: str,
    port: int,
    workers: int = 1,
    factory: bool = False,
    limits: Limits | None = None,
    bound: Callable[[str], None] = lambda _at: None,
) -> None:
    """Until SIGTERM or SIGINT. Exits at once where nothing can be bound; `bound` hears where it is, of port 0, too.
    The caller raised the limit of open files before it opened any (`connections.raise_file_limit`)."""
    sockets = listen_on(host, port)
    bound(", ".join(map(_at, sockets)))
    # uvicorn shuts down gracefully and then raises the signal again: a signal to stop is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        workers=workers,
        factory=factory,
        http=functools.partial(DirectProtocol, limits=limits or Limits()),  # type: ignore[arg-type]
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    if workers > 1:
        tell_supervisor("READY=1")  # what connects from now on is answered as soon as the first worker is up
        _Workers(config, sockets=sockets).run()
        return
    config.load_app()
    server = _Server(config)
    try:
        server.run(sockets=sockets)
    except SystemExit as ended:
        if ended.code != STARTUP_FAILURE:  # 3; the interface knows 1
            raise
    if not server.started:
        sys.exit(1)


def listen_on(host: str, port: int) -> list[socket.socket]:
    """One socket for each address of the name, as asyncio makes them, but for two things: what stands in the way is
    told before anything starts, and `::` takes IPv4 as well, as elsewhere on this system."""
    sockets: list[socket.socket] = []
    name, missing = host.removeprefix("[").removesuffix("]"), None
    try:
        found = socket.getaddrinfo(name or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        _refuse(host, port, error)
    for family, kind, _, _, address in dict.fromkeys(found):
        try:
            sockets.append(_bound(family, kind, address, takes_ipv4=name == "::"))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                _refuse(host, port, error)
            missing = error  # `localhost` may name a family that this machine has not got
    if missing and not sockets:
        _refuse(host, port, missing)
    return sockets


def _at(one: socket.socket) -> str:
    address, port = one.getsockname()[:2]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _refuse(host: str, port: int, error: OSError) -> NoReturn:
    sys.exit(f"Error: port {port} on {host}: {error.strerror}; choose another with --port or --host")


def _bound(family: int, kind: int, address: Any, *, takes_ipv4: bool) -> socket.socket:
    one = socket.socket(family, kind)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not takes_ipv4)
        one.bind(address)
    except OSError:
        one.close()
        raise
    one.set_inheritable(True)  # by the processes of --workers
    return one


class _Server(uvicorn.Server):
    """Delivery begins to stop at the signal, not only after the last request."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            tell_supervisor("READY=1")

    async def on_tick(self, counter: int) -> bool:
        """uvicorn calls it ten times a second, unless something blocks the event loop."""
        if counter % 10 == 0:
            tell_watchdog()
        must_stop = await super().on_tick(counter)
        if must_stop:
            # Not in the signal's handler: it may interrupt the holder of a lock that these wait for.
            tell_supervisor("STOPPING=1")
            for begin in _before_stopping:
                begin()
        return must_stop


class _Workers(Multiprocess):
    """The parent of several workers. A worker that does not answer it is replaced by uvicorn."""

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        tell_watchdog()
