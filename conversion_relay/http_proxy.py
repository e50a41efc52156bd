"""The way out through a company's proxy, as HTTPS_PROXY and NO_PROXY tell it: one `CONNECT`, then TLS to the host.

What could go wrong: the proxy asks for a login, says no, answers for ever or not at all. Then nothing was sent, and the
reason is a word of its own: what is wrong stands between us and Meta, and Meta was never asked.

The variables are those of curl and requests: https://everything.curl.dev/usingcurl/proxies/env.html
https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6
"""

import base64
import socket
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

import msgspec

from conversion_relay.http_connections import NoWayOut

LONGEST_ANSWER = 65_536
Reached = Callable[[str, int, float], socket.socket]
SHARE = 0.8
"""Of the call's seconds; so its silence is told as the proxy's, and nobody waits for it when the call has ended."""


class Proxy(msgspec.Struct, frozen=True):
    """Its repr hides the login."""

    host: str
    port: int
    login: str = ""

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"

    def connect(self, reached: Reached, host: str, port: int, connect_seconds: float, seconds: float) -> socket.socket:
        """A connection to the host through this proxy. `reached`: opens one to the proxy. Raises NoWayOut."""
        try:
            connected = reached(self.host, self.port, connect_seconds)
        except OSError:
            raise NoWayOut("proxy_unreached") from None
        try:
            ends_at = time.monotonic() + seconds * SHARE
            self._ask(connected, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", ends_at)
        except OSError:
            connected.close()
            raise NoWayOut("proxy_refused") from None
        except NoWayOut:
            connected.close()
            raise
        return connected

    def _ask(self, connected: socket.socket, way: str, ends_at: float) -> None:
        asked = f"CONNECT {way} HTTP/1.1\r\nHost: {way}\r\n"
        if self.login:
            asked += f"Proxy-Authorization: Basic {base64.b64encode(self.login.encode()).decode()}\r\n"
        connected.settimeout(max(0.001, ends_at - time.monotonic()))
        connected.sendall(f"{asked}\r\n".encode("ascii"))
        answer = b""
        # More than its answer a proxy does not send: the host's server speaks after us.
        while b"\r\n\r\n" not in answer:
            connected.settimeout(max(0.001, ends_at - time.monotonic()))  # for all of it: a proxy may drip
            if not (more := connected.recv(4_096)) or len(answer) > LONGEST_ANSWER:
                raise NoWayOut("proxy_refused")
            answer += more
        _, _, status = answer.partition(b"\r\n")[0].partition(b" ")
        if status[:3] == b"407":
            raise NoWayOut("proxy_login")
        if status[:1] != b"2":
            raise NoWayOut("proxy_refused")


def proxy_for(host: str, environ: Mapping[str, str]) -> Proxy | None:
    """None for a host of NO_PROXY and for this machine. Raises NoWayOut where the proxy's address is none.

    >>> environ = {"HTTPS_PROXY": "http://joe:s3cret@proxy.corp.example:3128", "NO_PROXY": ".internal.example"}
    >>> proxy_for("graph.facebook.com", environ), proxy_for("sqs.internal.example", environ), proxy_for("::1", environ)
    (Proxy(proxy.corp.example:3128), None, None)
    """
    named = environ.get("https_proxy") or environ.get("HTTPS_PROXY") or ""
    if not named or _is_reached_directly(host, environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return None
    try:
        parts = urlsplit(named if "://" in named else f"http://{named}")
        port = parts.port or 80
    except ValueError:
        raise NoWayOut("proxy_address") from None
    if parts.scheme != "http" or not parts.hostname:
        raise NoWayOut("proxy_address")  # SOCKS, and TLS to the proxy itself, are not spoken
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    return Proxy(parts.hostname, port, login)


def _is_reached_directly(host: str, exceptions: str) -> bool:
    name = host.strip("[]").rstrip(".").lower()
    if is_loopback(name):
        return True
    for given in exceptions.lower().split(","):
        excepted = given.strip().removeprefix("*").lstrip(".").partition(":")[0] if given.count(":") < 2 else given
        if given.strip() == "*" or (excepted and (name == excepted or name.endswith(f".{excepted}"))):
            return True
    return False


def is_loopback(host: str) -> bool:
    """Whether it names this machine, to whoever is on it."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
