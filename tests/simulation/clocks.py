"""Doubles for clocks, chance, and what names a process."""

import fcntl
import os
import random
import secrets
import time

from tests.simulation.scheduler import MICRO, START, current


def install() -> None:
    real_gmtime, real_localtime, real_flock = time.gmtime, time.localtime, fcntl.flock

    def steady() -> float:
        return 1000.0 + current().now / MICRO

    def wall() -> float:
        world = current()
        return START + (world.now + world.task.process.clock_offset) / MICRO

    def flock(file: int, operation: int) -> None:
        """The kernel would stop the one OS thread that there is."""
        while True:
            try:
                return real_flock(file, operation | fcntl.LOCK_NB)
            except BlockingIOError:
                if operation & fcntl.LOCK_NB:
                    raise
            current().sleep(0.01)

    def random_bytes(n: int | None = 32) -> bytes:
        return current().entropy.randbytes(32 if n is None else n)

    time.time = wall
    time.monotonic = time.perf_counter = steady
    time.monotonic_ns = time.perf_counter_ns = lambda: round(steady() * 1e9)  # type: ignore[assignment]
    time.time_ns = lambda: round(wall() * 1e9)
    time.clock_gettime = lambda _: steady()  # type: ignore[assignment]
    time.sleep = lambda seconds: current().sleep(seconds)  # type: ignore[assignment]
    time.gmtime = lambda at=None: real_gmtime(wall() if at is None else at)  # type: ignore[assignment]
    time.localtime = lambda at=None: real_localtime(wall() if at is None else at)  # type: ignore[assignment]
    fcntl.flock = flock  # type: ignore[assignment]
    os.urandom = random_bytes
    os.getpid = lambda: 10_000 + current().task.process.number
    secrets.token_bytes = random_bytes
    secrets.token_hex = lambda n=None: random_bytes(n).hex()  # type: ignore[assignment]
    secrets.randbelow = lambda n: current().entropy.randrange(n)  # type: ignore[assignment]
    random.random = lambda: current().entropy.random()
