"""kill -9: of everything at random, at every named point, and SIGTERM under load."""

import random
import signal
import threading
from pathlib import Path

import msgspec

from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from tests.failures.launcher import POINTS
from tests.failures.load import Load, Progress, Result, reckon
from tests.outbox.sqlite.old_schemas import write_schema_1
from tests.processes import Installation, Process, installation, until

RARE = ("in-split", "in-take-back", "in-prune", "in-replay")
"""Passed once in a process's life, or not often; a lease to take back is left by the kill before."""
IN_FLIGHT = 8
BATCH = 1_000


def at_random(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """Collector and worker in one process, killed in the middle of whatever they do."""
    when = random.Random(folder.name)
    with installation(folder) as here:
        here.start()
        with Load(here) as load:
            for n in range(rounds):
                threading.Event().wait(when.uniform(0.0, 0.3))
                here.kill()
                here.start()
                progress(f"{n + 1}/{rounds}, {len(load.acknowledged)} acknowledged")
        return reckon("kill -9 at random", rounds, here, load.acknowledged, most_duplicates=_most(rounds))


def at_every_point(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """At each named point in turn; Meta refuses some batches and is slow at times, so that every point is passed."""
    when = random.Random(folder.name)
    reached = dict.fromkeys(POINTS, 0)
    with installation(folder) as here:
        here.misbehave(mode="poison", event_id_contains="-poison")
        with Load(here, poison=True) as load:
            for n in range(rounds):
                point = POINTS[n % len(POINTS)]
                nth = 1 if point in RARE else when.randint(1, 4)
                here.start(planted=("--die", f"{point}:{nth}"), wait=False)
                _drive(here, point)
                assert here.relay is not None
                reached[point] += here.relay.popen.wait(60) == -signal.SIGKILL
                progress(f"{n + 1}/{rounds} {point}, {len(load.acknowledged)} acknowledged")
        here.start()
        until(here.settled, seconds=150, every=0.3)
        result = _reckon_with_poison(here, load, rounds)
    missed = [point for point, times in reached.items() if not times and rounds >= len(POINTS)]
    return result.unless(f"never reached: {missed}" if missed else "")


def _drive(here: Installation, point: str) -> None:
    """Replays and prunes, so that the points in those verbs are passed, too."""
    assert here.relay is not None
    if point == "in-replay":
        # The command line does the replay, so it is the process that dies.
        here.relay.end()
        here.start()
        until(lambda: here.books().get("dead"), seconds=30)
        here.kill()
        here.relay = Process("dead", "replay", log=here.folder / "replay.log", env=here.env, planted=("--die", point))


def at_an_fsync(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """Kills at an fsync. The log is copied into the file every few pages, so that there are many of them."""
    when = random.Random(folder.name)
    short_log = ("--set", "conversion_relay.outbox.sqlite.file.MOST_LOG=65536")
    killed = 0
    with installation(folder) as here:
        with Load(here, most=40) as load:
            for n in range(rounds):
                here.start(under=_killed_at_fsync(when.randint(1, 60)), planted=short_log, wait=False)
                assert here.relay is not None
                killed += here.relay.popen.wait(60) == -signal.SIGKILL
                _migrated_again(folder, n, when.randint(1, 8))
                progress(f"{n + 1}/{rounds}, {len(load.acknowledged)} acknowledged")
        here.start()
        result = reckon("kill -9 at an fsync", rounds, here, load.acknowledged, most_duplicates=_most(rounds))
        return result.unless("" if killed == rounds else f"only {killed} killed")


def _killed_at_fsync(nth: int) -> tuple[str, ...]:
    trace = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync")
    return (*trace, "-e", f"inject=fdatasync:signal=KILL:when={nth}")


def _migrated_again(folder: Path, n: int, nth: int) -> None:
    """A file of the first schema, killed while it becomes one of the present: all four events are there, once."""
    old = folder / f"old-{n}.db"
    write_schema_1(old)
    env = {"RELAY_OUTBOX": f"sqlite:///{old}"}
    Process("status", log=folder / "migration.log", env=env, under=_killed_at_fsync(nth)).popen.wait(60)
    outbox = SqliteOutbox(str(old))
    (book,) = outbox.counts().values()
    outbox.close()
    assert (book.accepted, book.pending + book.leased, book.imbalance) == (4, 2, 0), book


def _reckon_with_poison(here: Installation, load: Load, rounds: int) -> Result:
    """Poison ends as a dead letter with Meta's reason; everything else as in `reckon`."""
    poison = {event_id for event_id in load.acknowledged if "-poison" in event_id}
    arrived = {row["event"]["event_id"] for row in here.arrived()}
    result = reckon("kill -9 at every named point", rounds, here, load.acknowledged, most_duplicates=_most(rounds))
    verdict = ", ".join(part for part in result.verdict.split(", ") if part != "dead")
    if poison & arrived:
        verdict += ", poison delivered"
    return msgspec.structs.replace(result, verdict=verdict or "kept")


def _most(kills: int) -> int:
    return kills * BATCH * IN_FLIGHT


def told_to_stop(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """SIGTERM under load: what was begun is finished, and nothing is sent twice."""
    with installation(folder) as here:
        here.misbehave(latency_ms=150)
        with Load(here) as load:
            for n in range(rounds):
                here.start()
                seen = len(load.acknowledged)
                until(lambda seen=seen: len(load.acknowledged) > seen + 50)
                assert here.relay is not None
                code = here.relay.stop()
                if code != 0:
                    return Result("SIGTERM under load", n, len(load.acknowledged), 0, 0, f"exit code {code}")
                progress(f"{n + 1}/{rounds}")
        here.start()
        return reckon("SIGTERM under load", rounds, here, load.acknowledged)
