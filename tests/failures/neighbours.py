"""Several processes on one outbox file, and one of them standing still."""

import os
import signal
from pathlib import Path

from tests.failures.load import Load, Progress, Result, reckon
from tests.processes import Installation, Process, free_port, installation, until

LEASE_SECONDS = 2


def two_of_each(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """Two collectors that deliver, and two workers more: nobody sends what another one has."""
    with installation(folder) as here:
        here.misbehave(latency_ms=50)
        here.start()
        port = free_port()
        neighbours = [
            Process("serve", "--port", str(port), log=folder / "second.log", env=here.env),
            *(Process("deliver", log=folder / f"worker-{n}.log", env=here.env) for n in range(2)),
        ]
        try:
            # Each collector wakes its own worker, so both deliver, however quick one of them is.
            with Load(here, also_to=f"http://127.0.0.1:{port}") as load:
                until(
                    lambda: len(load.acknowledged) > 2_000 * rounds and len(_senders(folder)) > 1,
                    120,
                    so_far=lambda: (len(load.acknowledged), load.statuses, _senders(folder)),
                )
                progress(f"{len(load.acknowledged)} acknowledged")
            result = reckon("several processes on one file", rounds, here, load.acknowledged)
        finally:
            for process in neighbours:
                process.end()
        result.note = f"{len(_senders(folder))} processes delivered"
        return result


def _senders(folder: Path) -> list[str]:
    """Logs of processes that delivered something."""
    return [path.name for path in folder.glob("*.log") if "sent successfully" in path.read_text()]


def paused(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """A worker stands still for twice its lease with a batch in its hands; another one takes over, then it wakes."""
    short_lease = ("--set", f"conversion_relay.delivery.turn.LEASE_SECONDS={LEASE_SECONDS}")
    with installation(folder) as here:
        here.start("--no-worker")
        acknowledged: set[str] = set()
        for n in range(rounds):
            with Load(here, most=10, seed=n) as load:
                until(lambda load=load: len(load.acknowledged) > 50)
            acknowledged |= load.acknowledged
            here.misbehave(latency_ms=1_500)
            asked = here.requests()
            first = Process("deliver", log=folder / "first.log", env=here.env, planted=short_lease)
            until(lambda asked=asked: here.requests() > asked)
            os.kill(first.popen.pid, signal.SIGSTOP)
            here.misbehave(latency_ms=0)
            second = Process("deliver", log=folder / "second.log", env=here.env, planted=short_lease)
            until(here.settled)
            os.kill(first.popen.pid, signal.SIGCONT)
            until(lambda n=n: (folder / "first.log").read_text().count("A lease ran out") > n)
            codes = first.stop(), second.stop()
            if codes != (0, 0):
                return Result("worker paused beyond its lease", n, len(acknowledged), 0, 0, f"exit codes {codes}")
            progress(f"{n + 1}/{rounds}")
        return reckon("worker paused beyond its lease", rounds, here, acknowledged, most_duplicates=rounds * 1_000)


def few_files(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """More connections than the process may open files: those that only wait give way, and it never runs out."""
    import socket

    with installation(folder) as here:
        here.start(under=("prlimit", "--nofile=64"))
        with Load(here, gap=0.05, most=5) as load:
            for n in range(rounds):
                seen = len(load.acknowledged)
                until(lambda seen=seen: len(load.acknowledged) > seen + 20)
                idle = [socket.create_connection(("127.0.0.1", here.port)) for _ in range(120)]
                seen = len(load.acknowledged)
                until(lambda seen=seen: len(load.acknowledged) > seen + 20)
                if "Too many open files" in here.logs() or len(_files(here)) > 64:
                    return Result("out of file descriptors", n, len(load.acknowledged), 0, 0, "ran out of files")
                for connection in idle:
                    connection.close()
                until(here.is_ready)
                progress(f"{n + 1}/{rounds}, {len(load.acknowledged)} acknowledged")
        return reckon("out of file descriptors", rounds, here, load.acknowledged, most_duplicates=rounds * 8_000)


def _files(here: Installation) -> list[Path]:
    assert here.relay is not None
    return list(Path(f"/proc/{here.relay.popen.pid}/fd").iterdir())


def little_memory(folder: Path, events: int, progress: Progress = lambda _: None, megabytes: int = 256) -> Result:
    """A large backlog in a process that may have 256 MB of addresses: served, drained, and far below its limit."""
    from tests.failures.backlog import fill

    with installation(folder) as here:
        ids = fill(here.database, events, progress)
        here.misbehave(mode="http_500")
        here.start(under=("prlimit", f"--as={megabytes * 1_048_576}"))
        with Load(here, gap=0.02, most=20) as load:
            until(lambda: len(load.acknowledged) > 500)
        here.misbehave(mode="none")
        most = _highest_memory(here)
        until(lambda: _report(here, progress), 60 + events / 1_000, every=1.0)
        most = max(most, _highest_memory(here))
        name = f"{megabytes} MB, backlog of {events:,}"
        book = here.books()
        lost = events + len(load.acknowledged) - book["delivered"]
        verdict = "kept" if most < 0.8 * megabytes and not lost and not book["imbalance"] else f"{most} MB, {book}"
        return Result(name, 1, len(ids) + len(load.acknowledged), lost, 0, verdict, f"at most {most} MB resident")


def _report(here: Installation, progress: Progress) -> bool:
    book = here.books()
    progress(f"{book['delivered']} of {book['accepted']} delivered")
    return bool(book["pending"] == book["leased"] == 0)


def _highest_memory(here: Installation) -> int:
    assert here.relay is not None
    for line in Path(f"/proc/{here.relay.popen.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1_024
    return 0
