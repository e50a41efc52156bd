"""Two workers on two machines, one store: a pause that Meta asked one of them for is kept by both, and their calls to a
dataset are together no more than one worker's."""

import pytest

from conversion_relay.delivery.fleet_pace import FleetPaces
from conversion_relay.delivery.sign_of_life import GONE_AFTER, SignsOfLife, alive, collecting
from conversion_relay.meta.graph import Accepted, Said
from conversion_relay.outbox import open_outbox

NOW = 1_795_700_000.0


class Machine:
    def __init__(self, name: str, url: str, wrong_by: float = 0.0) -> None:
        self.steady, self.wrong_by = 5_000.0, wrong_by
        self.outbox = open_outbox(url)
        self.paces = FleetPaces(lambda: self.steady, 8)
        self.signs = SignsOfLife(self.outbox, self.paces.now, self.wall, name, hear=self.paces.hear)

    def wall(self) -> float:
        return NOW + self.steady - 5_000.0 + self.wrong_by

    @property
    def waits(self) -> float:
        """Seconds until it sends to the dataset."""
        return self.paces.opens_in("1")

    def calls(self) -> int:
        """How many may be under way at once."""
        return self.paces.now()["1"].most_in_flight

    def is_answered(self) -> None:
        for _ in range(20):
            self.paces.note("1", Accepted(Said()), self.steady)


@pytest.fixture
def two(tmp_path):
    url = f"sqlite:///{tmp_path}/outbox.db"
    machines = [Machine("a", url), Machine("b", url, wrong_by=7.0)]
    yield machines
    for machine in machines:
        machine.outbox.close()


def pass_time(machines, seconds: int) -> None:
    for _ in range(seconds):
        for machine in machines:
            machine.steady += 1
            machine.signs()


def test_a_pause_that_meta_asked_one_worker_for_holds_for_the_other_and_ends_for_both(two):
    one, other = two
    pass_time(two, 2)
    assert one.waits == other.waits == 0
    one.paces.park("1", 120.0, "throttled")
    pass_time(two, 1)
    assert one.waits == 119 and 117 <= other.waits <= 120
    assert other.paces.now()["1"].why == "throttled", "whoever looks is told"
    pass_time(two, 122)
    assert one.waits == other.waits == 0, "nobody tells on what was only heard of"


def test_a_longer_pause_is_heard_of_and_an_older_call_that_is_answered_does_not_end_it(two):
    one, other = two
    one.paces.park("1", 30.0, "throttled")
    pass_time(two, 2)
    called_at = other.steady - 5
    one.paces.park("1", 300.0, "throttled")
    pass_time(two, 1)
    assert other.waits > 290
    other.paces.note("1", Accepted(Said()), called_at)
    assert other.waits > 290


def test_trouble_that_is_no_wish_of_metas_is_each_workers_own(two):
    one, other = two
    one.paces.park("1", 60.0, "unauthorized")
    pass_time(two, 2)
    assert one.waits > 0 and other.waits == 0


def test_the_calls_of_a_dataset_are_shared_by_those_who_are_alive(two):
    one, other = two
    pass_time(two, 2)
    for machine in two:
        machine.is_answered()
    assert one.calls() + other.calls() == 8
    pass_time([one], int(GONE_AFTER + other.wrong_by) + 2)
    one.is_answered()
    assert one.calls() == 8, "the other one is gone"


def test_containers_with_one_name_that_are_all_process_1_are_told_apart(two):
    """On the host's network: one worker's sign took the place of the other's, and a collector's that of both."""
    one, other = two
    for machine in two:
        machine.signs = SignsOfLife(machine.outbox, machine.paces.now, machine.wall, hear=machine.paces.hear)
    door = SignsOfLife(one.outbox, dict, one.wall, delivers=False, collects=True)
    pass_time(two, 2)
    door()
    assert len(alive(one.outbox.workers(), one.wall())) == 2
    assert len(collecting(one.outbox.workers(), one.wall())) == 1
    one.paces.park("1", 120.0, "throttled")
    pass_time(two, 1)
    assert other.waits > 100
    other.signs.stop()
    assert [sign.delivers for sign in one.outbox.workers()].count(True) == 1, "the other one's went with it"


def test_a_collector_is_seen_and_is_no_worker(two):
    one, _ = two
    door = SignsOfLife(one.outbox, dict, one.wall, "door", delivers=False, collects=True, version="2")
    door()
    pass_time([one], 2)
    signs = one.outbox.workers()
    assert [sign.worker for sign in alive(signs, one.wall())] == ["a"]
    assert [(sign.worker, sign.version) for sign in collecting(signs, one.wall())] == [("door", "2")]
    one.is_answered()
    assert one.calls() == 8, "it takes no share of the calls"
