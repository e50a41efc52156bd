"""Two thousand requests made up from one seed; a million others are `make soak`."""

import pytest

from tests.failures import fuzz


@pytest.mark.timeout(300)
def test_two_thousand_requests_and_no_fault_of_ours(tmp_path):
    # Ten seconds are no promise, but a server that stands still is found on the busiest machine.
    result = fuzz.fuzzed(tmp_path, 2_000, seed=1, most_seconds=10.0)
    assert result.verdict == "kept", result.note
