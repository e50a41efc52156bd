"""`make mutants`: plants one mistake after the other in a copy of the product; the tests named with it must fail.

    python -m tests.mutants [--only WORD] [--jobs 2]

The mistakes are in tests/mutants.toml. One that no test notices is a promise nobody holds: then the exit code is 1.
"""

import argparse
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

ROOT = Path(__file__).parent.parent
COPIED = ("conversion_relay", "tests", "lambda", "src", "bench", "docs", "examples", "deploy")
COPIED += ("mkdocs.yml", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile")
SECONDS = 400
PASSED, FAILED = 0, 1


class Mutant(msgspec.Struct, frozen=True):
    """`edits`: pairs of a text that stands once in `file`, and what stands there instead. `tests`: one must fail."""

    name: str
    file: str
    edits: list[tuple[str, str]]
    tests: list[str]


class Copy:
    """A copy of the project that may be broken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        leave = shutil.ignore_patterns("__pycache__", "node_modules", ".hypothesis")
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=leave)
            else:
                shutil.copyfile(source, folder / name)
        if (ROOT / "src/node_modules").exists():
            (folder / "src/node_modules").symlink_to(ROOT / "src/node_modules")

    def survives(self, mutant: Mutant) -> str | None:
        """None when a test noticed the mistake; else why not."""
        path = self.folder / mutant.file
        is_script = path.parent == self.folder / "src"
        originals = {each: each.read_bytes() for each in (path, *(path.parent.glob("*js") if is_script else ()))}
        broken = path.read_text()
        for old, new in mutant.edits:
            if broken.count(old) != 1:
                return f"the text to change stands {broken.count(old)} times in {mutant.file}: {old!r}"
            broken = broken.replace(old, new)
        path.write_text(broken)
        try:
            if is_script:  # browsers load what is built of it
                subprocess.run(["node", "build.mjs"], cwd=path.parent, check=True, stdout=subprocess.DEVNULL)
            code, said = self.test(mutant.tests)
        finally:
            for each, content in originals.items():
                each.write_bytes(content)
        if code == PASSED:
            return "no test failed"
        return None if code == FAILED else f"the tests could not be run:\n{said[-2_000:]}"

    def test(self, tests: list[str]) -> tuple[int, str]:
        """(pytest's exit code, what it said)"""
        # Without bytecode: a file that changes twice in a second would be taken for the one before.
        env = os.environ | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "CI": "true"}
        options = ("-x", "-q", "--tb=line", "--timeout=90", "-p", "no:cacheprovider", "-p", "no:randomly")
        command = [sys.executable, "-m", "pytest", *options, *tests]
        try:
            done = subprocess.run(
                command, cwd=self.folder, env=env, capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return FAILED, "FAILED (it hung)"
        return done.returncode, done.stdout + done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="mistakes whose name holds this word")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    planted = msgspec.toml.decode((ROOT / "tests/mutants.toml").read_bytes(), type=dict[str, list[Mutant]])["mutant"]
    mutants = [mutant for mutant in planted if options.only in mutant.name]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for n in range(options.jobs):
            copies.put(Copy(Path(folder, str(n))))
        _refuse_failing_tests(copies, mutants)
        survivors = _plant(copies, mutants, options.jobs)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} mistakes were noticed")
    sys.exit(bool(survivors))


def _refuse_failing_tests(copies: "queue.SimpleQueue[Copy]", mutants: list[Mutant]) -> None:
    """Tests that fail without a mistake notice nothing."""
    copy = copies.get()
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    code, said = copy.test(tests)
    copies.put(copy)
    if code != PASSED:
        raise SystemExit(f"the tests fail as they are:\n{said[-4_000:]}")
    print(f"{len(tests)} groups of tests pass without a mistake", flush=True)


def _plant(copies: "queue.SimpleQueue[Copy]", mutants: list[Mutant], jobs: int) -> list[Mutant]:
    """Those that nobody noticed."""
    lock = threading.Lock()
    survivors = []

    def plant(mutant: Mutant) -> None:
        copy = copies.get()
        started = time.monotonic()
        why = copy.survives(mutant)
        copies.put(copy)
        with lock:
            mark = "NOT NOTICED" if why else "noticed"
            print(f"{mark:12}{mutant.name} ({time.monotonic() - started:.0f} s) {why or ''}", flush=True)
            if why:
                survivors.append(mutant)

    with ThreadPoolExecutor(jobs) as threads:
        list(threads.map(plant, mutants))
    return survivors


if __name__ == "__main__":
    main()
