"""`make hunt`: plants one mistake after the other in a copy of the product, and plays worlds until one of them fails.

    python -m tests.simulation.hunt [--only WORD] [--seeds 2000] [--hours 2] [--jobs 2] [--anew] [--keep PAGE]

A simulation that finds nothing proves nothing by itself: perhaps it looks at nothing. So it is judged by what it finds
when there is something. The mistakes are those of `tests/mutants.toml` in the rooms that `planted.toml` names, without
those of which it says why no world can see them, and the faults of its own: old ones that cost events in the field.

Every mistake meets the same worlds, seeds 1, 2, 3 ... A world that fails without the mistake, too, does not count. One
that needs more than `MOST_SECONDS` of computing has found a loop without end, and counts. What was found is noted in
`.soak/hunt.jsonl`; a hunt that was stopped goes on where it was, as long as neither product nor worlds change. The exit
code is 1 when a mistake was not found.
"""

import argparse
import hashlib
import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tests.kept import keep
from tests.mutants import Copy
from tests.simulation.mistakes import ROOT, Mistake, choice, chosen, planted

NOTES = Path(".soak/hunt.jsonl")
AT_ONCE = 20
"""Worlds of one OS process."""
MOST_SECONDS = 60
"""Of computing, for one world; without a mistake it takes one second, or ten for a large one."""


class Result(msgspec.Struct, frozen=True):
    """Worlds 1 to `played` were played; in the last one it was found, if there is a `why`. `of`: digest of product and
    worlds."""

    name: str
    mistake: str
    of: str
    hours: float
    played: int
    why: str | None = None


