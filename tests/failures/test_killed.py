"""kill -9 anywhere, any time. The long form is `make soak`."""

import pytest

from tests.failures import killed
from tests.failures.conditions import need_command


@pytest.mark.timeout(400)
def test_six_kills_at_random_lose_nothing_acknowledged(tmp_path):
    assert killed.at_random(tmp_path, 6).verdict == "kept"


@pytest.mark.timeout(400)
def test_a_kill_at_every_named_point_loses_nothing_and_every_copy_is_identical(tmp_path):
    assert killed.at_every_point(tmp_path, len(killed.POINTS)).verdict == "kept"


@pytest.mark.timeout(200)
def test_told_to_stop_it_finishes_what_it_began_and_sends_nothing_twice(tmp_path):
    assert killed.told_to_stop(tmp_path, 4).verdict == "kept"


@pytest.mark.timeout(300)
def test_a_kill_at_an_fsync_of_a_commit_a_checkpoint_or_a_migration(tmp_path):
    need_command("strace")
    assert killed.at_an_fsync(tmp_path, 4).verdict == "kept"
