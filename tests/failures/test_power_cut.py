"""The machine loses power. The long form is `make soak`."""

import pytest

from tests.failures import power_cut
from tests.failures.conditions import need_command, need_mount


@pytest.mark.timeout(300)
def test_after_a_power_cut_everything_acknowledged_is_there_and_the_file_is_sound(tmp_path):
    need_mount()
    need_command("mkfs.ext4")
    assert power_cut.power_cut(tmp_path, 6).verdict == "kept"
