"""LISTEN and NOTIFY: a hint to other processes that something was put. Whoever misses it finds it by polling.

What could go wrong. A connection that listens may be gone without anybody noticing: behind a pooler nothing ever comes,
after a fail-over the old server goes on. And NOTIFY takes a lock of the whole server until its commit is flushed.

The rules. NOTIFY is a transaction of its own, at most ten a second for each process. The listener never sits in a
transaction; it asks the server every few seconds whether it is there, and after each reconnect it wakes the worker
once, since what came between was not heard. The payload is the sender, who ignores its own.
"""

import contextlib
import threading
from collections.abc import Callable

import psycopg

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.postgres.database import Database

SEND_EVERY = 0.1
PING_EVERY = 5.0
TRY_AGAIN_AFTER = 1.0


class Signals:
    """`say` for whoever put something, `listen` for whoever delivers."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database, self._owner = database, owner
        self._channel = f"{database.dsn.schema}_put"
        self._begin()

    def _begin(self) -> None:
        self._said, self._stopping = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}

    def _start(self, name: str, run: Callable[[], None]) -> None:
        with self._lock, contextlib.suppress(RuntimeError):  # without a thread there is still polling
            if name not in self._threads and not self._stopping.is_set() and self._database.dsn.listen:
                thread = threading.Thread(target=run, daemon=True, name=f"outbox-{name}")
                thread.start()
                self._threads[name] = thread

    def say(self) -> None:
        if not self._said.is_set():
            self._said.set()
        if "notify" not in self._threads:
            self._start("notify", self._send)

    def _send(self) -> None:
        while True:
            self._said.wait()
            if self._stopping.is_set():
                return
            self._said.clear()
            with contextlib.suppress(OutboxUnavailable):
                self._database.read("SELECT pg_notify(%b, %b)", (self._channel, self._owner))
            self._stopping.wait(SEND_EVERY)

    def listen(self, wake: Callable[[], None]) -> None:
        self._start("listen", lambda: self._hear(wake))

    def _hear(self, wake: Callable[[], None]) -> None:
        is_again = False
        while not self._stopping.is_set():
            try:
                with psycopg.connect(self._database.dsn.conninfo, autocommit=True) as connection:
                    connection.execute(f"LISTEN {self._channel}".encode())
                    if is_again:
                        wake()
                    is_again = True
                    self._hear_on(connection, wake)
            except psycopg.Error:
                self._stopping.wait(TRY_AGAIN_AFTER)

    def _hear_on(self, connection: "psycopg.Connection[tuple[object, ...]]", wake: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            for notice in connection.notifies(timeout=PING_EVERY, stop_after=1):
                if notice.payload != self._owner:
                    wake()
                if self._stopping.is_set():
                    return
            connection.execute(b"SELECT 1")

    def close(self) -> None:
        self._stopping.set()
        self._said.set()
        with self._lock:
            thread = self._threads.get("notify")
        if thread is not None:
            thread.join(2.0)

    def after_fork(self) -> None:
        self._begin()
