"""What a database server and this process take together, by the kernel's count."""

import os
import time
from pathlib import Path

from tests.outbox.postgres.server import Server


class Cpu:
    """Seconds of CPU of this process and the server's, since it was made."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.began = self._all()

    def _all(self) -> float:
        pids = [self.server.pid(), *map(int, self.server.children())]
        ticks = sum(_ticks(pid) for pid in pids)
        return ticks / os.sysconf("SC_CLK_TCK") + time.process_time()

    def seconds(self) -> float:
        return self._all() - self.began


def _ticks(pid: int) -> int:
    """With those of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(field) for field in fields[11:15])
