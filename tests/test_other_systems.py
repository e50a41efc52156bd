"""What macOS or a Python of few parts has not got is not needed, and Windows is told in a sentence."""

import json
import os
import signal
import subprocess
import sys

import pytest

from conversion_relay.outbox.sqlite.file import open_file
from tests.processes import call, free_pair, installation, until

SYSTEMS = ["macos", "bare"]
LEAD = {"event_name": "Lead", "user_data": {"email": "a@example.org", "client_user_agent": "Mozilla/5.0"}}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_demo_takes_an_event_to_meta(tmp_path, system):
    port = free_pair()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("META_", "RELAY_", "STRIPE_"))}
    command = [sys.executable, "-m", "tests.other_systems", system, "demo", "--port", str(port)]
    with (tmp_path / "said").open("wb") as said:
        demo = subprocess.Popen(command, env=env | {"TMPDIR": str(tmp_path)}, stdout=said, stderr=said)
    try:
        until(lambda: demo.poll() is not None or call("GET", f"http://127.0.0.1:{port}/readyz")[0] == 200)
        answer = call("POST", f"http://127.0.0.1:{port}/events", LEAD, Authorization="Bearer demo")
        assert answer[0] == 202, (tmp_path / "said").read_text()
        until(lambda: call("GET", f"http://127.0.0.1:{port + 1}/_emulator/events")[1]["events"])
        assert list(tmp_path.rglob("*-ballast")), "a service keeps ballast"
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(60) == 0
        assert "Traceback" not in (tmp_path / "said").read_text()
    finally:
        demo.kill()


@pytest.mark.parametrize("system", SYSTEMS)
def test_verbs_run(tmp_path, system):
    events = tmp_path / "events.json"
    events.write_text(json.dumps(LEAD | {"event_id": "lead-1"}))
    copy = str(tmp_path / "copy.db")
    with installation(tmp_path) as here:
        here.start()
        here.relay.stop()
        for verb in (["send", str(events)], ["deliver", "--once"], ["status"], ["backup", copy], ["explain", "lead-1"]):
            command = [sys.executable, "-m", "tests.other_systems", system, *verb]
            ran = subprocess.run(command, env=os.environ | here.env, capture_output=True, text=True, timeout=60)
            assert ran.returncode == 0, f"{verb} {ran.stderr}"
        assert "delivered" in ran.stdout


def test_a_commit_is_on_the_disk_where_fsync_does_not_bring_it_there(tmp_path):
    """SQLite asks for F_FULLFSYNC only where it is told to (https://sqlite.org/pragma.html#pragma_fullfsync)."""
    writer, _ = open_file(tmp_path / "outbox.db")
    assert writer.execute("PRAGMA fullfsync").fetchall() == [(1,)]


def test_windows_is_told_in_a_sentence():
    program = "import os; os.name = 'nt'; import conversion_relay"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stderr.endswith("on Windows it runs within WSL\n")
    assert "fcntl" not in ran.stderr
