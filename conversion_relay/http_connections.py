"""Connections that `http_client.py` keeps between calls: idle ones by host, and what a new one needs for TLS."""

import contextlib
import queue
import select
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection

MOST_IDLE = 64
"""Connections kept for one host."""
Host = tuple[str, str]
"""Scheme and network location."""


class NoWayOut(Exception):
    """The proxy is not the way; the argument is the reason as `NoAnswer.why` has it."""


class Connections:
    """Idle ones, by host. Safe to use from several threads."""

    def __init__(self) -> None:
        self._idle: dict[Host, queue.LifoQueue[HTTPConnection]] = {}
        self._tls: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    def take(self, host: Host) -> "HTTPConnection":
        """One that was used before, while its other end is still there; else a new one, which is not connected."""
        from http.client import HTTPConnection, HTTPSConnection

        idle = self._of(host)
        while not idle.empty():
            with contextlib.suppress(queue.Empty):  # another thread was quicker
                known = idle.get_nowait()
                if known.sock is not None and not _has_something(known.sock):
                    return known
                known.close()
        scheme, netloc = host
        return HTTPSConnection(netloc, context=self.tls()) if scheme == "https" else HTTPConnection(netloc)

    def keep(self, host: Host, connection: "HTTPConnection") -> None:
        if connection.sock is None:
            return  # the answer said that it would be closed
        try:
            self._of(host).put_nowait(connection)
        except queue.Full:
            connection.close()

    def close(self) -> None:
        for idle in self._idle.values():
            while not idle.empty():
                idle.get().close()

    def _of(self, host: Host) -> "queue.LifoQueue[HTTPConnection]":
        with self._lock:
            return self._idle.setdefault(host, queue.LifoQueue(MOST_IDLE))

    def tls(self) -> "ssl.SSLContext":
        """Made once: reading the system's certificates takes longer than a handshake."""
        import ssl

        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
                self._tls.set_alpn_protocols(["http/1.1"])
            return self._tls


def _has_something(idle: socket.socket) -> bool:
    """Also where the process has more descriptors than select() can name."""
    try:
        poll = select.poll()
        poll.register(idle, select.POLLIN)
        return bool(poll.poll(0))
    except (OSError, ValueError):
        return True
