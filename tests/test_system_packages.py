"""What `make test` and `make browsers` ask the system for, on a machine that has nothing of it."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "system_packages.sh"


def asked_for(folder: Path, known: str, **environment: str) -> list[str]:
    """The packages that apt-get is told to install by an administrator, where apt-cache knows one package."""
    stand_ins = {
        "id": "echo 0",
        "apt-cache": f'[ "$2" = {known} ]',
        "apt-get": f'[ "$1" = update ] || echo "$@" >>{folder}/asked',
    }
    for name, does in stand_ins.items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / name).chmod(0o755)
    subprocess.run(["/bin/sh", SCRIPT], env={"PATH": str(folder), **environment}, check=True, capture_output=True)
    return (folder / "asked").read_text().split()


@pytest.mark.parametrize("known", ["webkit2gtk-driver", "webkitgtk-webdriver"])
def test_webkit_is_asked_for_by_the_name_that_this_release_of_the_system_knows(tmp_path, known):
    """Debian 12 has it as the one, Debian after 13 as the other alone."""
    asked = asked_for(tmp_path, known, OTHER_ENGINES="1")
    assert [name for name in asked if "webkit" in name] == [known]
    assert {"chromium", "firefox-esr", "xvfb", "xauth"} <= set(asked)


@pytest.mark.parametrize("known", ["chromium-headless-shell", "another"])
def test_chromium_without_windows_is_asked_for_where_the_system_has_it(tmp_path, known):
    asked = asked_for(tmp_path, known)
    assert "chromium" in asked and ("chromium-headless-shell" in asked) == (known == "chromium-headless-shell")


def test_the_other_engines_are_asked_for_only_by_make_browsers(tmp_path):
    asked = asked_for(tmp_path, "webkitgtk-webdriver")
    assert "chromium" in asked and not [name for name in asked if "webkit" in name or "firefox" in name]
