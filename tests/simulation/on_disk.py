"""What happens to an operator's disk."""

from typing import TYPE_CHECKING

from tests.simulation.loss import forgive

if TYPE_CHECKING:
    from tests.simulation.operators import Operator


def fill_disk(operator: "Operator") -> None:
    """Nearly, to the last byte, or so that a transaction fails in its middle."""
    disk, ballast = operator.machine.disk, operator.machine.outbox.with_name("outbox.db-ballast")
    operator.until_meta_is_asked(300)
    had_ballast = ballast.exists()
    disk.filled = max(1, disk.room() - operator.chance.choice((0, 0, 9_000, 40_000, 100_000, 6_000_000)))
    operator.wait(operator.chance.choice((5, 120, 120, 900)))
    disk.filled = 0
    if had_ballast and not ballast.exists():
        operator.world.mark("the ballast was given up")
        operator.wait(operator.plan.poll_seconds + 60)
        if ballast.exists():
            operator.world.mark("the ballast was laid again")


def slow_disk(operator: "Operator") -> None:
    operator.machine.disk.sync_seconds = operator.chance.choice((0.05, 0.5, 3))
    operator.wait(60)
    operator.machine.disk.sync_seconds = 0.002


def failing_disk(operator: "Operator") -> None:
    disk, chance = operator.machine.disk, operator.chance
    disk.sync_fails, disk.write_fails, disk.read_fails = chance.choice(
        ((0.5, 0, 0), (0, 0.2, 0), (0, 0, 0.05), (1, 1, 0), (0.05, 0.02, 0.01))
    )
    operator.wait(chance.choice((20, 300)))
    disk.heal()


def bad_sector(operator: "Operator") -> None:
    """Some sectors cannot be read, until they are written, or until the disk was copied to another one."""
    machine = operator.machine
    for _ in range(operator.chance.choice((1, 5, 20))):
        machine.disk.spoil_sector(machine.outbox)
    if operator.chance.random() < 0.5:
        machine.kill(operator.a_server())
        operator.world.sleep(2)
        operator.supervise()
    operator.wait(operator.chance.choice((60, 600)))
    machine.disk.bad.clear()


def lying_disk(operator: "Operator") -> None:
    """Its syncs do nothing, which nobody can notice before the power is cut."""
    disk = operator.machine.disk
    disk.lies = True
    operator.wait(operator.chance.choice((20, 300)))
    if not operator.is_done and operator.chance.random() < 0.7:
        operator.machine.kill_all()
        disk.cut_power()
        if disk.has_lied:
            operator.world.mark("a disk lost what it had promised")
            forgive(operator.facts)
        disk.has_lied = False
    disk.lies = False


def rot(operator: "Operator") -> None:
    """The file is damaged while nothing runs; the next start salvages it, and may be killed in the middle."""
    machine, world = operator.machine, operator.world
    machine.kill_all()
    if operator.chance.random() < 0.7:  # else the log may hold a sound copy of the page
        operator.as_command("empty the log", lambda outbox: outbox.probe())
    if not machine.disk.rot(machine.outbox, "sqlite_autoindex_event_1"):
        return
    world.mark("a file was damaged")
    for _ in range(operator.chance.choice((0, 0, 1, 3))):
        operator.supervise()
        world.sleep(operator.chance.choice((0.0, 0.002, 0.01, 0.05)))
        machine.kill_all()
