"""Whether the process that holds a lease is still alive, told by a file lock.

What could go wrong. A worker is killed while it holds a thousand events. Until the lease runs out nobody sends them; a
lease that is short instead is lost whenever Meta answers slowly, and its events are sent twice.

The rule. Each process holds a lock (flock) on a file of its own in `…-owners` and writes the file's name into its
leases. The kernel frees the lock at the moment the process dies, however it dies. Whoever can take the lock of
another owner knows that it is dead, deletes the file and takes its leases back at once. A process that stands still,
but lives, keeps its lock; against that there is the end of the lease.

Two details:
- A new file is visible before it is locked, and another process may just be sweeping it away. So after the lock the
  name is looked at again, and if it is gone another one is taken.
- A child of a fork inherits the descriptor, and with it the lock: its parent's would outlive the parent. The child
  closes it, which frees nothing while the parent holds it too, and takes a lock of its own (`fork.py`).

Rejected: process ids (they come again, and mean nothing in another container); a heartbeat in the database (a write
every second, and its lateness is no proof); POSIX locks by fcntl (dropped when any descriptor of the file is closed).
"""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from conversion_relay.outbox.place import make_folder, opened
from conversion_relay.outbox.sqlite.fork import LOCKS


class Owner:
    """This process's own lock beside the database, and a look at the others'."""

    def __init__(self, database: Path) -> None:
        self._folder = database.with_name(database.name + "-owners")
        make_folder(self._folder)
        for left_behind in self._folder.iterdir():
            self.is_gone(left_behind.name)
        self.name, self._file = self._take_name()

    def _take_name(self) -> tuple[str, int]:
        while True:
            name = f"{os.getpid()}-{secrets.token_hex(4)}"
            file = opened(self._folder / name, os.O_RDWR)
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
