"""A thousand datasets share a worker's threads: ten of them hang and one is flooded, in virtual seconds.

The paces are the product's. What is played here is what they are told: arrivals, threads, and a Meta that answers after
a tenth of a second, or never, so that the call ends at its deadline. What the processor does costs nothing here; that
part is measured by `python -m bench datasets`.
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Callable
from functools import partial

import pytest

from conversion_relay.delivery.dataset_pace import MOST_AHEAD, MOST_TURNS
from conversion_relay.delivery.pace import Paces
from conversion_relay.delivery.sitting import DEADLINE_SECONDS
from conversion_relay.meta.graph import Accepted, Outcome, Said, Unreachable

CALL_SECONDS, SECONDS = 0.1, 12.0
HANGS_FROM, BUSY_FROM = 2.0, 4.0
"""While the others are quiet the ten may take what nobody else wants."""
OTHERS, RATE = 1_000, 200
TEN = frozenset(f"hangs {n}" for n in range(10))
FLOODED = "flooded"


class Threads:
    """A worker's turns over queues of the times at which events arrived."""

    def __init__(self) -> None:
        self.now, self.running = 0.0, 0
        self.paces = Paces(lambda: self.now, 8)
        self.queues: defaultdict[str, list[float]] = defaultdict(list)
        self.ahead: list[tuple[str, list[float]]] = []
        self.delays: defaultdict[str, list[float]] = defaultdict(list)
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers = itertools.count()

    def at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self.agenda, (moment, next(self.numbers), act))

    def run(self) -> None:
        while self.agenda and self.agenda[0][0] <= SECONDS:
            self.now, _, act = heapq.heappop(self.agenda)
            act()
            self.dispatch()

    def arrives(self, name: str, events: int) -> None:
        self.queues[name] += [self.now] * events

    def dispatch(self) -> None:
        ready, self.ahead = self.ahead, []
        for name, events in ready:
            self.call(name, events)
        for name in self.paces.in_order(self.queues):
            if self.running == MOST_TURNS:
                return
            if admitted := self.paces.admit([name]):
                self.running += 1
                taken, rest = self.queues[name][: admitted[1]], self.queues.pop(name)[admitted[1] :]
                if rest:
                    self.queues[name] = rest
                self.paces.claimed(name, len(taken), admitted[1])
                self.call(name, taken)
            elif 0 < (opens := self.paces.opens_in(name)) < 1:
                self.at(self.now + opens, lambda: None)

    def call(self, name: str, events: list[float]) -> None:
        """Now, or when another call of the dataset has ended; until then it keeps its thread."""
        if name in TEN or name == FLOODED:
            pace = self.paces.now()[name]
            if pace.in_flight >= pace.most_in_flight:
                self.ahead.append((name, events))
                return
        hangs = name in TEN and self.now >= HANGS_FROM
        if self.paces.begin(name, len(events)):
            seconds = DEADLINE_SECONDS if hangs else CALL_SECONDS
            self.at(self.now + seconds, partial(self.answered, name, events, self.now, hangs))
        else:
            self.back(name, events)

    def answered(self, name: str, events: list[float], started: float, hangs: bool) -> None:
        outcome: Outcome = Unreachable("timeout", sent=True) if hangs else Accepted(Said())
        self.paces.note(name, outcome, started)
        self.paces.end(name)
        if not hangs:
            self.delays[name] += [self.now - at for at in events]
        self.back(name, events if hangs else [])

    def back(self, name: str, events: list[float]) -> None:
        """The turn is over."""
        self.paces.done(name)
        self.running -= 1
        if events:
            self.queues[name] = events + self.queues[name]


def delays_of_the_others(*, trouble: bool) -> tuple[float, int]:
    """Their p99, and how many of their events arrived at Meta."""
    worker = Threads()
    for n in range(int(RATE * (SECONDS - BUSY_FROM))):
        worker.at(BUSY_FROM + n / RATE, partial(worker.arrives, f"other {n * 7 % OTHERS}", 1))
    for tick in range(int(SECONDS * 10) if trouble else 0):
        for name in (*sorted(TEN), FLOODED):
            worker.at(tick / 10, partial(worker.arrives, name, 300))
    worker.run()
    delays = sorted(one for name, several in worker.delays.items() if name.startswith("other") for one in several)
    return delays[int(len(delays) * 0.99)], len(delays)


def test_ten_that_hang_and_one_that_is_flooded_are_hardly_felt_by_a_thousand_others():
    calm, all_is_well = delays_of_the_others(trouble=False)
    felt, in_trouble = delays_of_the_others(trouble=True)
    assert felt <= 2 * calm, (felt, calm)
    assert in_trouble >= 0.8 * all_is_well


def warmed_up(paces: Paces, name: str) -> None:
    for _ in range(60):
        paces.note(name, Accepted(Said()), 100.0)


def test_datasets_that_hang_leave_threads_for_those_that_have_none():
    """Ten that were as fast as they may get hang, and an eleventh is flooded."""
    ticks = itertools.count()
    paces = Paces(lambda: next(ticks) / 1e6, 8)
    busy = [f"busy {n}" for n in range(11)]
    for name in busy:
        warmed_up(paces, name)
    taken = 0
    while paces.admit(busy):
        taken += 1
    others = 0
    while paces.admit([f"other {others}"]):
        others += 1
        if taken + others == MOST_TURNS:
            break
    assert others >= MOST_TURNS // 5


@pytest.mark.parametrize("most", [1, 4, 8, 16, 40])
def test_a_dataset_alone_gets_all_its_turns(most):
    paces = Paces(lambda: 100.0, most)
    for _ in range(60):
        warmed_up(paces, "1")
    turns = 0
    while paces.admit(["1"]):
        turns += 1
    assert turns == most + (min(MOST_AHEAD, most) if most > 1 else 0)


def test_a_turn_that_ends_makes_room_for_another_dataset():
    paces = Paces(lambda: 100.0, 8)
    for n in range(MOST_TURNS):
        assert paces.admit([str(n)])
    assert not paces.admit(["0"]) and paces.opens_in("0") == float("inf")
    for n in range(1, MOST_TURNS):
        paces.done(str(n))
    assert paces.admit(["0"])
