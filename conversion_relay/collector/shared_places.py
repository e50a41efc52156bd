"""Places (`places.py`) that several processes of a machine share, in a file that each of them maps.

What could go wrong. With places in each process a visitor's script gets its limit from each, by as many connections,
and a dataset has its limit as often as there are processes. A table that grows with the number of networks is what an
attacker fills.

The rule. The table has SETS of WAYS places. A name's digest says in which set it is; a new one takes the place that was
used longest ago. Who changes a place holds the file's lock for some microseconds. Times are of the clock that nobody
sets, which is one for all processes of a machine.
"""

import fcntl
import mmap
import os
import struct
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from conversion_relay.collector.places import Numbers, Places, Result

SETS, WAYS = 4_096, 4
_place = struct.Struct("<8s5d")
"""The name's digest, four numbers, and when it was used."""


class SharedPlaces(Places):
    """Called by one thread of each process."""

    def __init__(self, path: Path, *, used_clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._used_clock = used_clock
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        size = SETS * WAYS * _place.size
        os.ftruncate(self._file, size)  # the same size each time: what is there stays
        self._table = mmap.mmap(self._file, size)

    def change(self, name: str, after: Callable[[Numbers | None], tuple[Result, Numbers]]) -> Result:
        digest = blake2b(name.encode(), digest_size=8).digest()
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            place, found = self._find(digest)
            result, kept = after(found)
            _place.pack_into(self._table, place, digest, *kept, self._used_clock())
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        return result

    def _find(self, digest: bytes) -> tuple[int, Numbers | None]:
        """Where it is, or may be from now on."""
        first = int.from_bytes(digest, "little") % SETS * WAYS
        oldest = (float("inf"), 0)
        for number in range(first, first + WAYS):
            known, *numbers, used_at = _place.unpack_from(self._table, number * _place.size)
            if known == digest:
                return number * _place.size, (numbers[0], numbers[1], numbers[2], numbers[3])
            oldest = min(oldest, (used_at, number * _place.size))
        return oldest[1], None
