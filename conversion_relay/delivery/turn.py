"""`Delivery` gives each dataset its turns; a turn is one claim and one sitting.

A turn is for events of the ordinary lanes, or for suspects (`suspects.py`), which get one call of four while others
wait (`shares.py`).

    1 claim -> 2 pack -> 3 build_request -> 4 send -> 5 read_response -> 6 decide -> 7 settle -> 8 report

Step 1 is `Delivery.deliver` below; steps 2 to 8 are `Sitting.run`. `worker.py` begins turns in threads until it is told
to stop. What an answer means is decided in `meta/graph.py`, what follows from it for an event in `retry.py`, how fast a
dataset is sent to in `pace.py`, which of a refused batch is guilty in `isolation.py`.
"""

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from conversion_relay.delivery.claims import Claims
from conversion_relay.delivery.context import Context
from conversion_relay.delivery.exchange import asker
from conversion_relay.delivery.fleet_pace import FleetPaces
from conversion_relay.delivery.isolation import Isolation
from conversion_relay.delivery.meta_clock import MetaClock
from conversion_relay.delivery.pace import LINGER_SECONDS, MOST_EVENTS, PROBE_EVENTS, PaceNow
from conversion_relay.delivery.report import Report
from conversion_relay.delivery.sitting import DEADLINE_SECONDS, LEASE_SECONDS, Sitting
from conversion_relay.delivery.slot import Slot
from conversion_relay.delivery.stranded import expire_stranded
from conversion_relay.delivery.stumbling import ASKED_AMONG
from conversion_relay.delivery.suspects import CROWD, SuspectSitting
from conversion_relay.delivery.transport import Transport
from conversion_relay.meta.batch import size_of
from conversion_relay.outbox.protocol import Lease, Leases
from conversion_relay.settings import Dataset, Settings
from conversion_relay.telemetry import Counters, Sentences

LOOK_SECONDS = 0.1
"""How long what a look found is believed: a claim that finds nothing does no harm, and a dataset that has something new
must not wait for a thousand others."""

FEW_DATASETS = 16
"""To ask the paces of so many takes less than a look at the outbox."""


class Turn(msgspec.Struct, frozen=True):
    """What may be done next: claim at most that many events of one dataset."""

    dataset: Dataset
    events: int
    suspects: bool = False
    """From the lane of suspects (`suspects.py`)."""


