"""Builds the package as a stranger gets it, and looks at it: `python -m tests.release` (`make release`).

1. sdist and wheel into dist/, and `twine check` on both.
2. For each Python 3.11 to 3.15 that is on this machine: an empty environment, the wheel into it, an event from Python
   and a look from the command line. What it weighs and how long the import takes is printed.
3. dist/sbom.json (CycloneDX) and dist/licences.txt of what was installed.
4. With `--tag`: the tag v{version} on this commit, if the tree is clean and CHANGELOG.md has the version. Nothing is
   pushed or uploaded.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import conversion_relay

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")
MOST_MEGABYTES = 16.0
UV = [sys.executable, "-m", "uv"]
os.environ["UV_SYSTEM_CERTS"] = "1"  # as in the Makefile: behind a company's proxy they are the ones that work
SMOKE = """
import os, pathlib, subprocess, sys, tempfile
from conversion_relay import Event, Relay, UserData, __version__
folder = tempfile.mkdtemp()
os.environ |= {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "RELAY_OUTBOX": f"sqlite:///{folder}/outbox.db"}
with Relay.from_env() as relay:
    assert relay.track(Event(event_name="Lead", user_data=UserData(email="a@shop.example"))).is_durable
said = subprocess.run([sys.executable, "-m", "conversion_relay", "status"], capture_output=True, text=True)
assert "1" in said.stdout, said
beside = pathlib.Path(sys.executable).with_name("conversion-relay")
said = subprocess.run([beside, "--version"], capture_output=True, text=True, check=True)
assert __version__ in said.stdout
"""
LISTED = """
import json
from importlib.metadata import distributions
print(json.dumps([
    {"name": d.metadata["Name"], "version": d.version,
     "licence": d.metadata.get("License-Expression") or next(
        (c.rpartition(" :: ")[2] for c in d.metadata.get_all("Classifier", []) if c.startswith("License ::")), None
     ) or (d.metadata.get("License") or "not said").splitlines()[0]}
    for d in distributions() if d.metadata["Name"] != "pip"
]))
"""


def main() -> None:
    version = conversion_relay.__version__
    wheel = build(DIST)
    run([*UV, "tool", "run", "twine", "check", "--strict", *map(str, DIST.glob("conversion_relay-*"))])
    packages: list[dict[str, str]] = []
    for python in PYTHONS:
        with tempfile.TemporaryDirectory() as folder:
            if found := installed(python, wheel, Path(folder)):
                packages = found
    (DIST / "sbom.json").write_text(json.dumps(sbom(packages, version), indent=1) + "\n")
    (DIST / "licences.txt").write_text("".join(f"{p['name']} {p['version']}: {p['licence']}\n" for p in packages))
    print(f"dist/sbom.json, dist/licences.txt: {len(packages)} packages")
    if "--tag" in sys.argv:
        tag(version)


def build(into: Path) -> Path:
    """Both archives; the wheel's path."""
    shutil.rmtree(into, ignore_errors=True)
    run([*UV, "build", "--quiet", "--out-dir", str(into), str(ROOT)])
    (wheel,) = into.glob("*.whl")
    return wheel


def installed(python: str, wheel: Path, folder: Path) -> list[dict[str, str]]:
    """What an empty environment of this Python holds after `pip install`; nothing where there is no such Python."""
    env = folder / "env"
    base = interpreter(python)
    made = subprocess.run([*UV, "venv", "--quiet", "--python", base, str(env)], capture_output=True, check=False)
    if made.returncode:
        print(f"Python {python}: not on this machine, not tried")
        return []
    own = env / "bin" / "python"
    before = size(env)
    run([*UV, "pip", "install", "--quiet", "--python", str(own), str(wheel)])
    megabytes = (size(env) - before) / 1e6
    run([str(own), "-m", "compileall", "-q", str(env / "lib")])  # as pip does
    with_bytecode = (size(env) - before) / 1e6
    run([str(own), "-c", SMOKE], cwd=folder)
    took = min(import_milliseconds(own, folder) for _ in range(7))
    alone = min(cpu_milliseconds([str(own), "-c", "pass"]) for _ in range(7))
    cost = f"{took:.0f} ms of CPU, {took / alone:.1f} times what the interpreter takes to start and end"
    print(
        f"Python {python}: works; {megabytes:.1f} MB, {with_bytecode:.1f} with bytecode; imports in {cost}", flush=True
    )
    if megabytes > MOST_MEGABYTES:
        raise SystemExit(f"the core weighs more than {MOST_MEGABYTES} MB")
    said = subprocess.run([str(own), "-c", LISTED], capture_output=True, text=True, check=True, cwd=folder, env=bare())
    found: list[dict[str, str]] = json.loads(said.stdout)
    return sorted(found, key=lambda package: package["name"].lower())


def import_milliseconds(python: Path, folder: Path) -> float:
    """CPU of importing what a program with two lines needs, without the interpreter's own start."""
    code = (
        "import time; began = time.process_time(); from conversion_relay import Event, Relay, UserData;"
        "print((time.process_time() - began) * 1000)"
    )
    said = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True, cwd=folder, env=bare())
    return float(said.stdout)


def cpu_milliseconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=bare())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def interpreter(python: str) -> str:
    """Of pyenv, which uv does not look into; else uv finds it by its version."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    return next((str(found) for found in sorted(versions.glob(f"{python}.*/bin/python"))), python)


def bare() -> dict[str, str]:
    """Without the checkout on the path, or its package would be tested and not the wheel's."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def sbom(packages: list[dict[str, str]], version: str) -> dict[str, Any]:
    """https://cyclonedx.org/docs/1.5/json/"""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "library", "name": "conversion-relay", "version": version}},
        "components": [
            {
                "type": "library",
                "name": package["name"],
                "version": package["version"],
                "purl": f"pkg:pypi/{package['name'].lower()}@{package['version']}",
                "licenses": [{"license": {"name": package["licence"]}}],
            }
            for package in packages
            if package["name"] != "conversion-relay"
        ],
    }


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def tag(version: str) -> None:
    if subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True).stdout:
        raise SystemExit("the tree is not clean; commit first")
    if f"\n## {version}" not in (ROOT / "CHANGELOG.md").read_text("utf-8"):
        raise SystemExit(f"CHANGELOG.md has no section {version}")
    run(["git", "tag", "--annotate", f"v{version}", "--message", f"Conversion Relay {version}"])
    print(f"tagged v{version}; nothing was pushed")


def run(command: list[str], cwd: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=cwd, env=bare(), check=False)
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(command[:6])}")


if __name__ == "__main__":
    main()
