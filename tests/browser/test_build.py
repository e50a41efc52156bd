"""The built files are those that `make browser` builds from the source, and small."""

import gzip
import re
import shutil
import subprocess

import pytest

from tests.browser.site import ROOT

SOURCE = ROOT / "src"
MOST_BYTES = {"meta-tracking.min.js": 5_100, "meta-tracking.mirror.min.js": 5_200}
BUILT = ("meta-tracking.min.js", "meta-tracking.mirror.min.js", "meta-tracking.d.ts")


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


@pytest.mark.parametrize("name", MOST_BYTES)
def test_it_is_a_quarter_of_metas_own_library_at_most(name):
    """Which is 20,117 bytes, and neither knows consent nor mirrors."""
    assert len(gzip.compress((SOURCE / name).read_bytes(), 9)) <= MOST_BYTES[name]


def test_it_names_no_other_host():
    assert re.findall(r"https?://[\w.]+|//[a-z]+\.[a-z]", (SOURCE / "meta-tracking.min.js").read_text()) == []