class Played(msgspec.Struct, frozen=True):
    """One world, as its process tells it."""

    seed: int
    why: str | None


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation.hunt", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--only", default="", help="mistakes whose name holds this word")
    parser.add_argument("--seeds", type=int, default=2_000, help="worlds for each mistake, at most")
    parser.add_argument("--hours", type=float, default=2.0, help="virtual hours of faults in a world, on average")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--anew", action="store_true", help="forget what was found before")
    parser.add_argument("--keep", type=Path, help="the page that keeps the table")
    parser.add_argument("--play", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.keep and options.only:
        parser.error("--keep writes the table of all mistakes: leave out --only")
    if options.play:
        return _play(*options.play, options.hours)
    mistakes = [mistake for mistake in chosen() if options.only in mistake.name]
    results = Hunt(mistakes, options).run()
    lines = table(results)
    print(lines)
    if options.keep:
        keep(options.keep, "hunt", with_unseen(lines))
    missed = [result for result in results if result.why is None]
    print(f"{len(results) - len(missed)} of {len(results)} planted mistakes were found")
    return bool(missed)


class Hunt:
    """All mistakes, some at a time, each in a copy of the project."""

    def __init__(self, mistakes: Sequence[Mistake], options: argparse.Namespace) -> None:
        self._mistakes, self._seeds, self._hours, self._jobs = mistakes, options.seeds, options.hours, options.jobs
        self._of = _digest_of_code()
        self._known = {} if options.anew else self._noted()
        self._lock = threading.Lock()
        self._copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._fails_anyway: dict[int, bool] = {}
        NOTES.parent.mkdir(exist_ok=True)
        self._notes = NOTES.open("wb" if options.anew else "ab")

    def run(self) -> list[Result]:
        if all(self._is_done(self._begun(mistake), mistake) for mistake in self._mistakes):
            return [self._begun(mistake) for mistake in self._mistakes]
        with tempfile.TemporaryDirectory(prefix="hunt-") as folder, ThreadPoolExecutor(self._jobs) as threads:
            self._sound = _compiled(Copy(Path(folder, "sound")).folder)
            for n in range(self._jobs):
                self._copies.put(shutil.copytree(self._sound, Path(folder, str(n)), symlinks=True))
            return list(threads.map(self._hunt, self._mistakes))

    def _begun(self, mistake: Mistake) -> Result:
        nothing = Result(mistake.name, mistake.digest, self._of, self._hours, 0)
        return self._known.get(mistake.digest, nothing)

    def _is_done(self, result: Result, mistake: Mistake) -> bool:
        return result.why is not None or result.played >= self._most(mistake)

    def _most(self, mistake: Mistake) -> int:
        return min(self._seeds, mistake.within or self._seeds)

    def _hunt(self, mistake: Mistake) -> Result:
        result = self._begun(mistake)
        if self._is_done(result, mistake):
            return result
        copy = self._copies.get()
        try:
            with planted(copy, mistake):
                while not self._is_done(result, mistake):
                    result = self._look(copy, result, min(AT_ONCE, self._most(mistake) - result.played))
                    self._note(result)
        finally:
            self._copies.put(copy)
        found = f"found by {result.played}: {result.why}" if result.why else f"not found within {result.played}"
        print(f"{mistake.name}: {found}"[:200], flush=True)
        return result

    def _look(self, copy: Path, before: Result, count: int) -> Result:
        """Some more worlds, up to the first one that finds it."""
        last = before.played
        for world in play(copy, before.played + 1, count, self._hours):
            last = world.seed
            if world.why and not self._does_fail_anyway(world.seed):
                return msgspec.structs.replace(before, played=last, why=world.why)
        return msgspec.structs.replace(before, played=last)

    def _does_fail_anyway(self, seed: int) -> bool:
        if seed not in self._fails_anyway:
            self._fails_anyway[seed] = any(world.why for world in play(self._sound, seed, 1, self._hours))
        return self._fails_anyway[seed]

    def _note(self, result: Result) -> None:
        with self._lock:
            self._known[result.mistake] = result
            self._notes.write(msgspec.json.encode(result) + b"\n")
            self._notes.flush()
            found = sum(known.why is not None for known in self._known.values())
            progress = f"{found} of {len(self._mistakes)} found; {result.played} worlds, {result.name}"
            print(f"\r\033[K{progress[:110]} ", end="" if sys.stderr.isatty() else "\n", file=sys.stderr)

    def _noted(self) -> dict[str, Result]:
        if not NOTES.exists():
            return {}
        noted = [_result.decode(line) for line in NOTES.read_bytes().splitlines()]
        return {note.mistake: note for note in noted if note.of == self._of and note.hours == self._hours}


def play(folder: Path, first: int, count: int, hours: float) -> list[Played]:
    """The worlds of the code in this folder, up to the first one that fails."""
    # Without bytecode: a file that changes twice in a second would be taken for the one before.
    env = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "tests.simulation.hunt", "--play", str(first), str(count), "--hours", str(hours)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, check=False)
    worlds = [_played.decode(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        worlds.append(Played(first + len(worlds), f"the process ended with {done.returncode}: {said}"))
    return worlds


def _play(first: int, count: int, hours: float) -> int:
    """One JSON line for each world, in a process of its own."""
    folders, make_folder = [], tempfile.mkdtemp

    def noted(*args: str, **options: str) -> str:
        folders.append(make_folder(*args, **options))
        return folders[-1]

    seed = first

    def give_up(*_: object) -> None:
        _say(Played(seed, f"the world does not end: it was computed for {MOST_SECONDS} s"))
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)

    tempfile.mkdtemp = noted  # type: ignore[assignment]
    signal.signal(signal.SIGXCPU, give_up)
    _limit_computing()
    from tests.simulation import stage
    from tests.simulation.plan import draw

    for seed in range(first, first + count):
        _limit_computing()
        world = Played(seed, stage.play(draw(seed, hours)).why)
        _say(world)
        if world.why:
            break
    os._exit(0)  # what the world put into Python's modules is not made for an orderly end


def _say(world: Played) -> None:
    os.write(1, msgspec.json.encode(world) + b"\n")


def _limit_computing() -> None:
    """Of this process, from now on; not a time on the wall, so that a busy machine finds the same."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + MOST_SECONDS, -1))


def table(results: Sequence[Result]) -> str:
    rows = ["| planted mistake | found by world | what broke, or why not |", "| --- | ---: | --- |"]
    missed = {one.name: one.why for one in choice().missed}
    for result in results:
        seed = str(result.played) if result.why else f"not within {result.played:,}"
        rows.append(f"| {result.name} | {seed} | {_short(result.why) if result.why else missed.get(result.name, '')} |")
    return "\n".join(rows)


def _short(why: str, most: int = 90) -> str:
    line = " ".join(why.replace("|", "/").split())
    return line if len(line) <= most else line[: most - 4] + " ..."


def with_unseen(lines: str) -> str:
    """The table, and below it what is not hunted."""
    unseen = "\n".join(f"- {one.name}: {one.why}" for one in choice().unseen)
    return f"{lines}\n\nNot hunted, since no world can see them:\n\n{unseen}\n"


def _compiled(copy: Path) -> Path:
    """Bytecode that is known by the text it was made of, so that a planted mistake is compiled, and nothing else."""
    command = [sys.executable, "-m", "compileall", "-qq", "--invalidation-mode", "checked-hash"]
    subprocess.run([*command, "conversion_relay", "tests/simulation"], cwd=copy, check=True)
    return copy


def _digest_of_code() -> str:
    """Of what decides how a world ends: the product and the simulation."""
    found = hashlib.sha256()
    for folder, names in (("conversion_relay", "*"), ("tests/simulation", "*.py")):
        for path in sorted((ROOT / folder).rglob(names)):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(_OURS):
                found.update(f"{path.relative_to(ROOT)} {path.stat().st_size} ".encode() + path.read_bytes())
    return found.hexdigest()[:16]


_OURS = ("test_", "hunt", "mistakes")
_result = msgspec.json.Decoder(Result)
_played = msgspec.json.Decoder(Played)

if __name__ == "__main__":
    sys.exit(main())
