"""Who stays connected: deadlines by what moved, room made by the newest that waits, caps by network."""

import asyncio
import resource
import subprocess
import sys

import pytest

from conversion_relay.collector import connections
from conversion_relay.collector.connections import GRACE, LEAST_RATE, Connections, Deadline, Limits, most_connections
from conversion_relay.settings import Settings


class Loop:
    def __init__(self) -> None:
        self.now, self.asked = 1_000.0, []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call) -> str:
        self.asked.append(call)
        return "timer"


class Client:
    network = None

    def __init__(self) -> None:
        self.evicted, self.swept = False, []

    def evict(self) -> None:
        self.evicted = True

    def sweep(self, now: float) -> None:
        self.swept.append(now)


def room(most: int = 4, of_one: int = 100, proxies: str = "") -> Connections:
    env = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_TRUSTED_PROXIES": proxies}
    limits = Limits(most_of_one_network=of_one, trusted_proxies=Settings.from_env(env).trusted_proxies)
    return Connections(Loop(), limits, most)


def let_in(everyone: Connections, address: str = "198.51.100.7") -> Client:
    client = Client()
    assert everyone.admit(client, address)
    return client


def test_the_newest_that_waits_gives_way_and_who_is_answered_never_does():
    everyone = room()
    first, answered, uploading, last = (let_in(everyone, f"198.51.100.{n}") for n in range(4))
    everyone.works(answered)
    everyone.works(uploading)
    everyone.uploads(uploading)
    newcomers = [let_in(everyone) for _ in range(1)]
    assert last.evicted and not first.evicted
    everyone.works(newcomers[0])
    everyone.works(let_in(everyone))
    assert first.evicted, "the next one that was between requests"
    everyone.works(let_in(everyone))
    assert uploading.evicted, "and only then one whose body is still coming"
    refused = Client()
    assert not everyone.admit(refused, "198.51.100.9") and not answered.evicted


def test_one_network_makes_room_among_its_own_and_nobody_elses():
    everyone = room(most=100, of_one=3)
    stranger = let_in(everyone, "203.0.113.1")
    flood = [let_in(everyone, "::ffff:198.51.100.7") for _ in range(9)]
    assert [client.evicted for client in flood] == [False, False, *[True] * 6, False]
    assert not stranger.evicted
    for client in flood:
        everyone.works(client)
    assert not everyone.admit(Client(), "198.51.100.7")
    let_in(everyone, "198.51.100.8")


def test_a_trusted_proxy_stands_for_many():
    everyone = room(most=100, of_one=3, proxies="10.0.0.0/8")
    assert not any(client.evicted for client in [let_in(everyone, "10.0.0.5") for _ in range(50)])


def test_who_left_is_forgotten_altogether():
    everyone = room(most=3, of_one=3)
    for _ in range(50):
        client = let_in(everyone)
        everyone.uploads(client)
        everyone.leave(client)
        everyone.leave(client)
        everyone.waits(client)
        everyone.uploads(client)
    assert not everyone._networks and not everyone._open and everyone._everyone.n == 0
    assert everyone._everyone.newest_that_waits() is None


def test_every_connection_is_looked_at_once_a_second_while_there_are_any():
    everyone = room()
    client = let_in(everyone)
    everyone._loop.now += 1
    everyone._sweep()
    assert client.swept == [1_001.0] and everyone.now == 1_001.0 and len(everyone._loop.asked) == 2
    everyone.leave(client)
    everyone._sweep()
    assert len(everyone._loop.asked) == 2, "nobody there, nothing to do"


@pytest.mark.parametrize(("moved", "is_over"), [(0, True), (20, True), (LEAST_RATE, False), (LEAST_RATE * 100, False)])
def test_who_moves_enough_has_longer(moved, is_over):
    deadline = Deadline(0.0)
    deadline.moved = moved
    assert not deadline.is_over(GRACE)
    assert deadline.is_over(GRACE + 0.5) is is_over
    assert deadline.is_over(GRACE + 0.5 + moved / LEAST_RATE)


def test_the_soft_limit_of_files_is_raised_to_the_hard_one_and_some_are_left_for_the_outbox():
    code = (
        "import resource; from conversion_relay.collector import connections as c;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128)); assert c.most_connections() == 32;"
        "c.raise_file_limit(); assert resource.getrlimit(resource.RLIMIT_NOFILE) == (128, 128);"
        "assert c.most_connections() == 64"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert 8 <= most_connections() <= connections.MOST_CONNECTIONS
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 8


def test_a_server_that_may_open_too_few_files_says_so_and_does_not_begin():
    """The event loop ended with ninety lines of its own errors, or aborted the process."""
    few = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (14, 14));"
    ran = subprocess.run(
        [sys.executable, "-c", f"{few} from conversion_relay.cli import main; main()", "emulator", "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (78, "") and len(ran.stderr.splitlines()) == 1
    assert "may open 14" in ran.stderr and "ulimit -n" in ran.stderr


def test_one_server_has_one_room():
    class State:
        pass

    loop = asyncio.new_event_loop()
    one, other = State(), State()
    assert connections.connections_of(one, loop, Limits()) is connections.connections_of(one, loop, Limits())
    assert connections.connections_of(one, loop, Limits()) is not connections.connections_of(other, loop, Limits())
    loop.close()
