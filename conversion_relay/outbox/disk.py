"""Room on the disk: refuse at the door while there is still enough to finish what was begun.

On a full disk SQLite can neither UPDATE nor DELETE, so a worker could not even record that Meta took an event. Two
reserves prevent that: below the soft limit nothing new is accepted, and a file of ballast is there to be given up when
even settling needs room.
"""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

MOST_BALLAST = 64 * 1_048_576
BALLAST_SHARE = 0.02
MOST_RESERVE = 256 * 1_048_576
RESERVE_SHARE = 0.05
LOOK_EVERY = 0.25


class Room:
    """The free space of one database's file system. Sizes in bytes; they shrink with a small file system."""

    def __init__(self, database: Path) -> None:
        self._folder = database.parent
        self._ballast = database.with_name(database.name + "-ballast")
        self._looked_at = 0.0
        self._free = self._total = 0
        self.lay()

    def is_short(self, free_inside: Callable[[], int]) -> bool:
        """Less is free than the reserve that settling may need. `free_inside`: bytes that the database itself has to
        spare, since what was delivered leaves room in the file, not on the disk."""
        self._look()
        reserve = min(MOST_RESERVE, self._total * RESERVE_SHARE)
        return self._free < reserve and self._free + free_inside() < 2 * reserve

    def lay(self) -> None:
        """Put the ballast down where there is ample room for it."""
        self._look(now=True)
        size = int(min(MOST_BALLAST, self._total * BALLAST_SHARE))
        ample = self._free > min(MOST_RESERVE, self._total * RESERVE_SHARE) + 2 * size
        if ample and not self._ballast.exists():
            with contextlib.suppress(OSError):  # without ballast we are poorer, not wrong
                self._write(size)

    def _write(self, size: int) -> None:
        file = os.open(self._ballast, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.posix_fallocate(file, 0, size)
        except OSError:
            self._ballast.unlink(missing_ok=True)
            raise
        finally:
            os.close(file)

    def release(self) -> bool:
        """Give the ballast up; whether there was any."""
        try:
            self._ballast.unlink()
        except OSError:
            return False
        return True

    def _look(self, *, now: bool = False) -> None:
        if now or time.monotonic() - self._looked_at >= LOOK_EVERY:
            self._looked_at = time.monotonic()
            found = os.statvfs(self._folder)
            self._free, self._total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
