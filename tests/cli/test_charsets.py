"""A terminal or a pipe that is not UTF-8 (Windows, an old locale, PYTHONIOENCODING) ends no verb with a traceback."""

import json
import os
import subprocess
import sys
import time

import pytest

from tests.processes import DATASET

EVENT = {
    "event_name": "Purchase",
    "event_id": "bestellung-ü-漢字-😀",
    "event_time": int(time.time()),
    "action_source": "website",
    "event_source_url": "https://shop.example/",
    "user_data": {"email": "joe@example.com", "client_user_agent": "x"},
    "custom_data": {"value": 5, "currency": "EUR"},
}


@pytest.mark.parametrize("charset", ["cp1252", "ascii", "latin-1"])
def test_an_id_that_the_output_cannot_hold_is_written_with_escapes(tmp_path, charset):
    environ = {**os.environ, "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db", "META_PIXEL_ID": DATASET}
    environ |= {"RELAY_BALLAST": "false", "PYTHONIOENCODING": charset}
    (tmp_path / "event.json").write_text(json.dumps(EVENT))

    def verb(*arguments: str) -> bytes:
        command = [sys.executable, "-m", "conversion_relay", *arguments]
        done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout

    assert b"accepted, bestellung-" in verb("send", "event.json")
    assert (
        json.loads(verb("send", "event.json", "--json").decode("ascii"))["accepted"][0]["event_id"] == EVENT["event_id"]
    )


def test_an_export_of_no_dead_letters_leaves_no_file_of_yesterday(tmp_path):
    environ = {**os.environ, "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db", "META_PIXEL_ID": DATASET}
    (tmp_path / "dead.jsonl").write_text("yesterday's\n")
    (tmp_path / "event.json").write_text(json.dumps(EVENT))
    for arguments in (("send", "event.json"), ("dead", "export", "dead.jsonl")):
        command = [sys.executable, "-m", "conversion_relay", *arguments]
        subprocess.run(command, env=environ, cwd=tmp_path, check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert (tmp_path / "dead.jsonl").read_text() == ""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_verb_whose_output_was_closed_before_it_began_does_its_work(tmp_path, closed):
    environ = {**os.environ, "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db", "META_PIXEL_ID": DATASET}
    (tmp_path / "event.json").write_text(json.dumps(EVENT))
    for arguments in ("send event.json", "status --json", "status", "explain no-such-id", "doctor --help"):
        command = ["sh", "-c", f"{sys.executable} -m conversion_relay {arguments} {closed}"]
        done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, timeout=60, check=False)
        assert done.returncode in (0, 1) and b"Traceback" not in done.stderr, arguments
    counted = subprocess.run(
        [sys.executable, "-m", "conversion_relay", "status", "--json"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    (book,) = json.loads(counted.stdout)["datasets"]
    assert book["accepted"] == 1


def test_a_process_that_a_verb_starts_finds_what_was_closed_leading_nowhere():
    looks = "import os; [os.fstat(number) for number in range(3)]"
    code = f"""
import subprocess, sys
from conversion_relay.cli.printing import open_what_is_closed
open_what_is_closed()
sys.exit(subprocess.run([sys.executable, "-S", "-c", {looks!r}]).returncode)
"""
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
