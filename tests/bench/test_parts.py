"""The parts of the bench work: their quick forms run against the real processes, and show what they promise to show.

One round, so that no baseline can wander: whether the machine is busy must not decide about a test. Of those that
take longest only what they compare is looked at; TEST_ALL_PARTS=1 runs them, too.
"""

import os
import subprocess
import sys

import pytest

from bench import parts
from bench.part import Form
from tests.rooms import ROOT

pytestmark = [pytest.mark.xdist_group("bench"), pytest.mark.timeout(240)]
LONGEST = {"datasets", "tails", "hang", "end_to_end", "memory", "held", "pages"}
RUN = [name for name in parts.NAMES if name not in LONGEST or os.environ.get("TEST_ALL_PARTS")]


@pytest.mark.parametrize("name", parts.NAMES)
def test_a_part_compares_what_it_measures(name):
    part = parts.part(name)
    measured = {one.name for one in part.contestants(Form(is_quick=True, rounds=1))}
    compared = {place[0] for one in part.comparisons for place in (one.of, one.baseline) if place}
    assert compared | {place[0] for place in part.watched} <= measured


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bench")


@pytest.mark.parametrize("name", RUN)
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
