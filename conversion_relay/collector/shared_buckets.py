"""Token buckets that several processes of a machine share, in a file that each of them maps.

What could go wrong. With a bucket in each process a visitor's script gets its limit from each, by as many connections.
A table that grows with the number of networks is what an attacker fills.

The rule. The table has SETS of WAYS places. A network's digest says in which set it is; a new one takes the place that
was used longest ago. Who takes from a bucket holds the file's lock for some microseconds. Times are of the clock that
nobody sets, which is one for all processes of a machine.
"""

import fcntl
import mmap
import os
import struct
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from conversion_relay.collector.limits import TokenBuckets, network_of

SETS, WAYS = 4_096, 4
_place = struct.Struct("<8sddd")
"""The network's digest, tokens, bytes, and since when."""


class SharedBuckets(TokenBuckets):
    """Called by one thread of each process."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic, **limits: float) -> None:
        super().__init__(clock=clock, **limits)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        size = SETS * WAYS * _place.size
        os.ftruncate(self._file, size)  # the same size each time: what is there stays
        self._table = mmap.mmap(self._file, size)

    def take(self, address: str | None, events: int = 1, size: int = 0) -> bool:
        name = blake2b(network_of(address).encode(), digest_size=8).digest()
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            place, kept = self._find(name)
            allowed, left = self.after(kept, events, size)
            _place.pack_into(self._table, place, name, *left)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        return allowed

    def _find(self, name: bytes) -> tuple[int, tuple[float, float, float] | None]:
        """Where it is, or may be from now on."""
        first = int.from_bytes(name, "little") % SETS * WAYS
        oldest = (float("inf"), 0)
        for number in range(first, first + WAYS):
            known, tokens, left, since = _place.unpack_from(self._table, number * _place.size)
            if known == name:
                return number * _place.size, (tokens, left, since)
            oldest = min(oldest, (since, number * _place.size))
        return oldest[1], None
