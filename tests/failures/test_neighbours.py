"""Other processes on the same file, and a machine that gives little. The long form is `make soak`."""

import pytest

from tests.failures import neighbours
from tests.failures.conditions import need_command


@pytest.mark.timeout(200)
def test_several_processes_on_one_file_never_send_the_same_event(tmp_path):
    assert neighbours.two_of_each(tmp_path, 1).verdict == "kept"


@pytest.mark.timeout(200)
def test_a_worker_that_stood_still_beyond_its_lease_changes_nothing_when_it_wakes(tmp_path):
    assert neighbours.paused(tmp_path, 1).verdict == "kept"


@pytest.mark.timeout(200)
def test_out_of_file_descriptors(tmp_path):
    need_command("prlimit")
    assert neighbours.few_files(tmp_path, 2).verdict == "kept"


@pytest.mark.timeout(200)
def test_a_backlog_in_a_process_of_256_megabytes(tmp_path):
    need_command("prlimit")
    assert neighbours.little_memory(tmp_path, 30_000).verdict == "kept"
