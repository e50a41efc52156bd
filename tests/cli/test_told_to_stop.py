"""SIGTERM in the middle of anything: whichever thread the kernel gives it to, whatever lock the main one holds."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import Process, installation, until

HOLDS_A_LOCK = """
import os, signal, threading
from conversion_relay.cli.told_to_stop import when_told_to_stop
lock, stopped = threading.Lock(), threading.Event()
def stop():
    with lock:
        stopped.set()
when_told_to_stop(stop)
with lock:
    os.kill(os.getpid(), signal.SIGTERM)
    sum(range(100_000))
stopped.wait()
print("stopped")
"""


def test_stopping_may_wait_for_a_lock_of_the_main_thread():
    ran = subprocess.run([sys.executable, "-c", HOLDS_A_LOCK], capture_output=True, text=True, timeout=60, check=True)
    assert (ran.stdout, ran.stderr) == ("stopped\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_another_thread_gets_stops_delivery(tmp_path, number):
    with installation(tmp_path) as here:
        process = Process("deliver", log=tmp_path / "deliver.log", env=here.env)
        try:
            until(lambda: "Delivering" in process.log.read_text())
            assert _stopped(process, number) == 0
        finally:
            process.end()


def test_a_signal_that_another_thread_gets_stops_the_collector(tmp_path):
    with installation(tmp_path) as here:
        here.start()
        assert _stopped(here.relay, signal.SIGTERM) == 0


def _stopped(process: Process, number: signal.Signals) -> int:
    """The exit code. The signal is for the process, but the kernel gives it to the thread that is named."""
    pid = process.popen.pid
    os.kill(max(int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if int(task.name) != pid), number)
    return process.popen.wait(60)


@pytest.mark.parametrize(("is_ignored", "code"), [(False, 130), (True, 7)])
def test_an_interrupt_while_the_modules_are_loaded_ends_without_a_traceback(tmp_path, is_ignored, code):
    """The first package that the command line loads is interrupted; a parent such as `nohup` may have it ignored."""
    (tmp_path / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nraise SystemExit(7)\n")
    ran = subprocess.run(
        [sys.executable, "-m", "conversion_relay", "--help"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN if is_ignored else signal.SIG_DFL),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (code, "", "")
