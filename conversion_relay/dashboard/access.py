"""Who may see what is about the relay itself: the dashboard, /metrics, and why /readyz says no.

What could go wrong. A proxy on this machine makes every visitor look local. A page on the web can point its own host
name at 127.0.0.1 (DNS rebinding) and read through its visitor's browser. A password can be guessed.

The rule. With RELAY_ADMIN_PASSWORD: who knows it (HTTP Basic, any user name), from anywhere; without: this machine
alone. "This machine" takes that the peer is a loopback address, that Host is a loopback name, that Origin is one too
where it is sent, and that no header came which proxies add. HTTP/1.0 counts as such: browsers and curl do
not speak it, and nginx does to its upstreams, by default without any such header.

Guesses. After FREE_GUESSES wrong ones a network waits 1, 2, 4 ... MOST_WAIT seconds after each further one; until then
it is answered 429 and the password is not looked at. What is asked meanwhile does not prolong the wait, so that who
knows the password waits MOST_WAIT seconds at most for the next chance, and an hour of silence forgets everything.
Rejected: to accept the right password at any time, which would leave guessing as quick as before; and a lock for good,
with which anyone could shut the operator out.
"""

import base64
import binascii
import hmac
import ipaddress
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

import msgspec

from conversion_relay.intake.request_facts import Network, client_address

FREE_GUESSES = 3
MOST_WAIT = 16.0
FORGOTTEN_AFTER = 3_600.0
MOST_REMEMBERED = 10_000
_OF_PROXIES = re.compile(
    r"forward|real-?ip|client-?ip|connecting-ip|remote-?(?:addr|ip)|original-|-visitor|^via$|^cdn-|^cf-|^x-envoy|^x-amzn?-|^x-arr-"
    r"|^x-azure|^x-vercel|^x-appengine|^x-proxy|^x-scheme$|^x-host$|^x-varnish|^fly-|^fastly|^ali-cdn|^incap|^x-sucuri"
)


class Refusal(msgspec.Struct, frozen=True):
    status: int
    message: str
    headers: dict[str, str] = {}


class Access:
    """The rule, with its memory of wrong guesses. `network_of`: the line that an address stands for."""

    def __init__(
        self,
        password: str,
        trusted_proxies: Sequence[Network] = (),
        network_of: Callable[[str | None], str] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._password, self._trusted_proxies = password, trusted_proxies
        self._network_of, self._clock = network_of, clock
        self._guesses: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def refusal(
        self, headers: Iterable[tuple[bytes, bytes]], peer: str | None, http_version: str = "1.1"
    ) -> Refusal | None:
        """None: let in. `headers`: as ASGI gives them. `peer`: the socket's address."""
        told: dict[str, str] = {}
        for name, value in headers:
            key = name.decode("latin-1").lower()
            told[key] = f"{told[key]},{value.decode('latin-1')}" if key in told else value.decode("latin-1")
        if self._password:
            client = client_address(peer, told.get("x-forwarded-for", ""), self._trusted_proxies)
            return self._judge_password(told.get("authorization", ""), self._network_of(client))
        if _is_local(told, peer, http_version):
            return None
        return Refusal(403, "set RELAY_ADMIN_PASSWORD to open this to other machines and through proxies")

    def _judge_password(self, authorization: str, network: str) -> Refusal | None:
        if not authorization:
            return _asked_for()
        now = self._clock()
        wrong, until = self._guesses.get(network, (0, 0.0))
        if now > until + FORGOTTEN_AFTER:
            wrong = 0
        if now < until:
            wait = {"Retry-After": str(math.ceil(until - now))}
            return Refusal(429, "too many wrong passwords; wait a little", wait)
        if _knows(self._password, authorization):
            return None
        wait_for = min(MOST_WAIT, 2.0 ** (wrong - FREE_GUESSES)) if wrong >= FREE_GUESSES else 0.0
        self._guesses[network] = (min(wrong + 1, 64), now + wait_for)
        self._guesses.move_to_end(network)
        if len(self._guesses) > MOST_REMEMBERED:
            self._guesses.popitem(last=False)
        return _asked_for()


def _asked_for() -> Refusal:
    message = "the password is RELAY_ADMIN_PASSWORD; any user name"
    return Refusal(401, message, {"WWW-Authenticate": 'Basic realm="Conversion Relay"'})


def _knows(password: str, authorization: str) -> bool:
    scheme, _, credentials = authorization.partition(" ")
    try:
        given = base64.b64decode(credentials.encode("latin-1"), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return False
    return scheme.lower() == "basic" and hmac.compare_digest(given, password.encode())


def _is_local(told: dict[str, str], peer: str | None, http_version: str) -> bool:
    try:
        address = ipaddress.ip_address(peer or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    if not (mapped or address).is_loopback or http_version == "1.0":
        return False
    if any(_OF_PROXIES.search(name) for name in told):
        return False
    return is_loopback_host(told.get("host", "")) and ("origin" not in told or is_loopback_page(told["origin"]))


def is_loopback_page(url: str) -> bool:
    """
    >>> is_loopback_page("http://127.0.0.1:8000/dashboard"), is_loopback_page("null"), is_loopback_page("http://[::1")
    (True, False, False)
    """
    try:
        return is_loopback_host(urlsplit(url).netloc)
    except ValueError:
        return False


def is_loopback_host(host: str) -> bool:
    """A Host header that only this machine answers to.

    >>> [is_loopback_host(host) for host in ("localhost:8000", "[::1]", "127.0.0.1", "127.0.0.1.evil.example", "")]
    [True, True, True, False, False]
    """
    name, port = host, ""
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        if port[:1] not in ("", ":"):
            return False
        port = port[1:]
    elif host.count(":") == 1:
        name, _, port = host.partition(":")
    if port and not (port.isascii() and port.isdecimal()):
        return False
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
