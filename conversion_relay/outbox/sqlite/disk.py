"""Room on the disk: refuse new events while there is still enough to finish what was begun.

What could go wrong. On a full disk SQLite can neither UPDATE nor DELETE, since both write to the log first. A worker
could then not record that Meta took an event, and would send it again. And a backlog could never drain, because
making room needs room.

The rule: two reserves.
1. Below the soft limit (5 % of the disk, at most 256 MB) nothing new is accepted: the caller hears 503 and keeps the
   event. What is stored is delivered, and each delivered event gives pages back. The free pages inside the file count,
   but only half: the log needs the disk itself.
2. When even settling finds the disk full, because somebody else filled it, a file of ballast is deleted, and the jobs
   are done one at a time with the log emptied between them. The ballast is laid again when there is ample room. It is
   2 % of what is free, at most 64 MB, and none where that would be less than a full batch's answer needs. Only a
   service (`serve`, `deliver`) keeps ballast: a command or somebody else's program leaves no such file behind.

Why statvfs before each commit: it costs two microseconds, and a quick writer fills a small disk within a second. The
ballast is allocated (macOS: written), since a sparse file would give nothing back.

Rejected: a limit in bytes for the backlog (the disk has one); `PRAGMA max_page_count` (it does not count the log);
reserving pages inside the database (the log cannot use them).
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from conversion_relay.outbox.place import opened

MOST_BALLAST = 64 * 1_048_576
LEAST_BALLAST = 262_144
BALLAST_SHARE = 0.02
MOST_RESERVE = 256 * 1_048_576
RESERVE_SHARE = 0.05
LEAST_RESERVE = 4 * 1_048_576
"""What settling a few full batches writes; on a disk of a few megabytes a quarter of it has to do."""


class Room:
    """The free space of one database's file system. Sizes in bytes; they shrink with a small file system."""

    def __init__(self, database: Path, *, ballast: bool = True) -> None:
        self._keeps_ballast = ballast
        self._folder = database.parent
        self._ballast = database.with_name(database.name + "-ballast")
        self._free = self._total = 0

    def is_short(self, free_inside: Callable[[], int]) -> bool:
        """Less is free than the reserve that settling may need. `free_inside`: bytes that the database itself has to
        spare, since what was delivered leaves room in the file, not on the disk; but the log needs the disk."""
        self._look()
        reserve = self._reserve()
        return self._free < reserve / 2 or (self._free < reserve and self._free + free_inside() < 2 * reserve)

    def _reserve(self) -> float:
        least = min(LEAST_RESERVE, self._total / 4)
        return min(MOST_RESERVE, max(least, self._total * RESERVE_SHARE))

    def lay(self) -> None:
        """Put the ballast down, where it is wanted and there is ample room for it."""
        self._look()
        size = int(min(MOST_BALLAST, self._total * BALLAST_SHARE, self._free * BALLAST_SHARE))
        ample = size >= LEAST_BALLAST and self._free > self._reserve() + 2 * size
        if self._keeps_ballast and ample and not self._ballast.exists():
            with contextlib.suppress(OSError):  # without ballast we are poorer, not wrong
                self._write(size)

    def _write(self, size: int) -> None:
        file = opened(self._ballast, os.O_EXCL | os.O_WRONLY)
        try:
            _allocate(file, size)
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

    def _look(self) -> None:
        with contextlib.suppress(OSError):  # the folder is gone: the database will say so
            found = os.statvfs(self._folder)
            self._free, self._total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def _allocate(file: int, size: int) -> None:
    """So many bytes that are the file's own. Raises OSError where there is no room."""
    if allocate := getattr(os, "posix_fallocate", None):
        allocate(file, 0, size)
        return
    nothing = bytes(1_048_576)
    for begun in range(0, size, len(nothing)):
        os.write(file, nothing[: size - begun])
