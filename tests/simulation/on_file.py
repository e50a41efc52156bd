"""What an operator does to the outbox file by hand: a backup and its return, a file that is deleted or moved away.

`docs/operations.md` promises: a backup by SQLite's own `.backup` can be put back while nothing runs; what a deleted
file held is saved beside it, and is used again when it is moved back, while everything runs. A snapshot of the whole
disk is what a power cut leaves, so it must do as a backup, too.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from tests.simulation.loss import forgive

if TYPE_CHECKING:
    from tests.simulation.operators import Operator

LONGEST_SEARCH = 1_500
"""Seconds until somebody noticed that the file is gone: the house-keeping writes every ten minutes."""


def restore_backup(operator: "Operator") -> None:
    machine, world = operator.machine, operator.world
    copied_at = world.now
    copy = _snapshot(machine.outbox) if operator.chance.random() < 0.5 else _backup(operator)
    if copy is None:
        return
    operator.wait(operator.chance.choice((60, 1800, 4 * 3600)))
    if operator.is_done:
        return
    for server in machine.servers:
        if operator.chance.random() < 0.5:
            machine.stop(server)
    machine.kill_all()
    for suffix in ("", "-wal", "-shm"):
        path = machine.outbox.with_name(machine.outbox.name + suffix)
        path.unlink(missing_ok=True)
        if suffix in copy:
            machine.disk.put(path, copy[suffix])
    world.mark("a backup was put back")
    forgive(operator.facts, copied_at)


def _snapshot(path: Path) -> dict[str, bytes] | None:
    """The file and its log at one moment."""
    family = {suffix: path.with_name(path.name + suffix) for suffix in ("", "-wal")}
    if not path.exists():
        return None
    return {suffix: one.read_bytes() for suffix, one in family.items() if one.exists()}


def _backup(operator: "Operator") -> dict[str, bytes] | None:
    target = operator.machine.outbox.with_name("copy.db")

    def copy(_: object) -> None:
        source, copied = apsw.Connection(str(operator.machine.outbox)), apsw.Connection(str(target))
        with copied.backup("main", source, "main") as backup:
            backup.step()
        source.close()
        copied.close()

    done = operator.as_command("backup", copy)
    content = {"": target.read_bytes()} if done and target.exists() else None
    target.unlink(missing_ok=True)
    return content


def delete_file(operator: "Operator") -> None:
    machine, world = operator.machine, operator.world
    known = _rescued(machine.outbox)
    for suffix in operator.chance.choice((("",), ("", "-wal", "-shm"))):
        machine.outbox.with_name(machine.outbox.name + suffix).unlink(missing_ok=True)
    for _ in range(LONGEST_SEARCH // 10):
        world.sleep(10)
        if operator.is_done or (found := [path for path in _rescued(machine.outbox) if path not in known]):
            break
    world.sleep(10)
    found = [path for path in _rescued(machine.outbox) if path not in known]
    if found and not machine.outbox.exists():
        world.mark("a rescued copy was put back")
        found[-1].rename(machine.outbox)
    else:
        # Nobody noticed in time, so nothing was promised since. The last ones who have it open end here.
        machine.kill_all()
        forgive(operator.facts)


def _rescued(path: Path) -> list[Path]:
    return sorted(path.parent.glob(path.name + ".rescued-*"))


def move_file(operator: "Operator") -> None:
    """Away, and back while everything runs."""
    path = operator.machine.outbox
    away = path.with_name("moved.db")
    if not path.exists():
        return
    path.rename(away)
    operator.wait(operator.chance.choice((0.5, 30, 600)))
    if path.exists():
        operator.world.fail("a new outbox was begun in the place of one that was moved away")
    away.rename(path)
