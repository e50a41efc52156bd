"""Much waits. The long form is `make soak`."""

import pytest

from tests.failures import backlog


@pytest.mark.timeout(200)
def test_a_claim_costs_the_same_however_much_waits(tmp_path):
    assert backlog.quick_to_claim(tmp_path, 100_000, rounds=40).verdict == "kept"


@pytest.mark.timeout(200)
def test_fresh_events_do_not_stand_behind_a_backlog(tmp_path):
    assert backlog.fresh_events_pass(tmp_path, 40_000).verdict == "kept"
