"""Where the system's Chromium is. Without one the browser tests say that they are skipped; in CI that is a failure."""

import os
import shutil

import pytest

SWITCHES = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * 127.0.0.1",
]
"""Every name leads to this machine."""


def chromium_path() -> str:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs Chromium; tests/system_packages.sh installs it")
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    return path
