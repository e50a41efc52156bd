"""A fleet of two collectors and two workers under faults; nothing that was acknowledged may be lost.

    python -m tests.outbox.postgres.faults --kills 200 --restarts 30 --failovers 20 --cuts 20

Each kind of fault has a server and a fleet of its own, and fsync is on. Afterwards every acknowledged event must have
been sent and be delivered in the books. Sent twice is allowed for the batches that were under way when a fault struck.
"""

import argparse
import contextlib
import itertools
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from tests.outbox.postgres.between import Pooler, Wire
from tests.outbox.postgres.crew import BATCH, LEASE_SECONDS
from tests.outbox.postgres.hosts import ADDRESS, ROLES, TRUSTED, Hosts
from tests.outbox.postgres.server import Server
from tests.processes import free_port, until

WORKERS = 2
PAUSE = 0.7
IDLE_SECONDS = 10.0
"""After them the server ends a transaction that its client left open (`session.LIMITS`)."""


class Result(msgspec.Struct, frozen=True):
    kind: str
    faults: int
    acknowledged: int
    lost: int
    twice: int
    """Events that were sent more than once."""
    bound: int
    imbalance: int

    @property
    def is_good(self) -> bool:
        return self.acknowledged > 0 and self.lost == 0 and self.imbalance == 0 and self.twice <= self.bound

    def __str__(self) -> str:
        return (
            f"{self.kind}: {self.faults} faults, {self.acknowledged:,} acknowledged, {self.lost} lost,"
            f" {self.twice} sent twice (bound {self.bound}), books off by {self.imbalance}"
        )


class Fleet:
    def __init__(self, url: str, skews: tuple[float, ...] = (0.0, 0.0), hosts: Hosts | None = None) -> None:
        self.hosts = hosts
        self.folder, self.url, self.skews = Path(tempfile.mkdtemp(prefix="relay-fleet-")), url, skews
        PostgresOutbox(url).close()
        self.crew: dict[str, subprocess.Popen[bytes]] = {}
        for role, n in itertools.product(("collect", "deliver"), range(WORKERS)):
            self.begin(f"{role}-{n}")
        until(lambda: len(self.lines("acked")) > 20)

    def begin(self, name: str) -> None:
        role, _, n = name.partition("-")
        command = ("-m", "tests.outbox.postgres.crew", role, self.url, str(self.folder), name, str(self.skews[int(n)]))
        there = self.hosts.within(role) if self.hosts else []
        with (self.folder / f"log-{name}").open("ab") as log:
            self.crew[name] = subprocess.Popen([*there, sys.executable, *command], stdout=log, stderr=log)

    def kill_one(self, turn: int) -> None:
        name = sorted(self.crew)[turn % len(self.crew)]
        self.crew[name].kill()
        self.crew[name].wait()
        self.begin(name)

    def lines(self, kind: str) -> list[str]:
        """Whole lines; a killed process leaves the half of one."""
        texts = [path.read_text() for path in self.folder.glob(f"{kind}-*")]
        return [line for text in texts for line in text[: text.rfind("\n") + 1].splitlines()]

    def moves(self) -> None:
        """Waits until something is acknowledged again."""
        before = len(self.lines("acked"))
        until(lambda: len(self.lines("acked")) > before, seconds=90)

    def finish(self, kind: str, faults: int) -> Result:
        (self.folder / "stop").touch()
        outbox = PostgresOutbox(self.url)
        until(lambda: _is_empty(outbox) and not self._collects(), seconds=120)
        (self.folder / "over").touch()
        for process in self.crew.values():
            process.wait(60)
        acked, sent = set(self.lines("acked")), Counter(self.lines("sent"))
        book = outbox.counts()["1"]
        outbox.close()
        lost = sum(event_id not in sent for event_id in acked) + max(0, len(acked) - book.delivered)
        twice = sum(n > 1 for n in sent.values())
        crashes = "".join(text for path in self.folder.glob("log-*") if "Traceback" in (text := path.read_text()))
        assert not crashes, crashes[-2_000:]
        shutil.rmtree(self.folder)
        return Result(kind, faults, len(acked), lost, twice, (faults + 1) * BATCH * WORKERS, book.imbalance)

    def _collects(self) -> bool:
        return any(process.poll() is None for name, process in self.crew.items() if name.startswith("collect"))

    def end(self) -> None:
        for process in self.crew.values():
            process.kill()
            process.wait()


def _is_empty(outbox: PostgresOutbox) -> bool:
    with contextlib.suppress(Exception):
        book = outbox.counts()["1"]
        return book.pending == book.leased == 0
    return False


def under(
    kind: str,
    url: str,
    strike: Callable[[Fleet, int], None],
    faults: int,
    *,
    pause: float = PAUSE,
    **how: Any,
) -> Result:
    fleet = Fleet(url, **how)
    try:
        for turn in range(faults):
            time.sleep(pause * random.uniform(0.5, 1.5))
            strike(fleet, turn)
            fleet.moves()
        return fleet.finish(kind, faults)
    finally:
        fleet.end()


