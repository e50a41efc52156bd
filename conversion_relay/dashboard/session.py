"""What a browser holds after signing in: a time until which it may look, signed.

    relay_session = <Unix seconds of its end>.<HMAC-SHA-256 of them>

The key is made of the password and the tokens, so every server process accepts the cookie, nothing has to be stored,
and a new password ends every session. Whoever holds a cookie cannot try passwords against it without the tokens.

A token that is renewed while we run makes another key (`Renewed`). Kept from the start, the key would be another than
that of a server process which starts later, and a person would be sent to sign in by one of the two at each step; made
anew, it would sign everybody out in the minute in which somebody looks whether the new token works. So the newest key
signs, and those of earlier settings of this process are still believed. The password is read at the start alone.

Litestar's own sessions were tried: those in the cookie need `cryptography` and have one Secure flag for all requests,
though one server is reached by https and by http; those in memory are unknown to the other server processes (ADR 21).
"""

import hmac
import re
from collections.abc import Callable, Iterable

from conversion_relay.settings import Settings

COOKIE = "relay_session"
LASTS = 12 * 3_600
_FOUND = re.compile(rf"(?:^|[;,]\s*){COOKIE}=(\d{{1,12}})\.([0-9a-f]{{64}})(?:$|[;,])", re.ASCII)


MOST_BELIEVED = 8


class Renewed:
    """What is made of the secrets of the settings, the newest first. Safe to use from several threads."""

    def __init__(self, settings: Callable[[], Settings], make: Callable[[Settings], bytes]) -> None:
        self._settings, self._make = settings, make
        self._made_of = settings()
        self._made: tuple[bytes, ...] = (make(self._made_of),)

    def all(self) -> tuple[bytes, ...]:
        settings = self._settings()
        if settings is not self._made_of:
            found = self._make(settings)
            self._made = (found, *(one for one in self._made if one != found))[:MOST_BELIEVED]
            self._made_of = settings
        return self._made

    def is_one(self, told: bytes) -> bool:
        return any(hmac.compare_digest(told, one) for one in self.all())


def session_key(settings: Settings) -> bytes:
    secret = "\0".join([settings.admin_password.reveal(), *(d.access_token.reveal() for d in settings.datasets)])
    return hmac.digest(secret.encode(), b"conversion-relay session", "sha256")


def is_signed_in(keys: Iterable[bytes], cookies: str, now: float) -> bool:
    """`keys`: any of them may have signed. `cookies`: the Cookie header.

    >>> cookie = issued(b"k", 1_000.0)
    >>> is_signed_in([b"k"], f"a=b; {cookie}", 1_001.0), is_signed_in([b"k"], cookie, 1_000.0 + LASTS)
    (True, False)
    >>> is_signed_in([b"another"], cookie, 1_001.0), is_signed_in([b"k"], f"x{cookie}", 1_001.0)
    (False, False)
    """
    found = _FOUND.search(cookies)
    if found is None or not any(hmac.compare_digest(_signature(key, found[1]), found[2]) for key in keys):
        return False
    return now < int(found[1])


def issued(key: bytes, now: float) -> str:
    """NAME=VALUE of a new session."""
    ends_at = str(int(now) + LASTS)
    return f"{COOKIE}={ends_at}.{_signature(key, ends_at)}"


def set_cookie(pair: str, *, is_secure: bool, lasts: int = LASTS) -> str:
    """The Set-Cookie header: out of scripts' reach, sent with no request that another site makes.

    >>> set_cookie("relay_session=x", is_secure=True)
    'relay_session=x; Path=/dashboard; Max-Age=43200; HttpOnly; SameSite=Strict; Secure'
    """
    return f"{pair}; Path=/dashboard; Max-Age={lasts}; HttpOnly; SameSite=Strict{'; Secure' if is_secure else ''}"


def forgotten(*, is_secure: bool) -> str:
    return set_cookie(f"{COOKIE}=", is_secure=is_secure, lasts=0)


def _signature(key: bytes, ends_at: str) -> str:
    return hmac.digest(key, ends_at.encode(), "sha256").hex()
