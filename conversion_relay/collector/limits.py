"""Limits how many requests browsers send: a token bucket per network, so that no visitor's script fills the outbox."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_NETWORKS = 10_000


class TokenBuckets:
    """`rate` requests a second with bursts of `burst`, by IPv4 /24 and IPv6 /64. Loopback is the operator's own."""

    def __init__(self, rate: float = 50.0, burst: float = 500.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str | None) -> bool:
        """Whether there is a token left; takes it."""
        network = _network(address)
        if network is None:
            return True
        now = self._clock()
        tokens, since = self._buckets.pop(network, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        allowed = tokens >= 1
        self._buckets[network] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > MOST_NETWORKS:
            self._buckets.popitem(last=False)
        return allowed


def _network(address: str | None) -> str | None:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    if parsed.is_loopback:
        return None
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 64), strict=False))
