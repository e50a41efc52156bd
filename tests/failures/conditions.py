"""What a machine must allow for a fault to be injected. In CI nothing is skipped: there it is an error."""

import os
import shutil
import subprocess
import tempfile

import pytest


def need_root() -> None:
    """Mounting, tracing another's process, running as somebody else."""
    if os.geteuid() != 0:
        _missing("root")


def need_mount() -> None:
    need_root()
    with tempfile.TemporaryDirectory() as place:
        done = subprocess.run(["mount", "-t", "tmpfs", "none", place], capture_output=True, check=False)
        if done.returncode:
            _missing("the right to mount")
        subprocess.run(["umount", place], check=True)


def need_command(name: str) -> None:
    if not shutil.which(name):
        _missing(name)


def _missing(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"CI needs {what} to inject this fault")
    pytest.skip(f"this fault cannot be injected here: it takes {what}")
