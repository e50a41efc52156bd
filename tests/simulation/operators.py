"""The operator: what one person with a machine does to it, drawn from the seed.

Each act is a function of one of the modules `on_*.py`. An act undoes what it did, and soon when the time of faults is
over.
"""

from collections.abc import Callable
from typing import Any

from conversion_relay.outbox import open_outbox
from tests.simulation import on_disk, on_file, on_machine, on_outbox, on_settings
from tests.simulation.disk import close_connections
from tests.simulation.facts import Fact, Facts
from tests.simulation.machine import Machine, Server
from tests.simulation.plan import ACTS, Plan
from tests.simulation.scheduler import MICRO, Scheduler

STEP_SECONDS = 20.0


class Operator:
    """`live` is a task for the time of faults."""

    def __init__(self, world: Scheduler, machine: Machine, facts: Facts, plan: Plan) -> None:
        self.world, self.machine, self.facts = world, machine, facts
        self.is_done = False
        self.chance = world.random_of("operator")
        self.plan = plan
        self.at_erased: Callable[[Fact], None] = lambda fact: None

    def live(self) -> None:
        while not self.is_done:
            self.world.sleep(self.chance.expovariate(1 / (self.plan.act_hours * 3600)))
            act = self.chance.choices(list(ACTS), list(ACTS.values()))[0]
            if self.is_done or act not in self.plan.acts:
                continue
            self.world.mark(f"operator: {act}")
            self.world.note(f"operator: {act}")
            self.machine.is_in_work = True
            _ACTS[act](self)
            self.machine.is_in_work = False
            self.world.note(f"operator: {act} is over")
            self.supervise()

    def supervise(self) -> None:
        """Starts what does not run. When the time of faults is over: waits as long as Meta asked for, and sends again
        what is held, since a person has to decide about it."""
        for server in list(self.machine.servers):
            if not server.process.is_alive or server.service is None:
                self.machine.kill(server)
                self.machine.restart(server)
        if self.is_done:
            self.world.sleep(max(0.0, (self.machine.graph.asked_until - self.world.now) / MICRO))
            self.as_command("look and release", on_outbox.look_and_release)

    def replay_all(self) -> None:
        """After the calm, when what was dead may live again."""
        self.world.mark("operator: replay")
        on_outbox.replay(self)

    def wait(self, seconds: float) -> None:
        """Ends early when the time of faults is over."""
        ends_at = self.world.now + round(seconds * MICRO)
        while not self.is_done and self.world.now < ends_at:
            self.world.sleep(min(STEP_SECONDS, (ends_at - self.world.now) / MICRO))

    def until_meta_is_asked(self, most_seconds: int) -> None:
        """So that what is done now, is done to a request under way; or until so many seconds are over."""
        for _ in range(most_seconds * 4):
            if self.machine.graph.in_flight or self.is_done:
                break
            self.world.sleep(0.25)

    def a_server(self) -> Server:
        return self.chance.choice(self.machine.servers)

    def roll(self) -> None:
        """All processes, one after the other."""
        for server in list(self.machine.servers):
            self.machine.stop(server)
            self.world.sleep(self.chance.choice((0.1, 2, 8)))
            self.machine.restart(server)
            self.world.sleep(1)

    def as_command(self, name: str, work: Callable[[Any], object]) -> list[object]:
        """In a process of its own, as `conversion-relay dead replay` and `erase` run: what `work` made of the outbox;
        nothing where it failed."""
        process = self.world.process(name)
        process.clock_offset = self.machine.clock_offset
        process.at_kill.append(lambda: close_connections(process))
        done: list[object] = []

        def run() -> None:
            try:
                outbox = open_outbox(f"sqlite:///{self.machine.outbox}")
                try:
                    done.append(work(outbox))
                finally:
                    outbox.close()
            except Exception as error:
                self.world.note(f"{name}: {type(error).__name__}: {error}")

        task = self.world.spawn(run, name, process)
        for _ in range(600):
            if task.greenlet.dead:
                break
            self.world.sleep(0.1)
        self.machine.kill_process(process)
        return done


_ACTS: dict[str, Callable[[Operator], None]] = {
    name: getattr(module, name)
    for name in ACTS
    for module in (on_machine, on_disk, on_file, on_settings, on_outbox)
    if hasattr(module, name)
}
assert list(_ACTS) == list(ACTS)
