"""`serve --workers 2`: one of the processes delivers, and all of them have one set of buckets and of counters."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import apsw
import pytest

from conversion_relay.collector.dataset_limits import DatasetLimits
from conversion_relay.collector.limits import MOST_PAID, DailyBound, TokenBuckets
from conversion_relay.collector.reply import HttpError
from conversion_relay.collector.shared_places import SETS, WAYS, SharedPlaces
from conversion_relay.collector.together import Together
from conversion_relay.settings import Dataset
from conversion_relay.telemetry import Counters, Secret, counter
from tests.processes import DATASET, TOKEN, call, installation, until

VISITOR = "198.51.100.7"


class TestBuckets:
    @pytest.fixture
    def two(self, tmp_path):
        """Those of two processes, and their clock."""
        now = [100.0]
        how = {"rate": 1.0, "burst": 4.0, "byte_rate": 10.0, "byte_burst": 100.0}

        def of_a_process() -> TokenBuckets:
            places = SharedPlaces(tmp_path / "buckets", used_clock=lambda: now[0])
            return TokenBuckets(clock=lambda: now[0], places=places, **how)

        return now, of_a_process(), of_a_process()

    def test_what_one_process_gave_the_other_does_not_give_again(self, two):
        now, one, other = two
        assert [buckets.take(VISITOR) for buckets in (one, other, one, other, one, other)] == [True] * 4 + [False] * 2
        assert other.take("198.51.100.8"), "another line has a bucket of its own"
        now[0] += 1
        assert [one.take(VISITOR), other.take(VISITOR)] == [True, False]

    def test_bytes_are_shared_and_given_back(self, two):
        _, one, other = two
        assert one.take(VISITOR, 1, 90) and not other.take(VISITOR, 1, 20)
        one.take(VISITOR, 0, -90)
        assert other.take(VISITOR, 1, 20)

    def test_many_networks_fill_no_disk_and_the_oldest_is_forgotten(self, two, tmp_path):
        now, one, other = two
        for n in range(3 * SETS * WAYS // 2):
            now[0] += 0.001
            assert (one, other)[n % 2].take(f"2001:{n // 65_536:x}:{n % 65_536:x}::1", 4)
        assert (tmp_path / "buckets").stat().st_size < 1_000_000
        assert not other.take(f"2001:{n // 65_536:x}:{n % 65_536:x}::1")


class TestWhatIsBoundedByDayAndDataset:
    @pytest.fixture
    def clock(self):
        now = [1_795_392_000.0]  # a midnight of UTC
        return now, lambda: now[0]

    def test_what_pages_may_report_as_paid_is_one_sum(self, tmp_path, clock):
        now, read = clock
        one, other = (DailyBound(3, read, SharedPlaces(tmp_path / "paid")) for _ in range(2))
        assert [one.take(VISITOR), other.take(VISITOR), one.take(VISITOR)] == [True] * 3
        assert not other.take(VISITOR) and not one.take(VISITOR) and other.take("198.51.100.8")
        now[0] += 86_400
        assert other.take(VISITOR)

    @pytest.mark.parametrize("limit", [{"most_per_second": 4}, {"most_per_day": 4}])
    def test_a_dataset_has_one_limit_and_pays_its_debt_in_every_process(self, tmp_path, clock, limit):
        now, read = clock
        one, other = (DatasetLimits(read, read, SharedPlaces(tmp_path / "datasets")) for _ in range(2))
        dataset = Dataset(pixel_id="1", access_token=Secret(""), **limit)
        one.admit(dataset, 3)
        other.admit(dataset, 9)
        for limits in (one, other):
            with pytest.raises(HttpError):
                limits.admit(dataset, 1)
            assert limits.refusal(dataset)
        other.admit(Dataset(pixel_id="2", access_token=Secret(""), **limit), 1)
        now[0] += 86_400
        one.admit(dataset, 1)


def test_figures_of_two_processes_are_added_and_of_moments_the_later_one_counts(tmp_path):
    both = []
    for n in (1, 2):
        counters = Counters()
        counters.add("relay_sent_total", n)
        counters.latest(counter("relay_key_used_timestamp_seconds"), 100.0 * n)
        counters.observe("relay_send_duration_seconds", 0.2)
        both.append(Together(tmp_path, counters))
    both[0].stop()
    whole = both[1].counters_of_all()
    assert {name: n for (name, _), n in whole.read().items()} == {
        "relay_sent_total": 3,
        "relay_key_used_timestamp_seconds": 200,
    }
    ((counts, seconds),) = whole.read_times().values()
    assert (sum(counts), seconds) == (2, 0.4)


def test_whose_turn_it_is_to_deliver_tries_until_there_are_threads(tmp_path, caplog):
    """It held the lock and did nothing, and none of the others could take over."""

    class Worker:
        def __init__(self) -> None:
            self.refusals, self.delivers = 2, threading.Event()

        def start(self) -> None:
            if self.refusals:
                self.refusals -= 1
                raise RuntimeError("can't start new thread")
            self.delivers.set()

        def wake(self) -> None:
            """Nobody puts anything."""

    worker, one = Worker(), Together(tmp_path, Counters())
    one.start(worker)
    try:
        assert worker.delivers.wait(60)
    finally:
        one.tell_to_stop()
    assert caplog.messages.count("Nobody delivers yet; it is tried again") == 1


def counted(here) -> float:
    """Requests that were answered, as one of the processes tells it; each call is a new connection."""
    status, text = call("GET", f"{here.url}/metrics")
    assert status == 200
    found = re.search(r'relay_intake_requests_total\{code="202",route="/events"\} (\S+)', text)
    return float(found[1]) if found else 0.0


def test_one_process_delivers_and_each_tells_the_figures_of_all(tmp_path):
    def deliverers() -> list[str]:
        return [worker["worker"] for worker in json.loads(here.command("status", "--json").stdout)["workers"]]

    def post(event_id: str) -> int:
        return here.post({"event_name": "Lead", "event_id": event_id, "user_data": {"email": "joe@example.com"}})[0]

    with installation(tmp_path) as here:
        here.start("--workers", "2")
        try:
            assert [post(f"a{n}") for n in range(20)] == [202] * 20
            until(lambda: len(here.arrived()) == 20)
            until(lambda: [counted(here) for _ in range(6)] == [20.0] * 6)
            pages = f"{here.url}/dashboard/datasets"
            until(lambda: all("key 1: <small>used" in call("GET", pages)[1] for _ in range(6)))
            (name,) = until(deliverers)
            os.kill(int(name.split("-")[-2]), signal.SIGKILL)
            until(lambda: post("b") == 202)
            until(lambda: len(here.arrived()) == 21)
            until(lambda: set(deliverers()) - {name})
        finally:
            here.stop()


def servers(parent: int) -> list[int]:
    """The process ids of the two that answer."""

    def found() -> list[int]:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    return until(lambda: pids if len(pids := found()) == 2 else None)


def test_where_the_process_that_started_them_is_killed_they_stop_and_the_next_finds_its_port_free(tmp_path):
    event = {"event_name": "Lead", "user_data": {"email": "joe@example.com"}}
    with installation(tmp_path) as here:
        here.start("--workers", "2")
        children = servers(here.relay.popen.pid)
        here.kill()
        try:
            until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
        finally:
            for pid in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        here.start("--workers", "2")
        try:
            assert here.post(event | {"event_id": "after"})[0] == 202
            until(lambda: len(here.arrived()) == 1)
        finally:
            here.stop()


def test_a_process_that_begins_after_its_starter_was_killed_stops_too(tmp_path):
    subprocess.run([sys.executable, "-m", "tests.collector.orphan", tmp_path], check=True)
    pid = int((tmp_path / "pid").read_text())
    try:
        until(lambda: not Path(f"/proc/{pid}").exists())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def standing_still(pid: int, database: Path):
    """Not in the middle of a commit, for which the other one would wait in vain."""

    def stopped_between_commits() -> bool:
        os.kill(pid, signal.SIGSTOP)
        until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        with contextlib.closing(apsw.Connection(str(database))) as db, contextlib.suppress(apsw.BusyError):
            db.set_busy_timeout(1_000)
            db.execute("BEGIN IMMEDIATE; ROLLBACK").fetchall()
            return True
        os.kill(pid, signal.SIGCONT)
        return False

    until(stopped_between_commits)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_two_processes_allow_no_more_than_one(tmp_path):
    """By POST /events; while one process stands still, the other answers."""
    with installation(tmp_path) as here:
        file = tmp_path / "relay.toml"
        lines = (f'META_ACCESS_TOKEN = "{TOKEN}"', f'META_PIXEL_ID = "{DATASET}"', 'RELAY_API_KEYS = ["the-key"]')
        origins = 'RELAY_ALLOWED_ORIGINS = ["https://shop.example"]', 'RELAY_PUBLIC_EVENTS = ["Purchase"]'
        limit = f"RELAY_MOST_PER_DAY = {MOST_PAID + 15}"
        file.write_text("\n".join(("[[dataset]]", *lines, *origins, limit)))
        for name in ("META_PIXEL_ID", "META_ACCESS_TOKEN", "RELAY_API_KEYS", "RELAY_ALLOWED_ORIGINS"):
            here.env.pop(name, None)
        here.env["RELAY_CONFIG"] = str(file)
        here.start("--workers", "2")
        custom = {"value": 1, "currency": "EUR"}

        def taken(name: str, n: int, **headers: str) -> tuple[int, int]:
            """In one request: a process that stands still for seconds is replaced."""
            event = {"event_name": name, "user_data": {"email": "joe@example.com"}, "custom_data": custom}
            events = [event | {"event_id": f"{name}{n}-{i}"} for i in range(n)]
            status, answer = call("POST", f"{here.url}/events", {"data": events}, **headers)
            return status, len(answer.get("accepted", ()))

        page, key = {"Origin": "https://shop.example"}, {"Authorization": "Bearer the-key"}
        one, other = servers(here.relay.popen.pid)
        with standing_still(other, here.database):
            assert taken("Purchase", MOST_PAID - 5, **page) == (202, MOST_PAID - 5)
        with standing_still(one, here.database):
            assert taken("Purchase", 10, **page) == (202, 5)
            assert taken("Lead", 10, **key) == (202, 10)
        with standing_still(other, here.database):
            assert taken("Lead", 2, **key)[0] == 429
