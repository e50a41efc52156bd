"""An outbox that was opened before `os.fork` works in the parent and in the child."""

import subprocess
import sys

import pytest

from tests.outbox.sqlite import forking, forking_busy


@pytest.mark.parametrize("scenario", forking.SCENARIOS + forking_busy.SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_an_outbox_opened_before_a_fork(path, scenario):
    command = [sys.executable, "-m", scenario.__module__, scenario.__name__, str(path)]
    done = subprocess.run(command, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()
