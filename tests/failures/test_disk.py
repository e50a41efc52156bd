"""The disk is full, failing, slow, locked, read-only, somebody else's, or gone."""

import os
import stat
import subprocess
import sys

import pytest

from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from tests.failures import disk
from tests.failures.conditions import need_command, need_mount, need_root
from tests.failures.load import event
from tests.outbox.sqlite.files import PAGE, overwrite, pages_of
from tests.processes import installation, until

SETTINGS_EXIT = 78


@pytest.fixture
def here(tmp_path):
    with installation(tmp_path) as here:
        yield here


@pytest.mark.timeout(300)
def test_a_disk_that_fills_up_and_is_freed_again(tmp_path):
    need_mount()
    assert disk.full(tmp_path, 3).verdict == "kept"


@pytest.mark.timeout(300)
def test_a_backlog_that_fills_the_disk_drains_and_makes_room(tmp_path):
    need_mount()
    assert disk.outgrown(tmp_path, 1).verdict == "kept"


@pytest.mark.timeout(300)
def test_fsyncs_and_writes_that_fail_for_a_while(tmp_path):
    need_root()
    need_command("strace")
    assert disk.failing_fsync(tmp_path, 4).verdict == "kept"


@pytest.mark.timeout(300)
def test_one_fsync_that_fails_promises_nothing_and_the_file_is_opened_anew(tmp_path):
    need_command("strace")
    assert disk.one_failing_fsync(tmp_path, 3).verdict == "kept"


@pytest.mark.timeout(300)
def test_slow_fsyncs_are_shared(tmp_path):
    need_root()
    need_command("strace")
    assert disk.slow_fsync(tmp_path, 10).verdict == "kept"


@pytest.mark.timeout(300)
def test_a_file_that_another_process_holds_locked(tmp_path):
    assert disk.locked(tmp_path, 1).verdict == "kept"


def test_a_read_only_file_system_is_named_and_the_process_refuses_to_start(here, tmp_path):
    need_mount()
    with disk.tmpfs(tmp_path / "disk", megabytes=8) as place:
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        here.env["RELAY_OUTBOX"] = f"sqlite:///{place}/outbox.db"
        done = here.command("serve", "--port", str(here.port))
    assert done.returncode == SETTINGS_EXIT
    assert done.stderr.decode().strip() == "RELAY_OUTBOX: outbox.db cannot be opened for writing: Read-only file system"


def test_a_missing_folder_is_named_with_what_to_do(here, tmp_path):
    here.env["RELAY_OUTBOX"] = f"sqlite:///{tmp_path}/nowhere/outbox.db"
    done = here.command("serve", "--port", str(here.port))
    assert done.returncode == SETTINGS_EXIT
    assert "the folder for outbox.db does not exist: create it" in done.stderr.decode()


def test_a_file_of_another_user_is_named_with_both_users(here):
    need_root()
    SqliteOutbox(str(here.database)).close()
    for folder in (here.folder, *here.folder.parents):
        if stat.S_IMODE(folder.stat().st_mode) == 0o700:
            folder.chmod(0o755)
    code = (
        "import os, sys; import conversion_relay.cli.serve, conversion_relay.collector.server;"
        " import conversion_relay.outbox.sqlite.outbox; from conversion_relay import cli;"
        " os.setuid(65534); sys.argv = ['conversion-relay', 'serve']; cli.main()"
    )
    env = os.environ | here.env
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, timeout=60, check=False)
    said = done.stderr.decode()
    assert done.returncode == SETTINGS_EXIT
    assert "belongs to user 0, this process runs as user 65534" in said and "Traceback" not in said


def test_a_deleted_file_is_noticed_said_and_what_it_held_is_used_again_when_it_is_put_back(here):
    here.misbehave(mode="http_500")
    here.start()
    assert here.post(event("a"))[0] == 202
    here.database.unlink()
    until(lambda: "deleted or moved away" in disk.says(here))
    status, answer = here.post(event("b"))
    assert (status, answer["reason"]) == (503, "not_durable")
    until(lambda: "rescued" in disk.says(here))
    (rescued,) = here.folder.glob("outbox.db.rescued-*Z")
    rescued.rename(here.database)
    here.misbehave(mode="none")
    until(here.is_ready)
    assert here.post(event("b"))[0] == 202
    until(lambda: {row["event"]["event_id"] for row in here.arrived()} == {"a", "b"})
    assert here.books()["imbalance"] == 0


def test_a_page_that_goes_bad_under_a_running_relay_is_survived(here):
    here.misbehave(mode="http_500")
    here.start()
    for first in range(0, 3_000, 500):
        assert here.post([event(f"e{n}") for n in range(first, first + 500)])[0] == 202
    here.relay.stop()
    overwrite(here.database, pages_of(here.database, "body")[20], os.urandom(PAGE))
    here.misbehave(mode="none")
    here.start()
    book = until(here.settled, 60)
    arrived = {row["event"]["event_id"] for row in here.arrived()}
    assert book["imbalance"] == 0 and len(arrived) > 2_900
    assert list(here.folder.glob("outbox.db.damaged-*Z")), "the damaged file is kept"
    assert "set aside" in (here.folder / "relay.log").read_text()
