"""Where the system's Chromium is. Without one the browser tests say that they are skipped; in CI that is a failure.

The shell is the same engine without a browser's windows, and takes a third of the time. It keeps no page in memory to
come back to, so the life of pages is tested in the whole browser."""

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


def shell_path() -> str:
    """The whole browser where there is no shell."""
    return shutil.which("chromium-headless-shell") or chromium_path()
