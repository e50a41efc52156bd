"""Who may see what is about the relay itself: the dashboard, /metrics, and why /readyz says no.

What could go wrong. A proxy on this machine makes every visitor look local. A page on the web can point its own host
name at 127.0.0.1 (DNS rebinding) and read through its visitor's browser. A password can be guessed.

The rule. With RELAY_ADMIN_PASSWORD: who knows it, from anywhere: a browser signs in and gets a session (`session.py`),
a script says it each time (HTTP Basic, any user name). Without: this machine alone. "This machine" takes that the peer
is a loopback address, that Host is a loopback name, that Origin is one too where it is sent, and that no header came
which proxies add. HTTP/1.0 counts as such: browsers and curl do not speak it, and nginx did to its upstreams before
1.29.7, by default without any such header. And the peer's program must be one of our own user or of root, as far as the
system tells (`local_user.py`): a proxy that adds nothing is of another.

Guesses. After FREE_GUESSES wrong ones a network (of IPv6 a /48, which one hand may have whole) waits 1, 2,
4 ... MOST_WAIT seconds after each further one; until then it is answered 429 and the password is not looked at. What is
asked meanwhile does not prolong the wait, so that who knows the password waits MOST_WAIT seconds at most for the next
chance, and an hour of silence forgets everything.
Rejected: to accept the right password at any time, which would leave guessing as quick as before; and a lock for good,
with which anyone could shut the operator out.
"""

import base64
import binascii
import ipaddress
import math
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

import msgspec

from conversion_relay.dashboard.local_user import End, is_anothers
from conversion_relay.dashboard.password import Password
from conversion_relay.dashboard.session import is_signed_in
from conversion_relay.http_proxy import is_loopback
from conversion_relay.intake.request_facts import Network, client_address, is_trusted

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
    """The rule, with its memory of wrong guesses; safe to use from several threads.

    `network_of`: the line that an address stands for. `trusted_proxies`: those of now. `keys`: what sessions are signed
    with, the newest first; none: there are no sessions."""

    def __init__(
        self,
        password: str,
        trusted_proxies: Callable[[], Sequence[Network]] = tuple,
        network_of: Callable[[str | None], str] = str,
        clock: Callable[[], float] = time.monotonic,
        *,
        keys: Callable[[], Sequence[bytes]] = tuple,
    ) -> None:
        """Raises SettingsError for a hash that cannot be checked."""
        self._password, self._trusted_proxies = Password(password), trusted_proxies
        self._network_of, self._clock, self.keys = network_of, clock, keys
        self._guesses: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def has_password(self) -> bool:
        return bool(self._password)

    @property
    def is_slow(self) -> bool:
        """A guess takes tens of milliseconds, or a table of connections is looked through: ask in a thread."""
        return self._password.is_hash or not self._password

    def refusal(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        peer: str | None,
        http_version: str = "1.1",
        ends: tuple[End, End] | None = None,
    ) -> Refusal | None:
        """None: let in. `headers`: as ASGI gives them. `peer`: the socket's address. `ends`: the peer's end of the
        connection and ours, where they are known."""
        told = by_name(headers)
        if self._password:
            if is_signed_in(self.keys(), told.get("cookie", ""), time.time()):
                return None
            authorization = told.get("authorization", "")
            return self._guess(_given(authorization), self._network(told, peer)) if authorization else _asked_for()
        if _is_local(told, peer, http_version) and not (ends and is_anothers(*ends)):
            return None
        return Refusal(403, "set RELAY_ADMIN_PASSWORD to open this to other machines and users, and through proxies")

    def sign_in(self, password: str, headers: Iterable[tuple[bytes, bytes]], peer: str | None) -> Refusal | None:
        """None: the password is right. Guesses here and by Basic are counted together."""
        return self._guess(password.encode(), self._network(by_name(headers), peer))

    def is_secure(self, scheme: str, headers: Iterable[tuple[bytes, bytes]], peer: str | None) -> bool:
        """The browser came by https, as far as we, a trusted proxy, or the browser itself can tell: who claims it
        falsely gets a cookie that their own browser does not keep."""
        told = by_name(headers)
        said = told.get("x-forwarded-proto", "").rpartition(",")[2].strip()
        by_proxy = said == "https" and is_trusted(peer, self._trusted_proxies())
        return scheme == "https" or by_proxy or told.get("origin", "").startswith("https://")

    def _network(self, told: dict[str, str], peer: str | None) -> str:
        return self._network_of(client_address(peer, told.get("x-forwarded-for", ""), self._trusted_proxies()))

    def _guess(self, given: bytes | None, network: str) -> Refusal | None:
        with self._lock:
            now = self._clock()
            wrong, until = self._guesses.get(network, (0, 0.0))
            if now > until + FORGOTTEN_AFTER:
                wrong = 0
            if now < until:
                wait = {"Retry-After": str(math.ceil(until - now))}
                return Refusal(429, "too many wrong passwords; wait a little", wait)
            if given is not None and self._password.is_right(given):
                return None
            wait_for = min(MOST_WAIT, 2.0 ** (wrong - FREE_GUESSES)) if wrong >= FREE_GUESSES else 0.0
            self._guesses[network] = (min(wrong + 1, 64), now + wait_for)
            self._guesses.move_to_end(network)
            if len(self._guesses) > MOST_REMEMBERED:
                self._guesses.popitem(last=False)
            return _asked_for()


def by_name(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name in lower case; several of a name as one, as HTTP has it."""
    told: dict[str, str] = {}
    for name, value in headers:
        key = name.decode("latin-1").lower()
        told[key] = f"{told[key]},{value.decode('latin-1')}" if key in told else value.decode("latin-1")
    return told


def _asked_for() -> Refusal:
    message = "the password is RELAY_ADMIN_PASSWORD; any user name"
    return Refusal(401, message, {"WWW-Authenticate": 'Basic realm="Conversion Relay"'})


def _given(authorization: str) -> bytes | None:
    """The password of HTTP Basic."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        given = base64.b64decode(credentials.encode("latin-1"), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return None
    return given if scheme.lower() == "basic" else None


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
    return is_loopback(name.lower())
