"""The built files are those that `make browser` builds from the source, and small."""

import gzip
import re
import shutil
import subprocess

import pytest

from tests.browser.site import ROOT

SOURCE = ROOT / "src"
MOST_BYTES = 2_500
BUILT = ("meta-tracking.min.js", "meta-tracking.d.ts")


@pytest.mark.xdist_group("node")
def test_the_built_files_are_of_this_source_and_its_types_are_sound(node, tmp_path):
    """`node`: npm is here, or the test says so."""
    for name in ("package.json", "package-lock.json", "tsconfig.json", "meta-tracking.js"):
        shutil.copy(SOURCE / name, tmp_path)
    for command in (["ci", "--silent", "--no-audit", "--no-fund"], ["run", "--silent", "build"]):
        done = subprocess.run(["npm", *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    for name in BUILT:
        assert (tmp_path / name).read_text() == (SOURCE / name).read_text(), "run make browser"


def test_it_is_at_most_two_and_a_half_kilobytes():
    assert len(gzip.compress((SOURCE / "meta-tracking.min.js").read_bytes(), 9)) <= MOST_BYTES


def test_it_names_no_other_host():
    assert re.findall(r"https?://[\w.]+|//[a-z]+\.[a-z]", (SOURCE / "meta-tracking.min.js").read_text()) == []
