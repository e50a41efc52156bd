"""`make mutants`: plants one mistake after the other in a copy of the product; the tests named with it must fail.

    python -m tests.mutants [--only WORD] [--jobs 2] [--anew]

The mistakes are in tests/mutants.toml. One that no test notices is a promise nobody holds: then the exit code is 1.
It can be stopped and goes on where it was: a mistake that was noticed is not planted again until its file or its tests
change (`--anew`: until now).
"""

import argparse
import hashlib
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
KEPT = ROOT / ".mutants" / "noticed"


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


class Noticed:
    """What was noticed in earlier runs: digests of a mistake, its file and its tests, a line for each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digests = set(path.read_text().split()) if path.exists() else set()

    def __contains__(self, mutant: Mutant) -> bool:
        return _digest(mutant) in self._digests

    def add(self, mutant: Mutant) -> None:
        self._path.parent.mkdir(exist_ok=True)
        with self._path.open("a") as file:
            file.write(f"{_digest(mutant)}\n")


def _digest(mutant: Mutant) -> str:
    digest = hashlib.sha256(msgspec.json.encode(mutant))
    for path in (ROOT / mutant.file, *(ROOT / test.partition("::")[0] for test in mutant.tests)):
        for each in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(each.read_bytes())
    return digest.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="mistakes whose name holds this word")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--anew", action="store_true", help="also those that were noticed before")
    options = parser.parse_args()
    planted = msgspec.toml.decode((ROOT / "tests/mutants.toml").read_bytes(), type=dict[str, list[Mutant]])["mutant"]
    if options.anew:
        KEPT.unlink(missing_ok=True)
    noticed = Noticed(KEPT)
    asked = [mutant for mutant in planted if options.only in mutant.name]
    mutants = [mutant for mutant in asked if mutant not in noticed]
    if len(mutants) < len(asked):
        print(f"{len(asked) - len(mutants)} were noticed before, and nothing of theirs has changed", flush=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        run = Run([Copy(Path(folder, str(n))) for n in range(options.jobs)], noticed, len(mutants))
        with ThreadPoolExecutor(options.jobs) as threads:
            list(threads.map(run.plant, mutants))
    print(f"{len(asked) - len(run.survivors)} of {len(asked)} mistakes were noticed")
    sys.exit(bool(run.survivors))


class Run:
    """Mistakes are planted, as many at a time as there are copies."""

    def __init__(self, copies: list[Copy], noticed: Noticed, n: int) -> None:
        self.survivors: list[Mutant] = []
        self._copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for copy in copies:
            self._copies.put(copy)
        self._noticed, self._n, self._done = noticed, n, 0
        self._lock = threading.Lock()
        self._sound: dict[str, bool] = {}
        """Whether a test passes without a mistake; one that fails notices nothing."""

    def plant(self, mutant: Mutant) -> None:
        copy = self._copies.get()
        try:
            started = time.monotonic()
            failing = [test for test in mutant.tests if not self._passes(copy, test)]
            why = f"they fail as they are: {', '.join(failing)}" if failing else copy.survives(mutant)
            self._tell(mutant, why, time.monotonic() - started)
        finally:
            self._copies.put(copy)

    def _passes(self, copy: Copy, test: str) -> bool:
        if test not in self._sound:
            self._sound[test] = copy.test([test])[0] == PASSED
        return self._sound[test]

    def _tell(self, mutant: Mutant, why: str | None, seconds: float) -> None:
        with self._lock:
            self._done += 1
            mark = "NOT NOTICED" if why else "noticed"
            print(f"{self._done}/{self._n} {mark:12}{mutant.name} ({seconds:.0f} s) {why or ''}", flush=True)
            if why:
                self.survivors.append(mutant)
            else:
                self._noticed.add(mutant)


if __name__ == "__main__":
    main()
