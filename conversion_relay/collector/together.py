"""The processes of `serve --workers N`, which share a folder: one of them delivers, and each tells the figures of all.

What could go wrong. Each of four processes has its own pace, and Meta sees four times the calls that one dataset may
have. Each has its own counters, and whoever asks for /metrics is answered by chance by one of them, so that a counter
goes up and down.

The rules.
1. *One delivers*: the one that holds the lock of a file. The kernel frees it when the process is gone, however it
   ended, and another one that waits for it takes over within STAND_BY seconds.
2. *Whoever puts something wakes it* by a datagram to a socket in the folder; what is lost is found by polling.
3. *Each writes its counters down* every second, and when it is asked. Whoever is asked adds up all files. The file of a
   process that is gone stays, so that no sum goes down.
4. *Nobody is left behind*. Where the process that started them was killed, nobody would stop them, and the next `serve`
   would find its port taken. So each stops, as if it was told to, when that one is gone.

What limits count is shared too: `shared_places.py`. Rejected: a fifth process that owns all of it (one more that can
die, and a call to it for each request).
"""

import contextlib
import fcntl
import multiprocessing
import os
import secrets
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import msgspec

from conversion_relay.collector.shared_places import SharedPlaces
from conversion_relay.delivery.worker import Worker
from conversion_relay.telemetry import CounterKey, Counters, logger

STAND_BY = 0.5
NOTE_EVERY = 1.0


class Kept(msgspec.Struct):
    """One process's counters, as they are written down."""

    values: list[tuple[CounterKey, float]]
    times: list[tuple[CounterKey, tuple[list[int], float]]]


_kept = msgspec.msgpack.Decoder(Kept)


class Together:
    """One process's share in the folder."""

    def __init__(self, folder: Path, counters: Counters) -> None:
        self.folder = folder
        self._counters, self._name = counters, f"{secrets.token_hex(8)}.counters"
        self._stopping = threading.Event()
        starter = multiprocessing.parent_process()
        # Asked of the kernel here, a starter that is gone already would be whoever takes in orphans.
        self._started_by = os.getppid() if starter is None else starter.pid
        self._lock_file = os.open(folder / "delivers", os.O_RDWR | os.O_CREAT, 0o600)
        self._noting = threading.Lock()
        self._waker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._waker.setblocking(False)

    def shared(self) -> dict[str, Any]:
        """For `create_app`."""
        return {"places": lambda what: SharedPlaces(self.folder / what), "counters_of_all": self.counters_of_all}

    def start(self, worker: Worker | None) -> None:
        """It begins to deliver when it is this process's turn. None: somebody else delivers."""
        if worker:
            threading.Thread(target=self._stand_by, args=(worker,), daemon=True, name="stand-by").start()
        threading.Thread(target=self._note_for_ever, daemon=True, name="counters").start()

    def _stand_by(self, worker: Worker) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            self._stopping.wait(STAND_BY)
        if self._stopping.is_set():
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            hears = self._bind(ear)
            self._start(worker)
            while hears and not self._stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    ear.recv(1)
                    worker.wake()

    def _start(self, worker: Worker) -> None:
        """Who has the lock and does not deliver keeps the others from it, so it is tried until there are threads."""
        is_first = True
        while not self._stopping.is_set():
            try:
                worker.start()
                return
            except RuntimeError as error:
                if is_first:
                    logger.error("Nobody delivers yet; it is tried again", extra={"reason": str(error)})
                is_first = False
                self._stopping.wait(STAND_BY)

    def _bind(self, ear: socket.socket) -> bool:
        path = self.folder / "wake"
        path.unlink(missing_ok=True)  # of the process before
        with contextlib.suppress(OSError):  # the folder's name is too long for a socket: then polling must do
            ear.bind(str(path))
            ear.settimeout(STAND_BY)
            return True
        return False

    def say(self) -> None:
        """Something was put here."""
        with contextlib.suppress(OSError):  # nobody delivers yet, or it has more calls to wake up than it can read
            self._waker.sendto(b"", str(self.folder / "wake"))

    def _note_for_ever(self) -> None:
        while not self._stopping.wait(NOTE_EVERY):
            self._note()
            if os.getppid() != self._started_by:
                logger.warning("The process that started this one is gone; stopping")
                os.kill(os.getpid(), signal.SIGTERM)
                break

    def _note(self) -> None:
        """Whole or not at all: others read it at any moment."""
        kept = Kept(list(self._counters.read().items()), list(self._counters.read_times().items()))
        with self._noting, contextlib.suppress(OSError):  # a full disk: the last ones stand
            part = self.folder / f"{self._name}.part"
            part.write_bytes(msgspec.msgpack.encode(kept))
            part.replace(self.folder / self._name)

    def counters_of_all(self) -> Counters:
        self._note()
        whole = _Sum()
        for path in self.folder.glob("*.counters"):
            whole.include(_kept.decode(path.read_bytes()))
        return whole

    def tell_to_stop(self) -> None:
        """This one does not begin to deliver any more."""
        self._stopping.set()

    def stop(self) -> None:
        """Another one may deliver from now on; what this one had in flight is settled."""
        self._stopping.set()
        self._note()
        fcntl.flock(self._lock_file, fcntl.LOCK_UN)


class _Sum(Counters):
    """Of several processes' counters."""

    def include(self, kept: Kept) -> None:
        for what, value in kept.values:
            name, _ = what
            (self.latest if name.endswith("_timestamp_seconds") else self.count)(what, value)
        for what, (counts, total) in kept.times:
            had, seconds = self._times.get(what) or ([0] * len(counts), 0.0)
            self._times[what] = [a + b for a, b in zip(had, counts, strict=True)], seconds + total
