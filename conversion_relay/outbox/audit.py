"""Who changed what by hand: replays, erasures, new settings, kept as lines of JSON beside the outbox's file.

A log is rotated away, and the question "who sent these again?" is asked weeks later. So each change by a person is one
line in `FILE-changes`, written with one call in append mode, which processes on one machine may do at the same time. It
names no person: by which door, not by whom. Above MOST_BYTES the older half is dropped, so it needs no care.

An outbox that is no file (PostgreSQL, SQS) has no such list; its changes are in the log alone.
"""

import contextlib
import os
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


class Audit:
    """The list of one outbox, by its URL."""

    def __init__(self, outbox_url: str) -> None:
        file = file_of(outbox_url)
        self._path = file and file.with_name(file.name + "-changes")

    def note(self, change: Change) -> None:
        """Never fails: what was changed is changed, and the log has its sentence too."""
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            file = opened(self._path, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(file, msgspec.json.encode(change) + b"\n")
                is_full = os.fstat(file).st_size > MOST_BYTES
            finally:
                os.close(file)
            if is_full:
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
