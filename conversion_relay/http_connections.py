"""Connections that `http_client.py` keeps between calls: idle ones by host, and how a new one is made.

What could go wrong: a host has an IPv6 address that swallows every packet, as some networks do. Whoever tries one
address after the other waits a second and a half for each new connection, or never comes to the one that answers.

The rule is that of Happy Eyeballs (https://www.rfc-editor.org/rfc/rfc8305#section-5): the addresses of both families in
turn, each a quarter of a second after the one before, at once where that one failed; the first that answers is taken.
Which family that was is remembered for ten minutes, so that the next connection does not wait for the other.

Left out: the two lookups are not run apart (section 3), since `getaddrinfo` answers for both families at once.
"""

import contextlib
import errno
import queue
import select
import socket
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection

MOST_IDLE = 64
"""Connections kept for one host."""
NEXT_ADDRESS_SECONDS = 0.25
"""https://www.rfc-editor.org/rfc/rfc8305#section-8"""
MOST_ADDRESSES = 8
"""Of one host that are tried for one connection."""
FAMILY_SECONDS = 600.0
MOST_FAMILIES = 64
"""Hosts whose family is remembered."""
Address = tuple[int, int, int, str, tuple[object, ...]]
"""As `getaddrinfo` gives it: family, type, protocol, canonical name, address."""
Host = tuple[str, str]
"""Scheme and network location."""


class NoWayOut(Exception):
    """The proxy is not the way; the argument is the reason as `NoAnswer.why` has it."""


class Connections:
    """Idle ones, by host. Safe to use from several threads."""

    def __init__(self) -> None:
        self._idle: dict[Host, queue.LifoQueue[HTTPConnection]] = {}
        self._families: dict[str, tuple[int, float]] = {}
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
        with self._lock:  # a call that begins meanwhile may be the first one of its host
            kept = list(self._idle.values())
        for idle in kept:
            with contextlib.suppress(queue.Empty):  # or take one between a look and a `get`
                while True:
                    idle.get_nowait().close()

    def _of(self, host: Host) -> "queue.LifoQueue[HTTPConnection]":
        with self._lock:
            return self._idle.setdefault(host, queue.LifoQueue(MOST_IDLE))

    def open(self, host: str, port: int, seconds: float) -> socket.socket:
        """A new connection, on which each read waits so long, too. At most `seconds` after the last address was begun.
        Raises OSError: a refusal if one address refused, else TimeoutError if one was silent."""
        found: Sequence[Address] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if len({family for family, *_ in found}) == 1:
            return _first_to_answer(found[:MOST_ADDRESSES], seconds)
        with self._lock:
            family, until = self._families.get(host, (found[0][0], float("inf")))
        family = family if time.monotonic() < until else found[0][0]
        opened = _first_to_answer(in_turn(found, family)[:MOST_ADDRESSES], seconds)
        with self._lock:
            self._families.pop(host, None)
            while len(self._families) >= MOST_FAMILIES:
                del self._families[next(iter(self._families))]
            self._families[host] = (opened.family, time.monotonic() + FAMILY_SECONDS)
        return opened

    def tls(self) -> "ssl.SSLContext":
        """Made once: reading the system's certificates takes longer than a handshake."""
        import ssl

        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
                self._tls.set_alpn_protocols(["http/1.1"])
            return self._tls


def in_turn(found: Sequence[Address], first: int) -> list[Address]:
    """One family and the others in turn, beginning with `first`; each in the order of the system.

    >>> found = [(10, 1, 6, "", ("2001:db8::1",)), (10, 1, 6, "", ("2001:db8::2",)), (2, 1, 6, "", ("192.0.2.1",))]
    >>> [address[4][0] for address in in_turn(found, 2)]
    ['192.0.2.1', '2001:db8::1', '2001:db8::2']
    """
    ours = [address for address in found if address[0] == first]
    others = [address for address in found if address[0] != first]
    ordered: list[Address] = []
    for place in range(max(len(ours), len(others))):
        ordered += [*ours[place : place + 1], *others[place : place + 1]]
    return ordered


def _first_to_answer(addresses: Sequence[Address], seconds: float) -> socket.socket:
    waiting, errors, poll = dict[int, socket.socket](), list[OSError](), select.poll()
    left, next_at, ends_at = list(addresses), 0.0, 0.0
    try:
        while left or waiting:
            now = time.monotonic()
            if left and (now >= next_at or not waiting):
                next_at, ends_at = now + NEXT_ADDRESS_SECONDS, now + seconds
                try:
                    begun = _begun(left.pop(0))
                except OSError as error:
                    errors.append(error)
                    next_at = 0.0
                    continue
                waiting[begun.fileno()] = begun
                poll.register(begun, select.POLLOUT)
            elif not left and now >= ends_at:
                errors.append(TimeoutError())
                break
            for descriptor, _ in poll.poll(max(0.0, ((next_at if left else ends_at) - time.monotonic()) * 1_000)):
                poll.unregister(descriptor)
                tried = waiting.pop(descriptor)
                if not (code := tried.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                    tried.settimeout(seconds)
                    return tried
                tried.close()
                errors.append(OSError(code, "not connected"))
                next_at = 0.0
    finally:
        for other in waiting.values():
            other.close()
    # What was heard tells more than silence, and silence more than that this machine has no way there.
    raise min(
        errors, key=lambda error: (not isinstance(error, ConnectionRefusedError), not isinstance(error, TimeoutError))
    )


def _begun(address: Address) -> socket.socket:
    family, kind, protocol, _, to = address
    begun = socket.socket(family, kind, protocol)
    try:
        begun.setblocking(False)
        code = begun.connect_ex(to)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, "not connected")
    except BaseException:
        begun.close()
        raise
    return begun


def _has_something(idle: socket.socket) -> bool:
    """Also where the process has more descriptors than select() can name."""
    try:
        poll = select.poll()
        poll.register(idle, select.POLLIN)
        return bool(poll.poll(0))
    except (OSError, ValueError):
        return True