# -- the kinds ---------------------------------------------------------------------------------------------------------


def kills(n: int) -> Result:
    return under("processes killed", Server().start().url, lambda fleet, turn: fleet.kill_one(turn), n, pause=0.4)


def restarts(n: int) -> Result:
    """Fast, immediate and killed, in turns."""
    server = Server().start()
    ways = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
    return under("server restarted", server.url, lambda _, turn: server.restart(ways[turn % 3]), n)


def stopped(n: int) -> Result:
    """One stands still for longer than its lease, or than a transaction may be idle; the others go on."""

    def strike(fleet: Fleet, turn: int) -> None:
        process = fleet.crew[sorted(fleet.crew)[turn % len(fleet.crew)]]
        process.send_signal(signal.SIGSTOP)
        time.sleep((LEASE_SECONDS if turn % 2 == 0 else IDLE_SECONDS) + 2)
        fleet.moves()
        process.send_signal(signal.SIGCONT)

    return under("a process stood still", Server().start().url, strike, n)


def ended_sessions(n: int) -> Result:
    server = Server().start()
    sql = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return under("all sessions ended", server.url, lambda _fleet, _turn: server.execute(sql), n, pause=0.3)


def mixed(n: int) -> Result:
    """For a run of seconds: a collector, a worker and the server are killed in turns, by one fleet."""
    server = Server().start()

    def strike(fleet: Fleet, turn: int) -> None:
        if turn % 3 == 1:
            server.restart(signal.SIGKILL)
        else:
            fleet.kill_one(turn)

    return under("processes and the server killed", server.url, strike, n)


def cuts(n: int) -> Result:
    server = Server(port=free_port()).start()
    wire = Wire(server.port)

    def cut(_: Fleet, turn: int) -> None:
        wire.cut(silently=turn % 2 == 1)
        time.sleep(1.0 if turn % 2 == 0 else 6.0)
        wire.heal()

    return under("network cut", f"postgresql://postgres@127.0.0.1:{wire.port}/postgres", cut, n)


def apart(n: int) -> Result:
    """Collectors, workers and the database on machines of their own; one of the two loses its cable, in turns."""
    hosts, port = Hosts(), free_port()
    try:
        server = Server(port=port, settings={"listen_addresses": f"127.0.0.1,{ADDRESS}"})
        with (server.data / "pg_hba.conf").open("a") as trusted:
            trusted.write(TRUSTED)
        server.start()

        def cut(_: Fleet, turn: int) -> None:
            role = ROLES[turn % 2]
            hosts.cut(role)
            time.sleep(1.0 if turn % 4 < 2 else 8.0)
            hosts.heal(role)

        return under("a machine cut off", f"postgresql://postgres@{ADDRESS}:{port}/postgres", cut, n, hosts=hosts)
    finally:
        hosts.remove()


def failovers(n: int) -> Result:
    """The primary and all its sessions killed, its synchronous standby promoted, a new standby attached."""
    primary = Server(settings=REPLICATED).start()
    pair = [primary, _standby_of(primary)]
    hosts = [server.folder for server in pair]
    url = f"postgresql://postgres@/postgres?host={hosts[0]},{hosts[1]}&port=5432,5432"

    def strike(_: Fleet, turn: int) -> None:
        dead, survivor = pair
        dead.stop(signal.SIGKILL)
        # Until the next standby is attached nothing may be acknowledged: that is what synchronous means.
        survivor.promote()
        shutil.rmtree(dead.data)
        dead.base_backup(survivor)
        dead.start()
        pair.reverse()

    return under("fail-over to a synchronous standby", url, strike, n)


REPLICATED = {"synchronous_standby_names": "*", "wal_level": "replica", "hot_standby": "on", "wal_keep_size": "256MB"}


def _standby_of(primary: Server) -> Server:
    return Server(settings=REPLICATED, copy_of=primary).start()


def pooled(n: int) -> Result:
    """PgBouncer in transaction mode with two server connections, restarted."""
    server = Server().start()
    pooler = Pooler(server)
    try:
        return under("PgBouncer restarted", pooler.url, lambda _fleet, _turn: pooler.restart(), n)
    finally:
        pooler.stop()


def skewed(n: int) -> Result:
    """One collector and one worker are 20 minutes ahead, and processes are killed."""
    skews = (0.0, 1_200.0)
    url = Server().start().url
    return under("clocks 20 minutes apart", url, lambda fleet, turn: fleet.kill_one(turn), n, pause=0.4, skews=skews)


KINDS: dict[str, Callable[[int], Result]] = {
    "kills": kills,
    "restarts": restarts,
    "mixed": mixed,
    "stopped": stopped,
    "sessions": ended_sessions,
    "cuts": cuts,
    "hosts": apart,
    "failovers": failovers,
    "pooler": pooled,
    "skew": skewed,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0)
    chosen = vars(parser.parse_args())
    good = True
    for kind, n in chosen.items():
        if n:
            result = KINDS[kind](n)
            good &= result.is_good
            print(f"{'ok ' if result.is_good else 'BAD'} {result}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
