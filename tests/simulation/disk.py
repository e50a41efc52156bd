"""A disk that knows what was synced: a second image of each file, beside real files in memory.

`vfs.py` brings it every call of SQLite's. A write goes to the real file at once, as into the kernel's cache, and waits
in a list until a sync moves it into the image of what the disk holds. A power cut replaces each file by that image and
some of the waiting writes, chosen by the seed, some of them torn at a sector: SQLite promises that this loses nothing
that was committed (https://sqlite.org/atomiccommit.html#_hardware_assumptions).

Faults are switched on and off by the world: a sync that fails (the writes are dropped from the list, as Linux does,
and the next sync succeeds) or that lies, errors of reading and writing, bad sectors, a disk that is full, a slow one.
"""

import contextlib
import os
import random
import types
from pathlib import Path
from typing import Any

import apsw

from tests.simulation.scheduler import Process

SECTOR = 512
PAGE = 4096


class Image:
    """One file as the disk holds it, and the writes that it has not been told to keep. A write is (offset, bytes); a
    cut is (new size, None)."""

    def __init__(self, content: bytes) -> None:
        self.kept = bytearray(content)
        self.waiting: list[tuple[int, bytes | None]] = []

    def sync(self) -> None:
        for offset, data in self.waiting:
            _apply(self.kept, offset, data)
        self.waiting.clear()


def _apply(image: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del image[offset:]
        return
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(data)] = data


class Disk:
    """One disk of one machine, mounted at `folder`. Rates are chances for each call; sizes in bytes."""

    def __init__(self, folder: Path, chance: random.Random, capacity: int = 256 * 1_048_576) -> None:
        self.folder, self.chance, self.capacity = folder, chance, capacity
        self.images: dict[str, Image] = {}
        self.sync_fails = self.write_fails = self.read_fails = 0.0
        self.sync_seconds = 0.002
        self.filled = 0
        self.lies = False
        """A sync says that it was done, and nothing is kept."""
        self.has_lied = False
        """Something was not kept though it was promised, and the power may still be cut before it is."""
        self.bad: list[tuple[str, int]] = []
        """Sectors (path, offset) that cannot be read, until they are written."""
        self._used = 0
        self.writes = 0
        self.canaries: tuple[bytes, ...] = ()
        """What no byte that is written may hold."""

    # -- what a VFS asks ----------------------------------------------------------------------------------------------

    def image(self, path: str) -> Image:
        if path not in self.images:
            file = Path(path)
            self.images[path] = Image(file.read_bytes() if file.exists() else b"")
        return self.images[path]

    def free(self) -> int:
        """Looked up only where it matters; the product asks before each commit."""
        if not self.filled:
            return self.capacity // 2
        return self.room()

    def room(self) -> int:
        self._used = sum(entry.stat().st_size for entry in os.scandir(self.folder) if entry.is_file())
        return max(0, self.capacity - self._used - self.filled)

    def has_room(self, growth: int) -> bool:
        if self._used + self.filled + growth <= self.capacity:
            self._used += growth
            return True
        return self.room() >= growth

    def statvfs(self, _: object) -> Any:
        free = self.free()
        return types.SimpleNamespace(f_bavail=free // 4096, f_frsize=4096, f_blocks=self.capacity // 4096)

    # -- what the world does ------------------------------------------------------------------------------------------

    def heal(self) -> None:
        self.sync_fails = self.write_fails = self.read_fails = 0.0
        self.sync_seconds, self.filled = 0.002, 0
        self.lies = False
        self.bad.clear()

    def cut_power(self) -> None:
        """Every process on it must be dead by now. Of the waiting writes a first part is kept, or any of them: a disk
        may write in any order between two syncs."""
        chance = self.chance
        for path, image in list(self.images.items()):
            if not Path(path).exists():
                del self.images[path]
                continue
            waiting, is_in_order = image.waiting, chance.random() < 0.5
            first = waiting[: chance.randint(0, len(waiting))]
            for offset, data in first if is_in_order else [one for one in waiting if chance.random() < 0.5]:
                if data is not None and chance.random() < 0.1:
                    data = data[: SECTOR * chance.randint(0, len(data) // SECTOR)]
                _apply(image.kept, offset, data)
            image.waiting.clear()
            Path(path).write_bytes(bytes(image.kept))
        for left in self.folder.glob("*-shm"):
            left.unlink()

    def rot(self, path: Path, index: str) -> bool:
        """The root page of this index becomes noise, as on a bad sector: no row is lost, but the file is damaged.
        Whether there was anything to damage. Nobody may have it open."""
        if not path.exists():
            return False
        db = apsw.Connection(
            f"file:{path}?immutable=1", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI, vfs="unix"
        )
        try:
            found = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (index,)).fetchall()
        except apsw.Error:
            found = []
        db.close()
        image = self.image(str(path))
        if not found or (found[0][0] + 1) * PAGE > len(image.kept):
            return False
        offset, noise = found[0][0] * PAGE - PAGE, self.chance.randbytes(PAGE)
        _apply(image.kept, offset, noise)
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(noise)
        return True

    def put(self, path: Path, content: bytes) -> None:
        """A whole file, by hand and synced. Nobody may have it open."""
        path.write_bytes(content)
        self.images.pop(str(path), None)

    def spoil_sector(self, path: Path) -> None:
        """One sector somewhere in the file cannot be read."""
        sectors = path.stat().st_size // SECTOR if path.exists() else 0
        if sectors:
            self.bad.append((str(path), self.chance.randrange(sectors) * SECTOR))

    def is_bad(self, path: str, offset: int, amount: int) -> bool:
        return any(of == path and offset < at + SECTOR and at < offset + amount for of, at in self.bad)

    def rewritten(self, path: str, offset: int, amount: int) -> None:
        """A disk puts a spare sector in the place of a bad one when that is written."""
        self.bad = [(of, at) for of, at in self.bad if of != path or not offset <= at < offset + amount]

    def renamed(self, source: str, target: str, *, keeps: bool) -> None:
        if image := self.images.get(source) if keeps else self.images.pop(source, None):
            self.images[target] = image


def close_connections(process: Process) -> None:
    """The kernel frees the locks of a dead process; here its connections are closed, with no effect on the files."""
    for connection in process.connections:
        with contextlib.suppress(apsw.Error):
            connection.close(True)
    process.connections.clear()
