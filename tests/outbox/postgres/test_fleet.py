"""Two collectors and two workers, each a process, over one database; and each command of an operator."""

import json
import time

import pytest

from conversion_relay import __version__
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.postgres import clock
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from conversion_relay.outbox.story import AtWork, SignOfLife
from conversion_relay.outbox.verdict import Dead, Delivered
from tests.one_module import replace_in
from tests.outbox.postgres.backend import empty, url_of
from tests.outbox.postgres.server import cheap, needs_postgres
from tests.outbox.suite import claim, sealed
from tests.processes import DATASET, Process, call, free_pair, free_port, installation, until

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres"), pytest.mark.timeout(240)]
PERSON = "joe@example.com"


def event(event_id: str, name: str = "Lead", **custom: object) -> dict[str, object]:
    return {"event_name": name, "event_id": event_id, "user_data": {"email": PERSON}, "custom_data": custom}


@pytest.fixture
def fleet(tmp_path):
    with installation(tmp_path) as here:
        here.env["RELAY_OUTBOX"] = url_of("fleet")
        here.start("--no-worker")
        port = free_port()
        others = [
            Process("serve", "--no-worker", "--port", str(port), log=tmp_path / "second.log", env=here.env),
            *(Process("deliver", log=tmp_path / f"deliver-{n}.log", env=here.env) for n in range(2)),
        ]
        here.second = f"http://127.0.0.1:{port}"
        until(lambda: call("GET", f"{here.second}/readyz")[0] == 200)
        try:
            yield here
        finally:
            for process in others:
                process.end()


def test_a_fleet_delivers_what_any_of_it_accepted_and_every_command_works_on_it(fleet):
    def told(*arguments: str) -> dict[str, object]:
        done = fleet.command(*arguments, "--json")
        assert done.returncode in (0, 1), done.stderr.decode()
        return json.loads(done.stdout)

    first = {f"a{n}" for n in range(20)}
    assert fleet.post([event(event_id) for event_id in sorted(first)])[0] == 202
    key = {"Authorization": "Bearer test-api-key"}
    assert call("POST", f"{fleet.second}/events", [event(f"b{n}") for n in range(20)], **key)[0] == 202
    copy = call("POST", f"{fleet.second}/events", event("a1"), **key)
    assert "duplicate" in json.dumps(copy), copy
    until(lambda: len(fleet.arrived()) == 40)
    assert len({sent["event"]["event_id"] for sent in fleet.arrived()}) == 40
    until(lambda: len(told("status")["workers"]) == 4)
    signs = told("status")["workers"]
    assert sorted((sign["delivers"], sign["collects"]) for sign in signs) == [(False, True)] * 2 + [(True, False)] * 2
    assert {sign["version"] for sign in signs} == {__version__}
    said = fleet.command("status").stdout.decode()
    assert all(said.count(f"{what}: ") == 1 for what in ("delivering", "collecting")) and "versions" not in said
    until(fleet.settled)
    status = told("status")
    assert (status["datasets"][0]["dataset"], status["datasets"][0]["delivered"]) == (DATASET, 40)
    assert told("explain", "b7")[0]["state"] == "delivered"
    assert fleet.command("tail", "--once", "--last", "5").stdout.count(b"delivered") == 5
    names = {check["name"]: check for check in told("doctor")["checks"]}
    assert {"postgresql", "durability", "database clock", "bloat"} <= names.keys()
    assert told("dead", "list") == []
    assert told("erase", "--email", PERSON) == {"erased": 0, "set_aside": []}
    dashboard = call("GET", f"{fleet.second}/dashboard")
    assert dashboard[0] == 200 and "40" in dashboard[1]
    assert "hunter2" not in fleet.logs()


def test_the_demo_runs_on_it_by_one_option(tmp_path):
    port = free_pair()
    demo = Process("demo", "--port", str(port), "--postgres", cheap().url, log=tmp_path / "demo.log", env={})
    try:
        until(lambda: demo.popen.poll() is not None or call("GET", f"http://127.0.0.1:{port}/readyz")[0] == 200)
        key = {"Authorization": "Bearer demo"}
        status, answer = call("POST", f"http://127.0.0.1:{port}/events", event("from the demo"), **key)
        assert status == 202, (answer, demo.log.read_text())
        until(lambda: call("GET", f"http://127.0.0.1:{port + 1}/_emulator/events")[1]["events"])
        assert cheap().execute("SELECT event_id FROM relay_demo.event") == [("from the demo",)]
    finally:
        demo.end()
        empty("relay_demo")


def test_machines_whose_clocks_are_apart_see_each_other_as_they_are(monkeypatch):
    """Each by its own clock: when it was seen, and until when Meta asked for a pause."""
    outbox, now = PostgresOutbox(url_of("fleet")), time.time()

    def on_a_machine(ahead: float) -> None:
        replace_in(clock, "time", monkeypatch, time=lambda: now + ahead)

    for name, ahead in (("right", 0.0), ("ahead", 600.0), ("behind", -600.0)):
        on_a_machine(ahead)
        asked = AtWork(asked_until=now + ahead + 30)
        outbox.note_worker(SignOfLife(worker=name, at=now + ahead, datasets={"1": asked, "2": AtWork()}))
    for ahead in (0.0, 600.0, -600.0):
        on_a_machine(ahead)
        seen = {sign.worker: sign for sign in outbox.workers()}
        for sign in seen.values():
            assert abs(sign.at - (now + ahead)) < 20
            assert abs(sign.datasets["1"].asked_until - (now + ahead + 30)) < 20
            assert sign.datasets["2"].asked_until == 0.0
        apart = {name: round(sign.clock_ahead_seconds / 100) * 100 for name, sign in seen.items()}
        assert apart == {"right": 0, "ahead": 600, "behind": -600}
    outbox.close()


def test_a_machine_whose_clock_is_a_month_ahead_forgets_nothing_of_the_others(monkeypatch):
    """The whole ledger and all visitors were gone, and a copy of each Purchase was sent once more."""
    outbox, now = PostgresOutbox(url_of("ahead")), time.time()
    outbox.put([sealed("delivered"), sealed("dead")], now)
    lease = claim(outbox, now=now)
    by_id = {event.event_id: event for event in lease.events}
    outbox.settle(lease, [(Delivered(), [by_id["delivered"]]), (Dead("x"), [by_id["dead"]])], None, now)
    outbox.remember_visitor("order-1", Visit(fbp="fb.1.1.1"), now)
    month = 30 * 86_400
    replace_in(clock, "time", monkeypatch, time=lambda: now + month)
    outbox.tidy(now + month)
    while outbox.prune(now + month):
        pass
    monkeypatch.undo()
    assert [receipt.duplicate for receipt in outbox.put([sealed("delivered"), sealed("dead")], now)] == [True, True]
    assert outbox.visitor("order-1", now) is not None
    outbox.close()
