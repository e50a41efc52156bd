"""Days pass, and clocks are set. The long form is `make soak`."""

import pytest

from tests.failures import clocks
from tests.failures.conditions import need_command


@pytest.mark.timeout(300)
def test_half_a_day_without_meta_and_four_hours_with_a_dead_token_lose_nothing(tmp_path):
    assert clocks.three_days(tmp_path, share=1 / 6).verdict == "kept"


@pytest.mark.timeout(300)
def test_a_wall_clock_that_is_set_while_events_wait(tmp_path):
    need_command("faketime")
    assert clocks.set_while_running(tmp_path, 2).verdict == "kept"


@pytest.mark.timeout(300)
def test_days_of_outage_between_restarts_of_real_processes(tmp_path):
    need_command("faketime")
    assert clocks.days_between_restarts(tmp_path, 1).verdict == "kept"
