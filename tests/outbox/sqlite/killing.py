"""Starts of an outbox on a damaged file, each killed at another step.

    python -m tests.outbox.sqlite.killing FOLDER header|page

The steps are what Python tells its audit hooks (a file is opened, renamed, linked, deleted) and SQLite's transactions.
In a process of its own, which has no threads, so that it can fork for each kill."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from tests.outbox.sqlite.children import in_child
from tests.outbox.sqlite.files import event, opened, overwrite, pages_of, rows
from tests.outbox.suite import NOW

STEPS = {"open", "os.rename", "os.remove", "os.link"}
STATEMENTS = ("BEGIN", "COMMIT", "PRAGMA wal_checkpoint")
MAIN, LOG = 303, 2
"""So few in the log that its pages do not include the first one, which would mend a broken header."""
DAMAGE = {"header": b"\xa5" * 16, "page": b"\xff" * 600}


def damaged(folder: Path, kind: str) -> set[str]:
    """An outbox file in `folder` whose newest events are in the log alone, as after a kill; the ids to be read."""
    made = folder.with_name("made.db")
    outbox = opened(made)
    outbox.put([event(n) for n in range(MAIN)], NOW)
    outbox.probe()
    rows(made, "PRAGMA wal_checkpoint(TRUNCATE)")
    outbox.put([event(n) for n in range(MAIN, MAIN + LOG)], NOW)
    folder.mkdir()
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{made}{suffix}", folder / f"outbox.db{suffix}")
    outbox.close()
    copy = folder.with_name("copy.db")
    shutil.copyfile(folder / "outbox.db", copy)
    overwrite(folder / "outbox.db", 0 if kind == "header" else pages_of(copy, "body")[3], DAMAGE[kind])
    return {f"e{n}" for n in range(MAIN + LOG)}


def die_at(step: int) -> None:
    """From now on this process is killed when it comes to that step."""
    left = [step]

    def reach() -> bool:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    def audit(name: str, arguments: tuple[Any, ...]) -> None:
        if name in STEPS and "outbox.db" in str(arguments[0]):
            reach()

    def trace(connection: apsw.Connection) -> None:
        connection.exec_trace = lambda _, sql, __: reach() if sql.startswith(STATEMENTS) else True

    sys.addaudithook(audit)
    apsw.connection_hooks.append(trace)


def killed(work: Callable[[], Any], step: int) -> bool:
    """Whether it came so far."""

    def child() -> None:
        die_at(step)
        work()

    _, status = os.waitpid(in_child(child), 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), f"step {step}: exit {code}"
    return code != 0


def start(path: Path) -> None:
    opened(path).close()


def check(path: Path, damage: bytes, readable: set[str], what: str) -> None:
    outbox = opened(path)
    found = {name for (name,) in rows(path, "SELECT event_id FROM event")}
    assert found == readable, f"{what}: {len(found)} of {len(readable)} events"
    assert outbox.counts()["1"].imbalance == 0, what
    outbox.close()
    kept = [file for file in path.parent.glob("outbox.db.damaged-*") if file.name.endswith("Z")]
    assert [damage in file.read_bytes() for file in kept] == [True], f"{what}: the damaged file is not kept as it was"
    left = {file.name for file in path.parent.iterdir()} - {f"outbox.db{suffix}" for suffix in ORDINARY}
    assert not {name for name in left if ".damaged-" not in name}, f"{what}: {left}"
    assert not {name for name in left if "reading" in name}, f"{what}: {left}"


ORDINARY = ("", "-wal", "-shm", "-opening", "-next", "-owners", "-ballast")


def main(place: Path, kind: str) -> None:
    image = place / "image"
    readable = damaged(image, kind)
    here, step, again = place / "here", 1, 0
    while True:
        shutil.copytree(image, here)
        if not killed(lambda: start(here / "outbox.db"), step):
            break
        if step % 3 == 0:  # and killed once more on the way back
            again = again % 11 + 1
            killed(lambda: start(here / "outbox.db"), again)
        check(here / "outbox.db", DAMAGE[kind], readable, f"killed at step {step}, then {again}")
        shutil.rmtree(here)
        step += 1
    print(step - 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
