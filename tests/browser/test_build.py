"""The built files are those that `make browser` builds from the source, small, and fit to be published."""

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conversion_relay import __version__
from tests.browser.site import ROOT

pytestmark = pytest.mark.xdist_group("node")
SOURCE = ROOT / "src"
MOST_BYTES = {"meta-tracking.min.js": 6_163, "meta-tracking.mirror.min.js": 6_579}
"""What was reached, not what was asked for (docs/adr/0022): it must not grow unnoticed."""
SCRIPTS = ("meta-tracking.min.js", "meta-tracking.mirror.min.js", "meta-tracking.mjs", "meta-tracking.cjs")
BUILT = (*SCRIPTS, "meta-tracking.d.ts", "meta-tracking.d.mts", "meta-tracking.d.cts")
BUILDS = ("package.json", "package-lock.json", "tsconfig.json", "build.mjs", "meta-tracking.js")


@pytest.fixture(scope="module")
def package(node, tmp_path_factory) -> Path:
    """Built anew. `node`: npm is here, or the test says so."""
    folder = tmp_path_factory.mktemp("package")
    for name in BUILDS:
        shutil.copy(SOURCE / name, folder)
    run(folder, "npm", "ci", "--silent", "--no-audit", "--no-fund")
    run(folder, "npm", "run", "--silent", "build")
    return folder


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", BUILT)
def test_the_built_files_are_of_this_source_and_its_types_are_sound(package, name):
    assert (package / name).read_text() == (SOURCE / name).read_text(), "run make browser"


@pytest.mark.parametrize("name", MOST_BYTES)
def test_it_is_less_than_a_third_of_metas_own_library(name):
    """Which is 20,117 bytes, and neither knows consent nor mirrors."""
    assert len(gzip.compress((SOURCE / name).read_bytes(), 9)) <= MOST_BYTES[name]


def test_it_names_no_other_address():
    hosts = re.findall(r"https?://[\w.]+|//[a-z]+\.[a-z]", (SOURCE / "meta-tracking.min.js").read_text())
    assert hosts == []


def test_what_is_published_is_the_script_its_builds_and_its_types(package):
    (packed,) = json.loads(run(package, "npm", "pack", "--dry-run", "--json", "--ignore-scripts"))
    about = json.loads((SOURCE / "package.json").read_text())
    names = {file["path"] for file in packed["files"]}
    assert names == {"package.json", "meta-tracking.js", *BUILT}
    assert about["version"] == __version__
    ways = about["exports"]["."].values()
    assert {file.removeprefix("./") for way in ways for file in way.values()} <= names


USE = """
import MetaTracking, { MetaTracking as same, type Options } from "conversion-relay-browser";
const options: Options = { eventId: "lead_1" };
const id: string | null = MetaTracking.track("Lead", { value: 1 }, options);
// @ts-expect-error an answer is granted or denied
same.consent("perhaps");
console.log(id);
"""
NO_PAGE = "console.log(typeof M);"
LATE = 'await import("conversion-relay-browser")'


def test_a_program_imports_it_with_its_types_and_a_server_renders_without_a_window(package):
    site = package / "site"
    (site / "node_modules").mkdir(parents=True)
    (site / "node_modules/conversion-relay-browser").symlink_to(package)
    (site / "use.mts").write_text(USE)
    compiler = ("npx", "tsc", "--noEmit", "--strict", "--module", "nodenext", "--target", "es2022")
    run(site, *compiler, "--skipLibCheck", "false", "use.mts")
    (site / "use.cts").write_text(USE)
    compiler = ("npx", "tsc", "--noEmit", "--strict", "--module", "node16", "--target", "es2022")
    run(site, *compiler, "--skipLibCheck", "false", "use.cts")
    (site / "server.mjs").write_text(f'import M from "conversion-relay-browser"; {NO_PAGE}')
    (site / "server.cjs").write_text(f'const M = require("conversion-relay-browser").default; {NO_PAGE}')
    for name in ("server.mjs", "server.cjs"):
        assert run(site, "node", "--no-experimental-require-module", name) == "undefined\n"
    (site / "native.mjs").write_text(f"globalThis.window = globalThis; const {{ default: M }} = {LATE}; {NO_PAGE}")
    assert run(site, "node", "native.mjs") == "undefined\n", "React Native has a window and no document"