class Delivery:
    """Safe to use from several threads; `next_turn` is asked by one of them.

    Over 150 lines: whose turn it is and what a turn does share the look, the paces and the settings."""

    def __init__(
        self,
        outbox: Leases,
        transport: Transport,
        settings: Settings,
        *,
        counters: Counters | None = None,
        sentences: Sentences | None = None,
        clock: Callable[[], float] = lambda: time.time(),  # noqa: PLW0108 - freezegun replaces it
        steady_clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        """`clock` is the wall's, for deadlines that Meta sets; `steady_clock` is one that nobody sets, for pauses.
        `deadline`: seconds for one request and its answer."""
        self._outbox, self._clock = outbox, clock
        self._datasets = _by_name(settings)
        self._due: deque[str] = deque()
        """Of the last look, without those that had their turn since."""
        self._suspects: list[str] = []
        self._looks_again_at = 0.0
        self._has_looked = False
        """Since the last turn ended, which may have made suspects."""
        self._seen: tuple[Mapping[str, float], Mapping[str, float]] | None = None
        """What the last `next_turn` saw, if it looked: what waits, and suspects."""
        self._sentences = sentences or Sentences()
        self.claims = Claims()
        self._paces = FleetPaces(steady_clock, settings.most_calls)
        self.hear = self._paces.hear
        """Of the other workers' signs of life."""
        self._meta_clock, self._steady_clock = MetaClock(), steady_clock
        self._stopping = threading.Event()
        self._context = Context(
            outbox=outbox,
            transport=transport,
            settings=settings,
            paces=self._paces,
            isolation=Isolation(),
            meta_clock=self._meta_clock,
            counters=counters or Counters(),
            sentences=self._sentences,
            clock=clock,
            steady_clock=steady_clock,
            jitter=jitter,
            deadline=deadline,
            stopping=self._stopping,
            asker_now=self._asker,
        )

    def step(self) -> Report | None:
        """One turn: at most 1,000 events of one dataset. None when nothing is due."""
        turn = self.next_turn()
        return self.deliver(turn) if turn else None

    def next_turn(self) -> Turn | None:
        """The dataset that is next; `deliver` must follow. None when nothing is due, and after `stop`."""
        self._seen = None
        if self._stopping.is_set() or self.rests_for():
            return None
        is_new = not self._due or self._steady_clock() >= self._looks_again_at
        if is_new:
            self._look()
        turn = self._admitted()
        if turn is None and not is_new:
            self._look()
            turn = self._admitted()
        return turn

    def _look(self) -> None:
        """Which datasets have something to send. One look serves a turn of each: a look at a thousand datasets for
        every turn would cost more than the turn."""
        now, self._has_looked = self._clock(), True
        waiting, suspects = self._seen = self._outbox.waiting(now), self._outbox.suspects(now)
        due = [name for name in self._of_ours(waiting, now) if not self.claims.is_under_way(name)]
        self._suspects = self._of_ours(suspects, now)
        self._paces.look(self._suspects, due)
        self._due = deque(self._paces.in_order(due))
        self._looks_again_at = self._steady_clock() + LOOK_SECONDS

    def _of_ours(self, waiting: Mapping[str, float], now: float) -> list[str]:
        return [name for name, at in waiting.items() if at <= now and name in self._datasets]

    def _admitted(self) -> Turn | None:
        if turn := self._turn(self._paces.admit_suspects(self._suspects, owed=True), suspects=True):
            return turn
        while self._due:
            if turn := self._turn(self._paces.admit([self._due.popleft()])):
                self.claims.begin(turn.dataset.pixel_id)
                return turn
        return self._turn(self._paces.admit_suspects(self._suspects), suspects=True)

    def _turn(self, admitted: tuple[str, int] | None, *, suspects: bool = False) -> Turn | None:
        dataset = self._datasets.get(admitted[0]) if admitted else None
        return Turn(dataset, admitted[1], suspects) if admitted and dataset else None

    def deliver(self, turn: Turn) -> Report | None:
        """None when somebody else was quicker, or when what was claimed had to go back."""
        name = turn.dataset.pixel_id
        try:
            lease = self._claim(name, turn)
            if lease is None:
                return None
            # A turn may claim ahead of its call; then it waits here until the call may be made.
            if not self._paces.begin(name, min(len(lease.events), turn.events)):
                self._outbox.release(lease)
                return None
            slot, sitting = Slot(self._paces, name, self._stopping), SuspectSitting if turn.suspects else Sitting
            try:
                return sitting(self._context.of(turn.dataset), lease, turn.dataset, slot, turn.events).run()
            finally:
                slot.free()
        finally:
            self._paces.done(name, suspects=turn.suspects)
            self._has_looked = False

    def _claim(self, name: str, turn: Turn) -> Lease | None:
        now, isolation = self._clock(), self._context.isolation
        if not turn.suspects:
            try:
                asks = turn.events == PROBE_EVENTS and self._paces.outages(name)
                lease = self._outbox.claim(name, ASKED_AMONG if asks else turn.events, LEASE_SECONDS, now)
                events = lease.events if lease else ()
                self._paces.claimed(name, len(events), turn.events, size_of(events))
                return lease
            finally:
                self.claims.end(name)
        most = min(turn.events, MOST_EVENTS)
        # Where many are bad the sitting keeps a few: those that may be good before others, wherever they stand.
        lease = self._outbox.claim_suspects(name, most, LEASE_SECONDS, now)
        is_shared = isolation.is_crowded(name) and not self._paces.are_all_refused(name)
        if (len(lease.events) if lease else 0) < (CROWD if is_shared else most):
            isolation.few_are_left(name)
        return lease

    def expire_stranded(self) -> int:
        """What waits for a dataset that is not configured, and Meta takes no more, ends; how many."""
        wall, known = self._clock(), self._meta_clock.is_known
        now = self._meta_clock.now(wall, self._steady_clock())
        return expire_stranded(self._outbox, self._datasets, now, is_metas=known, wall=wall)

    def stop(self) -> None:
        """What is in flight is finished and settled; what was claimed and not sent is released."""
        self._stopping.set()
        self._paces.stop()

    def use(self, settings: Settings) -> None:
        """New settings; a dataset that is asked for with another token, or elsewhere, is looked at again at once."""
        changed = [
            dataset.pixel_id
            for dataset in settings.datasets
            if self._asker(dataset.pixel_id) != asker(settings, dataset)
        ]
        self._datasets, self._context = _by_name(settings), self._context._replace(settings=settings)
        for name in changed:
            self._paces.unpark(name)

    def _asker(self, name: str) -> tuple[str, ...] | None:
        dataset = self._datasets.get(name)
        return asker(self._context.settings, dataset) if dataset else None

    def flush(self) -> None:
        """Write the log sentences that were held back."""
        self._sentences.flush()

    def rests_for(self) -> float:
        """Seconds in which nothing can be claimed, whatever waits. Each put wakes the worker, and while a dataset
        lingers, or has all its turns, a look at the outbox would only cost. Infinity until a turn ends.

        0 where it has to look all the same: for suspects, for longer pauses, where the datasets are many."""
        if not self._has_looked or self._suspects or len(self._datasets) > FEW_DATASETS:
            return 0.0
        seconds = self._paces.opens_in(*[name for name in self._datasets if not self.claims.is_under_way(name)])
        return seconds if seconds <= LINGER_SECONDS or seconds == math.inf else 0.0

    def seconds_until_due(self, at_most: float) -> float:
        """How long a worker may sleep. By the look of the `next_turn` before it: what was put since is a signal."""
        now = self._clock()
        waiting, suspects = self._seen or (self._outbox.waiting(now), self._outbox.suspects(now))
        due = [
            max(at - now, self._paces.opens_in(name))
            for name, at in waiting.items()
            if name in self._datasets and not self.claims.is_under_way(name)
        ]
        due += [
            max(at - now, self._paces.suspects_open_in(name)) for name, at in suspects.items() if name in self._datasets
        ]
        return max(0.0, min([at_most, *due]))

    def paces(self) -> dict[str, PaceNow]:
        """For dashboard and metrics."""
        skew = self._meta_clock.skew(self._clock(), self._steady_clock())
        return {
            name: msgspec.structs.replace(pace, clock_skew_seconds=skew)
            for name, pace in self._paces.now().items()
            if name in self._datasets  # what was taken out of the settings waits for nothing any more
        }


def _by_name(settings: Settings) -> dict[str, Dataset]:
    return {dataset.pixel_id: dataset for dataset in settings.datasets}
