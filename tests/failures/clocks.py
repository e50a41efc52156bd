"""Days of outage on fake clocks, and clocks that are set while events wait.

The first part runs outbox and delivery as they are, on clocks of its own: three days pass in seconds. The second runs
real processes under libfaketime.
"""

import itertools
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from conversion_relay.delivery.transport import Response
from conversion_relay.delivery.turn import Delivery
from conversion_relay.event import SealedEvent
from conversion_relay.meta.graph import Request, Unreachable
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.settings import Settings
from tests.failures.load import Load, Progress, Result, reckon
from tests.processes import installation, until

HOUR = 3_600.0
START = 1_795_435_200.0
WEEK = 7 * 24 * HOUR - 300
LATENCY = 0.1
FRESH_SECONDS = 5.0
PUT_EVERY = 30.0
PURCHASES = 5
"""One event in so many."""


class Clocks:
    """The two clocks of a machine: `wall` may be set to any time, `steady` never goes back."""

    def __init__(self) -> None:
        self.wall, self.steady = START, 5_000.0

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class Meta:
    """Stands in for the transport; an answer takes a tenth of a second."""

    def __init__(self, clocks: Clocks) -> None:
        self.world = clocks
        self.answer: Callable[[int], Response | Unreachable] = taken
        self.calls: list[tuple[float, list[str]]] = []
        self.taken: dict[str, float] = {}
        self.copies: dict[str, set[str]] = {}

    def send(self, request: Request, deadline: float) -> Response | Unreachable:
        events = json.loads(request.body)["data"]
        ids = [found["event_id"] for found in events]
        for found in events:
            self.copies.setdefault(found["event_id"], set()).add(json.dumps(found))
        self.world.advance(LATENCY)
        self.calls.append((self.world.steady, ids))
        answer = self.answer(len(ids))
        if isinstance(answer, Response) and answer.status == 200:
            self.taken.update(dict.fromkeys(ids, self.world.wall))
        return answer

    def close(self) -> None:
        pass


def taken(n: int) -> Response:
    return Response(200, {}, b'{"events_received":%d}' % n)


def away(_: int) -> Unreachable:
    return Unreachable("connection_refused", sent=False)


def broken(_: int) -> Response:
    return Response(500, {}, b'{"error":{"code":2,"is_transient":true}}')


def silent(_: int) -> Unreachable:
    return Unreachable("deadline", sent=True)


def dead_token(_: int) -> Response:
    return Response(400, {}, b'{"error":{"code":190}}')


