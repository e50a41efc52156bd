"""The package as a stranger gets it. `make release` tries it in empty environments of every Python that is here."""

import importlib.metadata
import re
import tomllib

import pytest

import conversion_relay
from tests import release
from tests.test_documents import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return release.build(tmp_path_factory.mktemp("dist") / "dist")


def test_the_wheel_holds_the_product_and_nothing_of_its_workshop(wheel):
    names = release.names_in(wheel)
    needed = ("py.typed", "collector/scripts/meta-tracking.min.js", "dashboard/templates/base.html", "__main__.py")
    assert {f"conversion_relay/{name}" for name in needed} <= set(names)
    assert {name.partition("/")[0] for name in names} == {
        "conversion_relay",
        wheel.name.rpartition("-py3")[0] + ".dist-info",
    }
    assert not [name for name in names if name.endswith((".db", ".pyc", ".log"))]
    assert f"-{conversion_relay.__version__}-" in wheel.name


def test_it_works_in_an_empty_environment(wheel, tmp_path):
    packages = release.installed(f"{release.sys.version_info.major}.{release.sys.version_info.minor}", wheel, tmp_path)
    assert [package["name"] for package in packages] == ["apsw", "click", "conversion-relay", "msgspec"]
    bill = release.sbom(packages, conversion_relay.__version__)
    assert {part["name"]: bool(part["licenses"]) for part in bill["components"]} == {
        "apsw": True,
        "click": True,
        "msgspec": True,
    }


def test_each_extra_says_what_it_is_for():
    """In docs/packaging.md; `dev` is for this repository alone."""
    page = (ROOT / "docs/packaging.md").read_text()
    extras = set(
        re.findall(r"^([a-z]+) = \[", (ROOT / "pyproject.toml").read_text().split("[project.scripts]")[0], re.M)
    )
    extras -= {"requires", "dependencies", "keywords", "classifiers", "authors", "dynamic", "dev"}
    assert set(re.findall(r"^\| `\[([a-z]+)\]`", page, re.MULTILINE)) == extras


def test_the_version_has_one_place():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", conversion_relay.__version__)
    assert importlib.metadata.version("conversion-relay")


def test_what_ci_runs_of_others_is_what_it_ran_yesterday():
    """A tag can be moved by whoever takes over its repository; a commit cannot."""
    used = re.findall(r"uses: (\S+)", (ROOT / ".github/workflows/ci.yml").read_text())
    assert used and [one for one in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one)] == []


def test_the_worlds_ci_calls_targets_that_exist():
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = re.findall(r"run: (?:sudo )?make ([a-z-]+)", (ROOT / ".github/workflows/ci.yml").read_text())
    assert set(called) == {"lint", "test", "browser", "tf-check", "docs", "empty-debian", "release"} <= targets
