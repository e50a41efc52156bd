"""What an operator does to processes, power and clocks."""

from typing import TYPE_CHECKING

from tests.simulation.loss import forget_ledger, forgive
from tests.simulation.scheduler import MICRO

if TYPE_CHECKING:
    from tests.simulation.operators import Operator

DAY = 86_400


def restart(operator: "Operator") -> None:
    operator.machine.stop(operator.a_server())
    operator.world.sleep(operator.chance.choice((0.1, 2, 60)))


def upgrade(operator: "Operator") -> None:
    """One process after the other, while the others go on."""
    operator.roll()


def kill(operator: "Operator") -> None:
    operator.machine.kill(operator.a_server())
    operator.world.sleep(operator.chance.choice((0, 0.5, 5, 200)))


def stop_signal(operator: "Operator") -> None:
    """A process stands still, mostly while it waits for Meta, and mostly longer than its lease."""
    world, chance, server = operator.world, operator.chance, operator.a_server()
    operator.until_meta_is_asked(chance.choice((0, 60, 300)))
    if not server.process.is_alive:
        return
    world.hold(server.process)
    operator.wait(chance.choice((5, 70, 90, 400)))
    world.go_on(server.process)


def cut_power(operator: "Operator") -> None:
    disk = operator.machine.disk
    operator.machine.kill_all()
    disk.cut_power()
    if disk.has_lied:
        disk.has_lied = False
        forgive(operator.facts)
    operator.world.sleep(operator.chance.choice((10, 600)))


def set_clock(operator: "Operator") -> None:
    before, machine = operator.machine.clock_offset, operator.machine
    machine.set_clock(operator.chance.choice((0, 0, -3600, 90, 3600, 3 * DAY, 20 * DAY, -10 * DAY)))
    operator.facts.clock_was_wrong |= machine.clock_offset != 0
    if abs(machine.clock_offset - before) > 7 * DAY * MICRO:
        forget_ledger(operator.facts)


def drift(operator: "Operator") -> None:
    """A clock that runs too fast or too slow, until somebody sets it."""
    machine, rate = operator.machine, operator.chance.choice((-0.05, -0.001, 0.001, 0.05))
    for _ in range(operator.chance.choice((10, 60))):
        operator.wait(60)
        if operator.is_done:
            return
        machine.shift_clock(machine.clock_offset + round(60 * MICRO * rate))
    if operator.chance.random() < 0.5:
        machine.shift_clock(0)