class Shop:
    """A site with a few events a minute, whose relay is restarted and killed now and then."""

    def __init__(self, folder: Path, per_minute: int = 20) -> None:
        self.folder, self.per_minute = folder, per_minute
        self.clocks = Clocks()
        self.meta = Meta(self.clocks)
        self.put_at: dict[str, float] = {}
        self.lives = 0
        self.next_put = START
        self.open()

    def open(self) -> None:
        path = self.folder / f"life-{self.lives}.db"
        self.outbox = SqliteOutbox(str(path), boot_clock=lambda: self.clocks.steady)
        settings = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAcanary"})
        self.delivery = Delivery(
            self.outbox,
            self.meta,
            settings,
            clock=lambda: self.clocks.wall,
            steady_clock=lambda: self.clocks.steady,
            jitter=lambda: 1.0,
        )

    def restart(self, *, kill: bool) -> None:
        """Kills the relay and starts it again on the same file, as another process."""
        old = self.folder / f"life-{self.lives}.db"
        self.lives += 1
        new = self.folder / f"life-{self.lives}.db"
        if not kill:
            self.outbox.close()
        for suffix in ("", "-wal"):
            if (file := old.with_name(old.name + suffix)).exists():
                shutil.copyfile(file, new.with_name(new.name + suffix))
        if kill:
            self.outbox.close()
        self.open()

    def live(self, hours: float) -> None:
        ends_at = self.clocks.steady + hours * HOUR
        house = self.clocks.steady
        while self.clocks.steady < ends_at:
            self.put_one()
            if self.clocks.steady >= house:
                self.outbox.tidy(self.clocks.wall)
                self.outbox.prune(self.clocks.wall)
                house += HOUR
            if (turn := self.delivery.next_turn()) is not None:
                self.delivery.deliver(turn)
            else:
                self.clocks.advance(max(0.01, self.delivery.seconds_until_due(PUT_EVERY)))

    def put_one(self) -> None:
        waiting = int((self.clocks.wall - self.next_put) * self.per_minute / 60)
        if waiting <= 0:
            return
        self.next_put = self.clocks.wall
        at = int(self.clocks.wall)
        events = []
        for n in range(len(self.put_at), len(self.put_at) + waiting):
            name, event_id = ("Purchase" if n % PURCHASES == 0 else "Lead"), f"e{n}"
            body = json.dumps({"event_name": name, "event_id": event_id, "event_time": at}).encode()
            events.append(
                SealedEvent(
                    dataset="1",
                    event_name=name,
                    event_id=event_id,
                    event_time=at,
                    expires_at=int(at + WEEK),
                    body=body,
                )
            )
            self.put_at[event_id] = self.clocks.wall
        self.outbox.put(events, self.clocks.wall)

    def slowest_since(self, at: float) -> float:
        """Seconds that the slowest event put since then took to reach Meta."""
        return max(self.meta.taken[i] - put_at for i, put_at in self.put_at.items() if put_at >= at)

    def is_in_order(self, batches: list[list[str]]) -> bool:
        """Whether batches with several of these events left in the order in which they were put."""
        times = [[self.put_at[i] for i in batch] for batch in batches if len(batch) > 1]
        spans = [(min(batch), max(batch)) for batch in times]
        return all(earlier[1] <= later[0] + 120 for earlier, later in itertools.pairwise(spans))


def three_days(folder: Path, _: int = 1, progress: Progress = lambda _: None, *, share: float = 1.0) -> Result:
    """Meta is away for three days, then the token is dead for one; restarts and kills in between. Then it drains.
    `share` of these times."""
    logging.getLogger("conversion_relay").setLevel(logging.CRITICAL)
    try:
        return _three_days(Shop(folder), progress, share)
    finally:
        logging.getLogger("conversion_relay").setLevel(logging.NOTSET)


def _three_days(shop: Shop, progress: Progress, share: float) -> Result:
    shop.live(1)
    for n, answer in enumerate((away, broken, away, broken, away, broken)):
        shop.meta.answer = answer
        shop.live(12 * share)
        shop.restart(kill=n % 2 == 1)
        progress(f"{12 * share * (n + 1):g} hours away, {len(shop.put_at):,} events")
    shop.meta.answer = dead_token
    asked = len(shop.meta.calls)
    for n in range(4):
        shop.live(6 * share)
        shop.restart(kill=n % 2 == 1)
    looks = len(shop.meta.calls) - asked
    progress(f"{24 * share:g} hours with a dead token, {looks} looks")
    shop.meta.answer = taken
    back, waiting = shop.clocks.wall, shop.outbox.counts()["1"].pending
    drained_from = len(shop.meta.calls)
    shop.live(0.25)
    book = shop.outbox.counts()["1"]
    lost = len(shop.put_at.keys() - shop.meta.taken.keys())
    fresh = shop.slowest_since(back + 60)
    troubles = {
        "lost": lost > 5,  # put in the last moment
        "dead or expired": book.dead or book.expired,
        "books do not balance": book.imbalance,
        "more than one look a minute": looks > 24 * share * 60 + 8,
        "fresh events waited": fresh > FRESH_SECONDS,
        "not by deadline": not _by_deadline(shop, back, shop.meta.calls[drained_from:]),
        "one event, two bodies": any(len(copies) > 1 for copies in shop.meta.copies.values()),
    }
    note = f"{waiting:,} waited, {looks} looks with the dead token, slowest fresh event {fresh:.1f} s"
    verdict = ", ".join(trouble for trouble, is_so in troubles.items() if is_so) or "kept"
    shop.outbox.close()
    return Result("3 days away, token dead 24 h", 10, len(shop.put_at), max(0, lost - 5), 0, verdict, note)


