"""A terminal is closed (SIGHUP), or a supervisor ends what a person began (SIGTERM): nothing is left behind."""

import os
import signal
import subprocess
import sys

import pytest

from tests.processes import answers, call, free_pair, until

ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
VERBS = {"demo": ["demo"], "webhook listen": ["webhook", "listen"]}


def as_at_a_terminal() -> None:
    """Whoever runs the tests may have these ignored."""
    for number in ENDS:
        signal.signal(number, signal.SIG_DFL)


def begun(verb, tmp_path, *under):
    """(process, its folder for temporary files), answering."""
    port, folder = free_pair(), tmp_path / "temporary"
    folder.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("META_", "RELAY_", "STRIPE_"))}
    env |= {"TMPDIR": str(folder), "STRIPE_WEBHOOK_SECRET": "whsec_x"}
    command = [*under, sys.executable, "-m", "conversion_relay", *VERBS[verb], "--port", str(port)]
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            command, env=env, stdout=said, stderr=said, cwd=tmp_path, preexec_fn=as_at_a_terminal
        )
    until(lambda: process.poll() is not None or answers(port))
    assert any(folder.iterdir()), (tmp_path / "said").read_text()
    return process, folder


@pytest.mark.parametrize("number", ENDS)
@pytest.mark.parametrize("verb", VERBS)
def test_what_was_laid_down_goes_with_the_process(tmp_path, verb, number):
    process, folder = begun(verb, tmp_path)
    try:
        process.send_signal(number)
        process.wait(60)
        assert list(folder.iterdir()) == []
        assert "Traceback" not in (tmp_path / "said").read_text()
    finally:
        process.kill()


def test_who_asked_for_it_by_nohup_goes_on(tmp_path):
    process, folder = begun("demo", tmp_path, "nohup")
    try:
        until(lambda: call("GET", f"http://127.0.0.1:{process.args[-1]}/readyz")[0] == 200)
        process.send_signal(signal.SIGHUP)
        until(lambda: process.poll() is not None or "Settings read again" in (tmp_path / "said").read_text())
        process.terminate()
        assert process.wait(60) == 0
        assert list(folder.iterdir()) == []
    finally:
        process.kill()
