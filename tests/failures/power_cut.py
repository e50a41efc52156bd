"""Power cuts on a real file system: ext4 on a loop device, whose backing file is copied while the relay stands still.

What the file system had not yet written to the device is not in the copy, just as after a power cut. Needs root.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw

from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from tests.failures.load import Load, Progress, Result
from tests.processes import installation

MEGABYTES = 96


def power_cut(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """Half of the rounds with pauses between posts, half without; Meta hangs up at times, so that settles are cut."""
    when = random.Random(folder.name)
    lost = corrupt = acknowledged = 0
    for gap in (0.02, 0.0):
        part = folder / f"gap-{gap}"
        part.mkdir()
        with mounted(part / "disk.img", part / "disk") as disk, installation(part, data=disk) as here:
            here.misbehave(mode="down", probability=0.2)
            here.start()
            with Load(here, gap=gap, most=5) as load:
                for n in range(rounds // 2):
                    threading.Event().wait(when.uniform(0.05, 0.4))
                    promised = _cut(here.relay.popen.pid, part, load)  # type: ignore[union-attr]
                    missing, sound = _after_the_cut(part, promised)
                    lost, corrupt = lost + missing, corrupt + (not sound)
                    progress(f"{n + 1}/{rounds // 2} at gap {gap}, {len(promised)} acknowledged, {lost} lost")
            acknowledged += len(load.acknowledged)
            here.relay.end()  # type: ignore[union-attr]
    verdict = "kept" if not lost and not corrupt else f"{lost} lost, {corrupt} corrupt"
    return Result("power cut (ext4)", rounds, acknowledged, lost, 0, verdict)


def _cut(pid: int, part: Path, load: Load) -> set[str]:
    """A copy of the device as it is at this moment; what had been promised until then."""
    os.kill(pid, signal.SIGSTOP)
    promised = set(load.acknowledged)
    shutil.copyfile(part / "disk.img", part / "after.img")
    os.kill(pid, signal.SIGCONT)
    return promised


def _after_the_cut(part: Path, promised: set[str]) -> tuple[int, bool]:
    """(acknowledged events that the file does not know, whether it is sound)."""
    with mounted(part / "after.img", part / "after", new=False) as disk:
        SqliteOutbox(str(disk / "outbox.db")).close()
        db = apsw.Connection(str(disk / "outbox.db"))
        kept = {event_id for (event_id,) in db.execute("SELECT event_id FROM event")}
        sound = db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        books = "SELECT sum(iif(state = 'accepted', n, -n)) FROM tally"
        balance = db.execute(books).fetchall()
        waiting = db.execute(
            "SELECT count(*) FROM event WHERE state = 'waiting' AND key NOT IN (SELECT key FROM body)"
        ).fetchall()
        db.close()
        return len(promised - kept), sound and balance in ([(0,)], [(None,)]) and waiting == [(0,)]


@contextlib.contextmanager
def mounted(image: Path, place: Path, *, new: bool = True, megabytes: int = MEGABYTES) -> Iterator[Path]:
    """An ext4 of its own; unmounted at the end, whatever happened."""
    place.mkdir(exist_ok=True)
    if new:
        with image.open("wb") as file:
            file.truncate(megabytes * 1_048_576)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)
