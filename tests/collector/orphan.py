"""`python -m tests.collector.orphan FOLDER`: starts one of several processes, and is gone before that one has begun.

Its process id is in the file `pid`.
"""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

from conversion_relay.collector.together import Together
from conversion_relay.telemetry import Counters


def begin_late(folder: str, parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.01)
    Together(Path(folder), Counters()).start(None)
    signal.pause()


if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=begin_late, args=(sys.argv[1], os.getpid()))
    process.start()
    (Path(sys.argv[1]) / "pid").write_text(str(process.pid))
    os._exit(0)
