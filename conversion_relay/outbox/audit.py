"""Who changed what by hand: replays, erasures, new settings, kept as lines of JSON beside the outbox's file.

A log is rotated away, and the question "who sent these again?" is asked weeks later. So each change by a person is one
line in `FILE-changes`. Above MOST_BYTES the older half is dropped, so it needs no care; and each line is written under
a lock, or it could go into the file that just loses its place. It names no person: by which door, not by whom.

An outbox that is no file (PostgreSQL, SQS) has no such list; its changes are in the log alone.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from conversion_relay.outbox.place import file_of, opened

MOST_BYTES = 1_000_000
Door = Literal["dashboard", "command line", "settings"]


class Change(msgspec.Struct, frozen=True):
    at: float
    by: Door
    action: str
    """replay, erase, sign-in, settings."""
    count: int = 0
    what: str = ""
    """Which events were asked for: a reason, a name, a number of chosen ones."""


_decode = msgspec.json.Decoder(Change).decode


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[int]:
    """The list, to be added to, and nobody else adds meanwhile; where its newer half took its place while we waited,
    that one. A file system without locks has to do without."""
    while True:
        file = opened(path, os.O_WRONLY | os.O_APPEND)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(file), path.stat()):
                yield file
                return
        finally:
            os.close(file)


class Audit:
    """The list of one outbox, by its URL."""

    def __init__(self, outbox_url: str) -> None:
        file = file_of(outbox_url)
        self._path = file and file.with_name(file.name + "-changes")

    def note(self, change: Change) -> None:
        """Never fails: what was changed is changed, and the log has its sentence too."""
        if self._path is None:
            return
        with contextlib.suppress(OSError), _alone(self._path) as file:
            os.write(file, msgspec.json.encode(change) + b"\n")
            if os.fstat(file).st_size > MOST_BYTES:
                self._halve(self._path)

    def newest(self, n: int) -> list[Change]:
        """The newest first. A line that a crash cut short is passed over."""
        if self._path is None:
            return []
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return []
        found = []
        for line in reversed(lines):
            with contextlib.suppress(msgspec.MsgspecError):
                found.append(_decode(line))
            if len(found) == n:
                break
        return found

    @staticmethod
    def _halve(path: Path) -> None:
        kept = path.read_bytes()[-MOST_BYTES // 2 :].partition(b"\n")[2]
        fresh = path.with_name(path.name + ".new")
        file = opened(fresh, os.O_WRONLY | os.O_TRUNC)
        with os.fdopen(file, "wb") as half:
            half.write(kept)
        fresh.replace(path)
