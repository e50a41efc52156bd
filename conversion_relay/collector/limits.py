"""Limits how much browsers send: token buckets per network, in events and in bytes, so that no visitor's script fills
the outbox.

Whose bucket. An IPv4 address is one customer's line, and stands for itself, also where it is written as IPv6
(`::ffff:198.51.100.7`). Of IPv6 a line has a /64 at least. But a rented server or a tunnel may come with a /48, which
is 65,536 of them: so all of a /48 together have as much as WIDER lines, more than the phones of a carrier's /48 send to
one site. What cannot be read as an address shares one bucket: a proxy that sends rubbish must not be a way around.
Loopback is one line like any other: a proxy that nobody told us of stands there for all its visitors, and for a flood
as well. Who has a key has no bucket.
"""

import ipaddress
import time
from collections.abc import Callable
from functools import lru_cache

from conversion_relay.collector.places import Numbers, Places

MOST_EVENTS = 100
"""Of a browser's request. A page that was away for a while sends what it kept; a thousand at once is no page."""
MOST_BYTES = 262_144
MOST_PAID = 100
"""Purchases and the like of one network in a day. A carrier may put thousands of customers behind one IPv4 address; a
shop so large has a server that reports what was paid."""
MOST_VISITS = 10_000
"""That pages of one network may have remembered in a day: each is kept for up to 90, and a disk is filled by patience,
too."""
WIDER = 16
UNREADABLE = "unreadable"


class TokenBuckets:
    """`rate` events a second with bursts of `burst`; `byte_rate` and `byte_burst` the same in bytes."""

    def __init__(
        self,
        rate: float = 50.0,
        burst: float = 500.0,
        byte_rate: float = MOST_BYTES,
        byte_burst: float = 16 * MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
        places: Places | None = None,
    ) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._byte_rate, self._byte_burst = byte_rate, byte_burst
        self._places = places or Places()

    def take(self, address: str | None, events: int = 1, size: int = 0) -> bool:
        """Whether all of it is allowed now; takes all or nothing. A negative `size` gives back what was not used."""
        network = network_of(address)
        if not self._places.change(network, lambda kept: self._after(kept, events, size)):
            return False
        holder = _holder(network)
        if holder == network or self._places.change(holder, lambda kept: self._after(kept, events, size, WIDER)):
            return True
        self._places.change(network, lambda kept: self._after(kept, -events, -size))
        return False

    def _after(self, kept: Numbers | None, events: int, size: int, lines: int = 1) -> tuple[bool, Numbers]:
        """Kept: tokens for events and for bytes, and when that was. None: a full bucket."""
        now, most, most_bytes = self._clock(), self._burst * lines, self._byte_burst * lines
        tokens, left, since, _ = kept or (most, most_bytes, now, 0.0)
        tokens = min(most, tokens + (now - since) * self._rate * lines)
        left = min(most_bytes, left + (now - since) * self._byte_rate * lines)
        allowed = tokens >= events and left >= size
        return allowed, (tokens - events, left - size, now, 0.0) if allowed else (tokens, left, now, 0.0)


class DailyBound:
    """So many of one network in a day (UTC): money that pages report, and visits, since a page can be forged."""

    def __init__(
        self, most: int = MOST_PAID, clock: Callable[[], float] = time.time, places: Places | None = None
    ) -> None:
        self._most, self._clock, self._places = most, clock, places or Places()

    def take(self, address: str | None) -> bool:
        network = network_of(address)
        holder = _holder(network)
        return self._places.change(network, self._after) and (
            holder == network or self._places.change(holder, lambda kept: self._after(kept, WIDER))
        )

    def _after(self, kept: Numbers | None, lines: int = 1) -> tuple[bool, Numbers]:
        """Kept: the day, and how many there were."""
        today = float(self._clock() // 86_400)
        day, n, *_ = kept or (today, 0.0, 0.0, 0.0)
        n = n if day == today else 0.0
        most = self._most * lines
        return n < most, (today, min(n + 1, most), 0.0, 0.0)


LOOPBACK = "loopback"


@lru_cache(maxsize=4_096)
def network_of(address: str | None) -> str:
    """The line that an address stands for.

    >>> network_of("::ffff:198.51.100.7"), network_of("2001:db8:1:2::9"), network_of("127.0.0.9"), network_of("x")
    ('198.51.100.7', '2001:db8:1:2::/64', 'loopback', 'unreadable')
    """
    try:
        parsed = ipaddress.ip_address((address or "")[:64])
    except ValueError:
        return UNREADABLE
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped or parsed.sixtofour
        if mapped is None and not parsed.is_loopback:
            return str(ipaddress.ip_network((parsed.packed, 64), strict=False))
        parsed = mapped or parsed
    return LOOPBACK if parsed.is_loopback else str(parsed)


def holder_of(address: str | None) -> str:
    """Whose hand it is: as `network_of`, but all of a /48. Three guesses at a password for each /64 would leave nobody
    to wait.

    >>> holder_of("2001:db8:1:2::9"), holder_of("198.51.100.7")
    ('2001:db8:1::/48', '198.51.100.7')
    """
    return _holder(network_of(address))


@lru_cache(maxsize=4_096)
def _holder(network: str) -> str:
    return str(ipaddress.ip_network(network).supernet(new_prefix=48)) if network.endswith("/64") else network
