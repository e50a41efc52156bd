"""Real programs over one outbox and Meta's stand-in: they fork, spawn, are interrupted and killed, and lose nothing."""

import contextlib
import os
import re
import signal
import subprocess
import sys

import pytest

from tests.failures.conditions import need_command
from tests.processes import Installation, call, until
from tests.relay.programs import CHILDREN, EACH

SOME = [f"-{n}" for n in range(EACH)]


@pytest.fixture(scope="module")
def meta(tmp_path_factory):
    here = Installation(tmp_path_factory.mktemp("meta"))
    yield here
    here.end()


@pytest.fixture
def here(meta, tmp_path):
    call("POST", f"{meta.meta}/_emulator/reset")
    meta.database = tmp_path / "outbox.db"
    meta.env["RELAY_OUTBOX"] = f"sqlite:///{meta.database}"
    return meta


def program(here: Installation, name: str, **how) -> "subprocess.Popen[bytes]":
    # From 3.12 on CPython warns of each fork beside threads, which is what these programs are for.
    command = [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-m", "tests.relay.programs", name]
    return subprocess.Popen(command, env=here_env(here), stderr=subprocess.PIPE, **how)


def here_env(here: Installation) -> dict[str, str]:
    return os.environ | here.env


def ran(here: Installation, name: str) -> str:
    """Its standard error."""
    process = program(here, name)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()
    return said.decode()


def books(here: Installation) -> tuple[int, int]:
    """(accepted, of those that are not delivered)."""
    book = here.books()
    return book["accepted"], book["accepted"] - book["delivered"]


def arrived(here: Installation) -> set[str]:
    return {one["event"]["event_id"] for one in here.arrived()}


def drained(here: Installation) -> set[str]:
    """What the stand-in has once nothing waits any more."""
    here.command("deliver", "--once")
    return arrived(here)


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("forks_while_it_delivers", ["parent", "again", *(f"child{n}" for n in range(CHILDREN))]),
        ("multiprocessing_both_ways", ["parent", "forked", "spawned"]),
        ("ends_while_it_delivers", [f"thread{n}" for n in range(CHILDREN)]),
    ],
)
def test_no_process_hangs_and_no_event_is_lost(here, name, who):
    assert "Traceback" not in ran(here, name)
    expected = {one + number for one in who for number in SOME}
    assert books(here)[0] == len(expected)
    assert drained(here) == expected


def test_an_event_waits_for_the_disk_once_and_for_nothing_else(here, tmp_path):
    """Calls are counted, not milliseconds: what `track` adds to a request is one fdatasync, while Meta hangs too."""
    need_command("strace")
    here.misbehave(mode="hang")
    counted = tmp_path / "calls"
    strace = ["strace", "--follow-forks", "--summary-only", "--trace=fsync,fdatasync", "--output", str(counted)]
    command = [*strace, sys.executable, "-m", "tests.relay.programs", "tracks_one_after_the_other"]
    done = subprocess.run(command, env=here_env(here), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (calls,) = re.findall(r"^100\.00 +\S+ +\d* +(\d+) .*total$", counted.read_text(), re.MULTILINE)
    events = 5 * EACH
    assert events <= int(calls) < 1.5 * events, "one each; a few for the file's beginning and its checkpoints"


@contextlib.contextmanager
def daemon(here: Installation):
    """The id of a process that goes on without its parent, once it has tracked; it is gone when the block ends."""
    process = program(here, "forks_and_only_the_child_goes_on", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pid = int(process.stdout.readline())
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=60)  # its end of the pipes is closed when it is gone


def test_the_child_that_goes_on_alone_delivers_by_itself(here):
    with daemon(here):
        until(lambda: arrived(here) == {f"daemon{number}" for number in SOME})


def test_a_relative_outbox_is_that_of_the_start_wherever_the_program_goes(here, tmp_path):
    here.env["RELAY_OUTBOX"] = f"sqlite:///{here.database.name}"
    process = program(here, "goes_elsewhere_and_forks", cwd=tmp_path)
    assert (process.communicate(timeout=120)[1], process.returncode) == (b"", 0)
    here.env["RELAY_OUTBOX"] = f"sqlite:///{here.database}"
    assert books(here)[0] == 2 * EACH


def test_a_signal_handler_may_track(here):
    ran(here, "a_signal_handler_tracks")


def test_a_signal_handler_may_track_wherever_the_programs_own_track_is(here):
    """It hung, once in a hundred: the handler came while the thread held the answer that the writing thread wanted."""
    ran(here, "a_signal_handler_tracks_between_any_two_lines")


def test_a_program_that_is_killed_while_meta_hangs_leaves_everything_to_the_next(here):
    here.misbehave(mode="hang")
    with daemon(here):
        pass  # it is killed as soon as it has tracked
    call("POST", f"{here.meta}/_emulator/reset")
    assert drained(here) == {f"daemon{number}" for number in SOME}
