"""Every part of the bench works: its quick form runs against the real processes, and shows what it promises to show.

One round, so that no baseline can wander: whether the machine is busy must not decide about a test.
"""

import os
import subprocess
import sys

import pytest

from bench import parts
from tests.rooms import ROOT

pytestmark = [pytest.mark.xdist_group("bench"), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bench")


@pytest.mark.parametrize("name", parts.NAMES)
def test_a_part_shows_each_of_its_ratios(name, folder):
    environment = {**os.environ, "BENCH_FOLDER": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bench", name, "--quick", "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith(f"| {name} | ")]
    part = parts.part(name)
    shown = {row[1]: row[2] for row in rows}
    assert list(shown) == [comparison.label for comparison in part.comparisons]
    for comparison in part.comparisons:
        if not comparison.label.startswith("peer: "):
            assert shown[comparison.label] != "-" or "not installed" in done.stdout, comparison.label
