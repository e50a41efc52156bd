"""Of several processes that share the file: which of them opens it, and which writes next.

What could go wrong. Two processes find the same damage and both replace the file. And SQLite knows no order among those
who wait for its lock: each looks for it now and then, in the end every 100 ms. A process that commits without a pause
leaves it free for less than a millisecond at a time, so the others miss it, again and again: of four that share a file,
one event in a hundred waited for a hundred commits, and where an fsync takes 100 ms every sixth was refused.

The rules.
1. One process at a time opens, checks and mends (`alone`).
2. Who wants to write takes the lock of `…-next` first, and lets it go when SQLite's lock is its own. So one process at
   most looks for SQLite's lock, which it can do often, and who has just committed comes after it.
3. That order is a courtesy and guards nothing: SQLite's lock does. Whoever cannot have it goes on without it, at once
   where the file cannot be opened, and after STANDS_STILL where a process was stopped while it held it.

Both are locks on files of their own, which the kernel frees when their process dies (`owner.py`): one on the database
itself would be dropped whenever any descriptor of it is closed in this process.

Rejected: to wait for the turn in the kernel, which knows no time limit; a pause after each commit, which a process that
is alone would pay, too.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import apsw

from conversion_relay.outbox.place import opened
from conversion_relay.outbox.sqlite.fork import LOCKS

BUSY_MS = 2_000
"""How long SQLite by itself waits for a file that is locked."""
STANDS_STILL = 1.0
"""Seconds for which the turn is waited for."""
LOOK_SECONDS = 0.001
"""Between two looks of who is next; the others look half as often."""


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """One process at a time opens, checks and mends a file."""
    try:
        lock = opened(path.with_name(path.name + "-opening"), os.O_RDWR)
    except OSError:
        yield  # the folder takes no file; opening the database tells why, in better words
        return
    with _closed_after(lock):
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):
            os.close(opened(_next(path), os.O_RDWR))
        yield


def begin(db: apsw.Connection, path: Path, ends_at: float) -> None:
    """BEGIN IMMEDIATE, when it is this process's turn. `ends_at`: on the monotonic clock. Raises apsw.BusyError.

    It looks by itself instead of SQLite, which waits within a call: where greenlets stand in for threads, nothing else
    would run meanwhile."""
    with being_next(path, min(ends_at, time.monotonic() + STANDS_STILL)):
        db.set_busy_timeout(0)
        try:
            while not _has_begun(db, ends_at):
                time.sleep(LOOK_SECONDS)
        finally:
            db.set_busy_timeout(BUSY_MS)


def _has_begun(db: apsw.Connection, ends_at: float) -> bool:
    try:
        db.execute("BEGIN IMMEDIATE")
    except apsw.BusyError:
        if time.monotonic() >= ends_at:
            raise
        return False
    return True


@contextlib.contextmanager
def being_next(path: Path, ends_at: float) -> Iterator[None]:
    """Nobody who keeps the order begins to write meanwhile. From `ends_at` on it is not waited for any longer."""
    try:
        lock = os.open(_next(path), os.O_RDWR)
    except OSError:
        yield
        return
    with _closed_after(lock):
        while not _is_locked(lock) and time.monotonic() < ends_at:
            time.sleep(2 * LOOK_SECONDS)
        yield


def _is_locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a place that knows no locks
    return True


@contextlib.contextmanager
def _closed_after(lock: int) -> Iterator[None]:
    """Which frees it. A child of a fork closes it, too."""
    LOCKS.add(lock)
    try:
        yield
    finally:
        LOCKS.discard(lock)
        os.close(lock)


def _next(path: Path) -> Path:
    return path.with_name(path.name + "-next")