def _by_deadline(shop: Shop, back: float, calls: list[tuple[float, list[str]]]) -> bool:
    """Of the backlog the purchases left first, and then the others, each in the order of their deadlines."""
    batches = [[i for i in ids if shop.put_at[i] < back - 60] for _, ids in calls]
    paid = [[i for i in batch if _is_purchase(i)] for batch in batches]
    others = [[i for i in batch if not _is_purchase(i)] for batch in batches]
    return max(_places(paid)) <= min(_places(others)) + 2 and all(map(shop.is_in_order, (paid, others)))


def _places(batches: list[list[str]]) -> list[int]:
    """Which of the batches have enough of the backlog to tell an order by: calls are in flight together."""
    return [place for place, batch in enumerate(batches) if len(batch) > 1]


def _is_purchase(event_id: str) -> bool:
    return int(event_id[1:]) % PURCHASES == 0


def set_while_running(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """The wall clock jumps days forth and back under a running relay, and Meta returns while it is wrong."""
    place = folder / "offset"
    place.write_text("+0")
    with installation(folder) as here:
        here.start(
            under=("env", *_faked(place)), planted=("--set", "conversion_relay.delivery.retry.LONGEST_OUTAGE_DELAY=2")
        )
        acknowledged: set[str] = set()
        for n in range(rounds):
            with Load(here, gap=0.01, most=10, seed=n) as load:
                until(lambda load=load: len(load.acknowledged) > 100)
                here.misbehave(mode="http_500")
                until(lambda load=load: len(load.acknowledged) > 300)
            acknowledged |= load.acknowledged
            for offset in ("+5d", "-8d", "+0", "-90m" if n % 2 else "+2d"):
                place.write_text(offset)
                asked = here.requests()
                until(lambda asked=asked: here.requests() > asked)
            here.misbehave(mode="none")
            until(lambda: here.settled() is not None, 60)
            place.write_text("+0")
            progress(f"{n + 1}/{rounds}, {len(acknowledged)} acknowledged")
        return reckon("wall clock set", rounds, here, acknowledged)


def days_between_restarts(folder: Path, rounds: int, progress: Progress = lambda _: None) -> Result:
    """Real processes, a day later each time they start: Meta away on three of them, the token dead on the fourth."""
    place = folder / "offset"
    place.write_text("+0")
    with installation(folder) as here:
        acknowledged: set[str] = set()
        for day in range(5):
            here.misbehave(mode=("http_500", "http_500", "down", "token_expired", "none")[day])
            place.write_text(f"+{day}d")
            asked = here.requests()
            here.start(under=("env", *_faked(place)))
            with Load(here, gap=0.01, most=10, seed=day) as load:
                until(lambda load=load: len(load.acknowledged) > 100 * rounds)
                until(lambda asked=asked: here.requests() > asked)
            acknowledged |= load.acknowledged
            progress(f"day {day}, {len(acknowledged)} acknowledged")
            if day < 4:
                here.kill() if day % 2 else here.stop()
        return reckon("a day between restarts", 5, here, acknowledged, most_duplicates=16_000)


def _faked(offset: Path) -> list[str]:
    """Only the wall clock, read anew at each call.

    libfaketime tries at its start whether waits for the monotonic clock need its repair. Where it errs, such waits end
    at once, and threads that wait for the interpreter's lock spin.
    """
    (library,) = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))[:1]
    return [
        f"LD_PRELOAD={library}",
        f"FAKETIME_TIMESTAMP_FILE={offset}",
        "FAKETIME_NO_CACHE=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "FAKETIME_FORCE_MONOTONIC_FIX=0",
    ]
