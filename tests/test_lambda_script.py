"""The seed's own check, run as its README says: plain Python in the lambda folder."""

import subprocess
import sys
from pathlib import Path

LAMBDA = Path(__file__).parents[1] / "lambda"


def test_python_test_meta_conversions_passes_and_says_what_it_checked():
    done = subprocess.run(
        [sys.executable, "test_meta_conversions.py"],
        cwd=LAMBDA,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed" in done.stdout and done.stdout.count("\nok ") >= 9
