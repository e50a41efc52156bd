"""A disk that is full, fails, is slow, locked or not ours: real files, and errors of the kernel by strace and tmpfs."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw

from tests.failures.load import Load, Progress, Result, event, reckon
from tests.processes import Installation, call, installation, until

RECOVERY_SECONDS = 60.0


def full(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """Somebody else fills a small disk up to the last byte and frees it again, over and over."""
    with tmpfs(folder / "disk", megabytes=24) as disk, installation(folder, data=disk) as here:
        here.start()
        note = ""
        with Load(here, gap=0.005, most=10) as load:
            for n in range(rounds):
                seen = len(load.acknowledged)
                until(lambda seen=seen: len(load.acknowledged) > seen + 100, RECOVERY_SECONDS)
                _fill(disk / "somebody-elses")
                until(lambda: not here.is_ready())
                refused = load.statuses.get(503, 0)
                until(lambda refused=refused: load.statuses.get(503, 0) > refused + 3)
                status, _ = here.post(event(f"probe-{n}"))
                note = note if status == 503 else f"a full disk answered {status}"
                (disk / "somebody-elses").unlink()
                until(here.is_ready, RECOVERY_SECONDS)
                progress(f"{n + 1}/{rounds}, {len(load.acknowledged)} acknowledged")
        result = reckon("disk full (tmpfs)", rounds, here, load.acknowledged)
        odd = set(load.statuses) - {202, 503}
        return result.unless(note or (f"answers {odd}" if odd else ""))


def _fill(path: Path) -> None:
    """Up to the last byte."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        for size in (1_048_576, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size):
                    pass


def outgrown(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """Meta is away until the backlog has filled the disk; then it comes back, and room is made by delivering."""
    with tmpfs(folder / "disk", megabytes=24) as disk, installation(folder, data=disk) as here:
        here.start()
        acknowledged: set[str] = set()
        for n in range(rounds):
            here.misbehave(mode="http_500")
            with Load(here, most=100, seed=n) as load:
                until(lambda load=load: load.statuses.get(503, 0) > 5, 120)
            acknowledged |= load.acknowledged
            here.misbehave(mode="none")
            until(here.settled, 120, every=0.3)
            until(lambda: here.post(event("one more"))[0] == 202, RECOVERY_SECONDS)
            progress(f"{n + 1}/{rounds}, {len(acknowledged)} acknowledged")
        return reckon("backlog fills the disk", rounds, here, acknowledged, most_duplicates=0)


def failing_fsync(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """Every fsync fails for a while; after it nothing is acknowledged until the file was opened anew."""
    with installation(folder) as here:
        here.start()
        with Load(here, gap=0.005, most=10) as load:
            for n in range(rounds):
                seen = len(load.acknowledged)
                until(lambda seen=seen: len(load.acknowledged) > seen + 100, RECOVERY_SECONDS)
                fault = "fdatasync,fsync:error=EIO" if n % 2 else "pwrite64:error=EIO"
                with strace(here, fault, folder):
                    until(lambda: not here.is_ready())
                    during = len(load.acknowledged)
                    threading.Event().wait(0.5)
                    if len(load.acknowledged) > during + 50:
                        return Result("failing fsync", n, during, 0, 0, "acknowledged without an fsync")
                until(here.is_ready, RECOVERY_SECONDS)
                progress(f"{n + 1}/{rounds}, {len(load.acknowledged)} acknowledged")
                if n % 3 == 2:
                    here.kill()
                    here.start()
        most = rounds * 8_000
        return reckon("fsync and write errors", rounds, here, load.acknowledged, most_duplicates=most)


def one_failing_fsync(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """One fsync among many fails, and the process is killed soon after."""
    with installation(folder) as here:
        with Load(here, most=10) as load:
            for n in range(rounds):
                under = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync")
                here.start(under=(*under, "-e", f"inject=fdatasync:error=EIO:when={20 + n}"), wait=False)
                seen = len(load.acknowledged)
                until(lambda seen=seen: len(load.acknowledged) > seen + 300, RECOVERY_SECONDS)
                _end_traced(here)
                progress(f"{n + 1}/{rounds}, {len(load.acknowledged)} acknowledged")
        here.start()
        return reckon("one fsync fails", rounds, here, load.acknowledged, most_duplicates=rounds * 8_000)


def _end_traced(here: Installation) -> None:
    """strace is our child, the relay is strace's."""
    assert here.relay is not None
    tracer = here.relay.popen.pid
    children = Path(f"/proc/{tracer}/task/{tracer}/children").read_text().split()
    for pid in children:
        os.kill(int(pid), signal.SIGKILL)
    here.relay.popen.wait(20)


def slow_fsync(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """Every fsync takes 50 ms: requests share them, so that many are answered by one."""
    with installation(folder) as here:
        here.start()
        with strace(here, "fdatasync:delay_enter=50000", folder, count=True), Load(here, clients=16, most=1) as load:
            until(lambda: len(load.acknowledged) > 40 * rounds, 120)
            progress(f"{len(load.acknowledged)} acknowledged")
        fsyncs = (folder / "strace.txt").read_text().count("fdatasync(")
        result = reckon("fsync takes 50 ms", rounds, here, load.acknowledged)
        result.note = f"{len(load.acknowledged)} requests in {fsyncs} fsyncs"
        return result.unless("" if fsyncs < len(load.acknowledged) else "requests do not share fsyncs")


def locked(folder: Path, rounds: int, progress: Progress = lambda _: None, seconds: float = 5.0) -> Result:
    """Another process holds the write lock: 503 within two seconds, and the relay recovers without help."""
    with installation(folder) as here:
        here.start()
        with Load(here, gap=0.01, most=5) as load:
            for n in range(rounds):
                seen = len(load.acknowledged)
                until(lambda seen=seen: len(load.acknowledged) > seen + 20, RECOVERY_SECONDS)
                other = apsw.Connection(str(here.database))
                other.set_busy_timeout(5_000)
                other.execute("BEGIN IMMEDIATE")
                threading.Event().wait(seconds)
                refused = load.statuses.get(503, 0)
                until(lambda refused=refused: load.statuses.get(503, 0) > refused)
                other.execute("ROLLBACK")
                other.close()
                until(here.is_ready, RECOVERY_SECONDS)
                progress(f"{n + 1}/{rounds}")
        return reckon("locked by another process", rounds, here, load.acknowledged)


@contextlib.contextmanager
def strace(here: Installation, inject: str, folder: Path, *, count: bool = False) -> Iterator[None]:
    """The fault lasts as long as the block; strace then lets go of the process."""
    assert here.relay is not None
    syscalls = inject.partition(":")[0]
    log = folder / "strace.txt" if count else Path("/dev/null")
    command = ["strace", "-f", "-o", str(log), "-e", f"trace={syscalls}", "-e", f"inject={inject}"]
    with subprocess.Popen([*command, "-p", str(here.relay.popen.pid)], stderr=subprocess.PIPE) as tracer:
        assert tracer.stderr is not None
        tracer.stderr.readline()  # "Process N attached"
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate()


@contextlib.contextmanager
def tmpfs(place: Path, *, megabytes: int) -> Iterator[Path]:
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def says(here: Installation) -> str:
    """What /readyz tells the operator."""
    answer = call("GET", f"{here.url}/readyz")[1]
    return str(answer.get("reason", "")) if isinstance(answer, dict) else ""
