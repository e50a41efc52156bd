"""Who holds a lease, told by a file lock: the kernel frees it the moment its process dies.

Without it, events leased by a killed worker would lie until their lease ran out.
"""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from conversion_relay.outbox.sqlite.fork import LOCKS


class Owner:
    """This process's own lock beside the database, and a look at the others'."""

    def __init__(self, database: Path) -> None:
        self._folder = database.with_name(database.name + "-owners")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for left_behind in self._folder.iterdir():
            self.is_gone(left_behind.name)
        self.name, self._file = self._take_name()

    def _take_name(self) -> tuple[str, int]:
        while True:
            name = f"{os.getpid()}-{secrets.token_hex(4)}"
            file = os.open(self._folder / name, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            if (self._folder / name).exists():
                LOCKS.add(file)
                return name, file
            os.close(file)  # another process swept it away in the moment before the lock

    def is_gone(self, name: str) -> bool:
        """Whether that process is dead; its lock file is then taken away."""
        path = self._folder / Path(name).name
        try:
            file = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return True
        except OSError:
            return False  # we cannot look now; its leases run out anyway
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            path.unlink(missing_ok=True)
            return True
        finally:
            os.close(file)

    def release(self) -> None:
        with contextlib.suppress(OSError):
            (self._folder / self.name).unlink()
        LOCKS.discard(self._file)
        os.close(self._file)
