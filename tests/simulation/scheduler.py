"""One OS thread for everything: tasks are greenlets, time is a number, and a seed decides who runs next.

A task runs until it blocks (`sleep`, `Waiters.wait`); then the scheduler draws the next one that may run. When none
may, the clock jumps to the next timer. So an idle hour costs nothing, on a busy machine as on another.

A task belongs to a *process*: a group that is killed at one moment. A greenlet that is dropped would run its
`finally` blocks, which a killed process does not. So a kill throws `Killed` into each task, while everything that the
process does to the outside (`alive()` is asked by disk, network, and files) has no effect any more.

Times are integers of microseconds: sums of floats would differ in the last bit between ways of adding, and a history
must be the same everywhere.
"""

import heapq
import random
from asyncio.events import _get_running_loop, _set_running_loop
from collections import Counter, deque
from collections.abc import Callable

import greenlet

from tests.simulation.tasks import Broken, Deadlock, Killed, Process, Task, Wait

START = 1_795_435_200
"""Virtual time begins here: Unix seconds, a morning in November 2026."""
MICRO = 1_000_000
MOST_STEPS_AT_ONCE = 200_000
"""Within one second of virtual time; whoever needs more spins."""


class Waiters:
    """Tasks that wait for something, in the order in which they came."""

    __slots__ = ("waits",)

    def __init__(self) -> None:
        self.waits: deque[Wait] = deque()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether somebody woke this task within that time."""
        world = current()
        task = world.task
        wait = Wait(task)
        self.waits.append(wait)
        if seconds is not None:
            world.at(world.now + max(0, round(seconds * MICRO)), wait)
        task.wait = wait
        world.block()
        return wait.was_woken

    def wake(self, most: int = 1) -> None:
        while self.waits and most:
            wait = self.waits.popleft()
            if not wait.is_over:
                wait.is_over = wait.was_woken = True
                most -= 1
                current().ready(wait.task)

    def __len__(self) -> int:
        return sum(not wait.is_over for wait in self.waits)


class Scheduler:
    """The clock, the tasks and the one source of chance.

    `order` decides who runs next, `entropy` is what the product draws, each actor has its own (`random_of`). So a
    product that blocks or draws once more does not change what people and Meta do."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.order = random.Random(f"order {seed}")
        self.entropy = random.Random(f"entropy {seed}")
        self.now = 0
        self.history: list[str] = []
        self.marks: Counter[str] = Counter()
        self.steps = 0
        """Of the product's processes."""
        self._switches = 0
        self.given = 0
        """Events that were handed to a door, those that it knew included."""
        self._second = self._switches_by_second = 0
        self.failure: BaseException | None = None
        self.outside = Process("world", 0)
        self.task = Task(lambda: None, self.outside, "outside")
        self._hub = greenlet.getcurrent()
        self._ready: list[Task] = []
        self._timers: list[tuple[int, int, Wait]] = []
        self._timer_number = 0
        self.processes: list[Process] = []
        self._graves: list[Task] = []

    # -- for the world ------------------------------------------------------------------------------------------------

    def random_of(self, actor: str) -> random.Random:
        return random.Random(f"{actor} {self.seed}")

    def process(self, name: str) -> Process:
        self.processes.append(Process(name, len(self.processes) + 1))
        return self.processes[-1]

    def spawn(self, body: Callable[[], object], name: str, process: Process | None = None) -> Task:
        task = Task(self._guarded(body), process or self.task.process, name)
        task.greenlet.parent = self._hub
        task.process.tasks.append(task)
        self.ready(task)
        return task

    def _guarded(self, body: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            try:
                body()
            except Killed:
                pass
            except BaseException as error:
                self.failure = self.failure or error
            finally:
                task = self.task
                if task in task.process.tasks:
                    task.process.tasks.remove(task)

        return run

    def note(self, line: str) -> None:
        """One line of the history, with the virtual time."""
        self.history.append(f"{self.now / MICRO:12.3f} {line}")

    def mark(self, what: str) -> None:
        self.marks[what] += 1

    def fail(self, why: str) -> None:
        """A rule is broken; the run ends here."""
        self.note(f"BROKEN: {why}")
        self.failure = self.failure or Broken(why)

    def kill(self, process: Process) -> None:
        """At this moment; none of its tasks has any effect from here on."""
        process.is_alive = False
        for task in list(process.tasks):
            if task is not self.task and task.greenlet:  # one that did not begin has nothing to unwind
                self._throw(task)
        me, self.task = self.task, Task(lambda: None, process, "kernel")
        for work in process.at_kill:
            work()
        self.task = me

    def hold(self, process: Process) -> None:
        """As SIGSTOP: it stands still where it is, and keeps its files, locks and leases."""
        process.held = [task for task in self._ready if task.process is process]
        self._ready = [task for task in self._ready if task.process is not process]

    def go_on(self, process: Process) -> None:
        """As SIGCONT."""
        held, process.held = process.held or [], None
        self._ready += held

    def _throw(self, task: Task) -> None:
        if task.wait is not None:
            task.wait.is_over = True
        me, self.task = self.task, task
        loop = _get_running_loop()
        _set_running_loop(task.loop)
        task.greenlet.parent = greenlet.getcurrent()
        # Code that catches BaseException and blocks again is thrown out again.
        for _ in range(100):
            task.greenlet.throw(Killed)
            if task.greenlet.dead:
                break
        self.task = me
        _set_running_loop(loop)
        if not task.greenlet.dead:
            self._graves.append(task)

    # -- for the doubles ----------------------------------------------------------------------------------------------

    def ready(self, task: Task) -> None:
        if not task.is_queued and task.process.is_alive:
            task.is_queued = True
            (self._ready if task.process.held is None else task.process.held).append(task)

    def at(self, when: int, wait: Wait) -> None:
        self._timer_number += 1
        heapq.heappush(self._timers, (when, self._timer_number, wait))

    def block(self) -> None:
        """Until somebody makes this task ready."""
        task = self.task
        if not task.process.is_alive:
            raise Killed
        if task.greenlet is not greenlet.getcurrent():
            raise Deadlock(f"{task.name} blocks outside of the scheduler")
        self._hub.switch()
        if not task.process.is_alive:
            raise Killed

    def sleep(self, seconds: float) -> None:
        wait = Wait(self.task)
        self.at(self.now + max(0, round(seconds * MICRO)), wait)
        self.task.wait = wait
        self.block()

    def yield_(self) -> None:
        self.ready(self.task)
        self.block()

    # -- the loop -----------------------------------------------------------------------------------------------------

    def run(self, until: Callable[[], bool]) -> None:
        """Raises what a task raised, and Deadlock."""
        while not until():
            if self.failure is not None:
                raise self.failure
            if self._ready:
                number = self.order.randrange(len(self._ready)) if len(self._ready) > 1 else 0
                task = self._ready.pop(number)
                task.is_queued = False
                if task.process.is_alive and not task.greenlet.dead:
                    self._step(task)
            elif not self._advance():
                raise Deadlock("nobody can run, and no timer is set")
        if self.failure is not None:
            raise self.failure

    def _step(self, task: Task) -> None:
        self._switches += 1
        self.steps += task.process is not self.outside
        if self._switches - self._switches_by_second > MOST_STEPS_AT_ONCE:
            raise Broken(f"{MOST_STEPS_AT_ONCE} steps within a second: {task.name} of {task.process.name} spins")
        outside, self.task = self.task, task
        _set_running_loop(task.loop)
        task.greenlet.switch()
        task.loop = _get_running_loop()
        _set_running_loop(None)
        self.task = outside

    def _advance(self) -> bool:
        while self._timers:
            when, _, wait = heapq.heappop(self._timers)
            if not wait.is_over:
                wait.is_over = True
                self.now = max(self.now, when)
                if self.now - self._second >= MICRO:
                    self._second, self._switches_by_second = self.now, self._switches
                self.ready(wait.task)
                return True
        return False


_world: list[Scheduler] = []


def current() -> Scheduler:
    """The world of this OS process; there is one at a time."""
    return _world[-1]


def begin(seed: int) -> Scheduler:
    _world[:] = [Scheduler(seed)]
    return _world[0]
