"""What a person proves themselves with, kept away from the variables that a report of errors shows.

What could go wrong. A fault behind a page of ours passes through Litestar, whose frames hold the request's headers.
Tools that report errors hook into Litestar by themselves and show the variables of each frame. So RELAY_ADMIN_PASSWORD
(HTTP Basic, with every scrape of /metrics) and the session left the machine each time that the outbox was away.

The rule. Litestar gets that there was such a header, not what it said. What it said is asked for here.
"""

from collections.abc import Mapping
from typing import Any

from conversion_relay.dashboard.session import COOKIE

Pairs = list[tuple[bytes, bytes]]
_KEY = "conversion_relay.headers"


class Told:
    """Headers that show in no repr."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def __repr__(self) -> str:
        return "Told(***)"


def without_credentials(scope: Mapping[str, Any]) -> dict[str, Any]:
    """The same request for whoever need not know them.

    >>> without_credentials({"headers": [(b"authorization", b"Basic cGFzcw=="), (b"host", b"a")]})["headers"]
    [(b'authorization', b'***'), (b'host', b'a')]
    """
    pairs = list(scope["headers"])
    return {**scope, "headers": [(name, _struck(name.lower(), value)) for name, value in pairs], _KEY: Told(pairs)}


def all_headers(scope: Mapping[str, Any]) -> Pairs:
    told = scope.get(_KEY)
    return told.pairs if isinstance(told, Told) else scope["headers"]


def _struck(name: bytes, value: bytes) -> bytes:
    if name == b"cookie":
        return f"{COOKIE}=***".encode() if COOKIE.encode() in value else b""
    return b"***" if name in (b"authorization", b"proxy-authorization") else value
