"""Hypothesis: as many examples as TEST_EXAMPLES asks for. Node: Meta's packages, installed once."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

NODE = Path(__file__).parent / "node"
collect_ignore = [] if os.environ.get("EMPTY_DEBIAN") else ["test_empty_debian.py"]

settings.register_profile(
    "relay", max_examples=int(os.environ.get("TEST_EXAMPLES", "100")), deadline=None, print_blob=True
)
settings.load_profile("relay")


@pytest.fixture(scope="session")
def node():
    """The folder where `node script.js` finds Meta's packages. Use it under `xdist_group("node")`."""
    if not shutil.which("npm"):
        if os.environ.get("CI"):
            pytest.fail("CI needs Node.js and npm; tests/system_packages.sh installs them")
        pytest.skip("no Node.js on this machine (apt-get install nodejs npm)")
    if not (NODE / "node_modules" / "axe-core").exists():  # the last that was added
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=NODE, check=True, capture_output=True)
    return NODE
