"""Shuts the socket of a session that somebody has had for too long.

The driver waits for the server without a limit, and no time-out of TCP ends the wait while the other machine's kernel
answers. To shut the socket is all that another thread can do: the waiting one then hears that the connection is lost.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

LOOK_EVERY = 0.5
MOST_IDLE = 10
"""Looks at nothing, after which the thread ends."""


class Watchdog:
    """One thread, started when it is needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[int, float] = {}
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def watching(self, file: int, seconds: float) -> Iterator[None]:
        """`file`: the socket's descriptor, which stays open until this ends."""
        with self._lock:
            self._ends[file] = time.monotonic() + seconds
            if self._thread is None:
                self._start()
        try:
            yield
        finally:
            with self._lock:
                self._ends.pop(file, None)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, daemon=True, name="outbox-watchdog")
        with contextlib.suppress(RuntimeError):  # tried again by the next one
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        idle = 0
        while True:
            time.sleep(LOOK_EVERY)
            with self._lock:
                idle = 0 if self._ends else idle + 1
                if idle == MOST_IDLE:
                    self._thread = None
                    return
                for file, ends_at in self._ends.items():
                    if time.monotonic() >= ends_at:
                        _shut(file)


def _shut(file: int) -> None:
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(file)) as connection:
        connection.shutdown(socket.SHUT_RDWR)
