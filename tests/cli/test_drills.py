"""Drills: what an operator hears, from the outside, when something goes wrong, and when it is over.

Real processes and a receiver of notifications; what is waited for is waited for as an event.
"""

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.test_verbs import lead
from tests.failures.conditions import need_command
from tests.processes import Installation, call, installation, until

PURCHASE = {"event_name": "Purchase", "user_data": {"email": "a@example.com"}}
SOON = 20.0
"""Seconds: twice what is promised, since the machine of the tests is busy."""


class Receiver:
    """Where RELAY_NOTIFY leads."""

    def __init__(self) -> None:
        self.told: queue.SimpleQueue[dict] = queue.SimpleQueue()
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/told"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def hears(self, event: str, cause: str) -> dict:
        while True:
            message = self.told.get(timeout=3 * SOON)
            if message["event"] == event and message["cause"].startswith(cause):
                return message


@pytest.fixture
def receiver():
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def here(tmp_path, receiver):
    with installation(tmp_path) as here:
        (tmp_path / "token").write_text(here.env.pop("META_ACCESS_TOKEN"))
        here.env |= {"META_ACCESS_TOKEN_FILE": str(tmp_path / "token"), "RELAY_NOTIFY": receiver.url}
        yield here


def page(here: Installation, path: str = "") -> str:
    status, text = call("GET", f"{here.url}/dashboard{path}")
    assert status == 200
    return text


def test_a_token_dies_everybody_is_told_and_a_new_one_drains(here, receiver, tmp_path):
    here.start()
    here.misbehave(mode="token_expired")
    here.post(lead("waits"))
    until(lambda: "access token is refused" in page(here), SOON)
    assert "Please look" in page(here) and "set a new" in page(here).lower()
    assert "META_ACCESS_TOKEN" in receiver.hears("raised", "unauthorized")["fix"]
    doctor, status = here.command("doctor"), here.command("status")
    assert doctor.returncode == 1 and b"ERROR" in doctor.stdout and b"token" in doctor.stdout
    assert status.returncode == 1 and b"token" in status.stdout
    here.misbehave(mode="none")
    (tmp_path / "token").write_text("EAAnew")
    until(lambda: here.books()["delivered"] == 1, SOON)
    receiver.hears("over", "unauthorized")
    until(lambda: "Nothing needs you" in page(here), SOON)
    assert here.command("status").returncode == 0
    assert "settings read again" in page(here, "/changes"), "and the new token is in the list of changes"


def test_ids_that_differ_between_page_and_server_are_named(here, receiver):
    here.start()
    here.post([lead(f"server-{n}") for n in range(6)])
    pairs = [["Lead", f"page-{n}"] for n in range(6)]
    answer = call("POST", f"{here.url}/events", {"data": [], "pixel": pairs}, Origin="https://shop.example")
    assert answer[0] == 202
    assert "Lead" in receiver.hears("raised", "different_ids")["what"]
    until(lambda: "different ids for Lead" in page(here), SOON)
    told = here.command("status")
    assert told.returncode == 1 and b"different ids for Lead" in told.stdout


def test_a_refused_event_tells_field_and_remedy_in_page_explain_and_log(here):
    here.start()
    here.misbehave(mode="poison", event_id_contains="order-1")
    paid = {"event_id": "order-1", "custom_data": {"value": 5, "currency": "EUR"}}
    here.post(PURCHASE | paid | {"action_source": "email"})
    until(lambda: here.books()["dead"] == 1, 2 * SOON)
    text, told = page(here, "/life?id=order-1"), here.command("explain", "order-1").stdout.decode()
    for part in ("Invalid Lead ID", "One or more lead ids are invalid"):
        assert part in text and part in told and part in here.logs()
    assert "What to do" in text and "as they came" in text and "as they came" in told
    assert "user_data.lead_id" in page(here, "/dead")
    assert "Failed to send Meta Conversions API Purchase event" in here.logs()


def test_nobody_delivers_is_said_at_once_where_one_looks(here):
    here.start("--no-worker")
    here.post(lead("waits"))
    assert "Nobody delivers. 1 event wait" in page(here) and "waits; nobody delivers" in page(here, "/events")
    doctor = here.command("doctor")
    assert b"nobody" in doctor.stdout.lower() and b"conversion-relay deliver" in doctor.stdout


def test_a_clock_that_is_two_minutes_off_is_said(here, receiver):
    need_command("faketime")
    # Not by the command faketime, which forks: its child would outlive the test.
    (library,) = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))[:1]
    faked = (
        f"LD_PRELOAD={library}",
        "FAKETIME=+120s",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        "FAKETIME_FORCE_MONOTONIC_FIX=0",
    )
    here.start(under=("env", *faked))
    here.post(lead("late"))
    message = receiver.hears("raised", "clock")
    assert "ahead of Meta" in message["what"] and "NTP" in message["fix"]
    until(lambda: "ahead of Meta" in page(here), SOON)
