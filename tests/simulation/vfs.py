"""How the product meets the disks of the world: an APSW VFS, and doubles of what it asks the kernel about files.

SQLite's own locking and shared memory stay as they are. A process that is dead does nothing: its calls fail and leave
no trace.
"""

import os
import types
from pathlib import Path
from typing import Any

import apsw

from tests.simulation.disk import Disk
from tests.simulation.scheduler import Killed, current

VFS = "simulated"
Flags = list[int]


class Files(apsw.VFS):
    """All files of all disks; the disk is told by the path."""

    def __init__(self) -> None:
        self.disks: list[Disk] = []
        super().__init__(VFS, base="unix", makedefault=True)

    def disk_of(self, path: str) -> Disk | None:
        return next((disk for disk in self.disks if path.startswith(str(disk.folder) + "/")), None)

    def xOpen(self, name: Any, flags: Flags) -> "File":
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        return File(name, flags, path, self.disk_of(path))

    def xDelete(self, path: str, syncdir: bool) -> None:
        _living("delete")
        super().xDelete(path, syncdir)
        if disk := self.disk_of(path):
            disk.images.pop(path, None)

    def xSleep(self, microseconds: int) -> int:
        current().sleep(microseconds / 1e6)
        return microseconds

    def xRandomness(self, n: int) -> bytes:
        return current().entropy.randbytes(n)

    def xCurrentTimeInt64(self) -> int:
        import time

        return 210_866_760_000_000 + round(time.time() * 1000)


class File(apsw.VFSFile):
    def __init__(self, name: Any, flags: Flags, path: str, disk: Disk | None) -> None:
        self._path, self._disk = path, disk
        self._image = disk.image(path) if disk else None
        super().__init__("unix", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        if self._disk and self._disk.read_fails and self._disk.chance.random() < self._disk.read_fails:
            raise apsw.IOError("read")
        if self._disk and self._disk.bad and self._disk.is_bad(self._path, offset, amount):
            current().mark("a bad sector was read")
            raise apsw.IOError("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        _living("write")
        if self._disk and self._image:
            if self._disk.write_fails and self._disk.chance.random() < self._disk.write_fails:
                raise apsw.IOError("write")
            growth = offset + len(data) - super().xFileSize() if self._disk.filled else 0
            if growth > 0 and not self._disk.has_room(growth):
                raise apsw.FullError("disk full")
            if self._disk.bad:
                self._disk.rewritten(self._path, offset, len(data))
            self._image.waiting.append((offset, bytes(data)))
            self._disk.writes += 1
            for canary in self._disk.canaries:
                if canary in data:
                    current().fail(f"personal data is written to {Path(self._path).name}: {canary!r}")
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        _living("truncate")
        if self._image:
            self._image.waiting.append((size, None))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        _living("sync")
        disk, image = self._disk, self._image
        if disk is None or image is None:
            return
        if disk.sync_seconds:
            current().sleep(disk.sync_seconds * (0.5 + disk.chance.random()))
            _living("sync")
        if disk.sync_fails and disk.chance.random() < disk.sync_fails:
            image.waiting.clear()
            raise apsw.IOError("sync")
        if disk.lies:
            disk.has_lied = disk.has_lied or bool(image.waiting)
            return
        image.sync()


def _living(what: str) -> None:
    if not current().task.process.is_alive:
        raise apsw.IOError(f"{what} of a dead process")


def install() -> Files:
    """The default VFS from here on, and doubles of what the product asks the kernel about files."""
    files = Files()
    apsw.connection_hooks.append(lambda connection: current().task.process.connections.append(connection))
    real = types.SimpleNamespace(
        statvfs=os.statvfs, unlink=os.unlink, rename=os.rename, replace=os.replace, link=os.link
    )

    def statvfs(path: Any) -> Any:
        disk = files.disk_of(f"{path}/")
        return disk.statvfs(path) if disk else real.statvfs(path)

    def living(call: Any) -> Any:
        def checked(*arguments: Any, **named: Any) -> Any:
            if not current().task.process.is_alive:
                raise Killed
            return call(*arguments, **named)

        return checked

    def moving(call: Any, *, keeps: bool = False) -> Any:
        def checked(source: Any, target: Any, **named: Any) -> None:
            disk = files.disk_of(str(target))
            if disk and current().task.process is not current().outside:
                current().sleep(disk.sync_seconds * disk.chance.random())  # whoever is killed here leaves it half done
                if not current().task.process.is_alive:
                    raise Killed
            call(source, target, **named)
            if disk:
                disk.renamed(str(source), str(target), keeps=keeps)

        return living(checked)

    def unlink(path: Any, **named: Any) -> None:
        real.unlink(path, **named)
        if disk := files.disk_of(str(path)):
            disk.images.pop(str(path), None)  # who has it open goes on with the image that it holds

    os.statvfs = statvfs
    os.unlink = living(unlink)
    os.rename, os.replace = moving(real.rename), moving(real.replace)
    os.link = moving(real.link, keeps=True)
    return files
