"""Processes of a bench: each on a core of its own where there are two, watched through /proc."""

import contextlib
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import apsw

from bench.rounds import ROOT

TICK = os.sysconf("SC_CLK_TCK")
WORKS, LOADS = 0, 1
"""Cores: of what is measured, and of what puts it under load (and plays Meta)."""


def description() -> str:
    """What a reader must know of this machine."""
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    linux = platform.release().partition("-")[0]
    return (
        f"{os.cpu_count()} cores ({model[1] if model else platform.machine()}), {memory:.0f} GB, Linux {linux},"
        f" CPython {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}"
    )


class Running:
    """A process and what it says. Its words go to files, as a full pipe would stop it."""

    def __init__(self, arguments: Sequence[str], core: int | None, environment: dict[str, str] | None = None) -> None:
        """In a group of its own, so that its children end with it. `core`: None for all of them."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("META_", "RELAY_"))}
        self.said, self.errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 (closed by `end`)
        self.popen = subprocess.Popen(
            list(arguments) if core is None else _pinned(arguments, core),
            cwd=ROOT,
            env={**clean, "PYTHONPATH": str(ROOT), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=self.said,
            stderr=self.errors,
            start_new_session=True,
        )
        self.pid = self.popen.pid

    def text(self) -> str:
        self.said.seek(0)
        return self.said.read().decode()

    def last_words(self) -> str:
        self.errors.seek(0)
        return f"ended with {self.popen.returncode}: {self.errors.read().decode()[-800:]}"

    def watch(self, look: Callable[[int], None] = lambda _: None, every: float = 0.02) -> None:
        """Calls `look` with the pid until the process has ended."""
        while self.popen.poll() is None:
            look(self.pid)
            time.sleep(every)

    def end(self) -> None:
        """At once: what a bench started, and nothing else."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()
        self.said.close()
        self.errors.close()


def put_first(pid: int) -> None:
    """With BENCH_FIRST=1: before the other work of the machine; threads and children that it starts later, too."""
    if os.environ.get("BENCH_FIRST") == "1":
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))


def _pinned(arguments: Sequence[str], core: int) -> list[str]:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return list(arguments)
    pin = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); os.execvp(sys.argv[2], sys.argv[2:])"
    return [sys.executable, "-S", "-c", pin, str(cores[core]), *arguments]


def output(arguments: Sequence[str], core: int = WORKS, environment: dict[str, str] | None = None) -> str:
    """What a process that ends by itself printed. Raises RuntimeError with the end of its errors."""
    process = Running(arguments, core, environment)
    try:
        process.popen.wait()
        if process.popen.returncode:
            raise RuntimeError(process.last_words())
        return process.text()
    finally:
        process.end()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(
    arguments: Sequence[str], port: int, environment: dict[str, str] | None = None, core: int = WORKS
) -> Iterator[Running]:
    """Runs until the block ends; the block begins when the port answers."""
    process = Running(arguments, core, environment)
    try:
        _await_port(process, port)
        yield process
    finally:
        process.end()


def _await_port(process: Running, port: int, seconds: float = 30.0) -> None:
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if process.popen.poll() is not None:
            raise RuntimeError(process.last_words())
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port} after {seconds:.0f} s")


def family(pid: int) -> list[int]:
    """The process and its children, theirs included."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [one for child in task.read_text().split() for one in family(int(child))]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the family, children that ended included."""
    total = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / TICK


def memory_mb(pid: int, field: str = "VmRSS") -> float:
    """Resident now; with `VmHWM` the most it ever was."""
    total = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            if found := re.search(rf"{field}:\s+(\d+)", Path(f"/proc/{one}/status").read_text()):
                total += int(found[1])
    return total / 1024
