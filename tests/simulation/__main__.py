"""`make simulate`: plays worlds, each from its seed; can be stopped (Ctrl-C) and goes on where it was.

    python -m tests.simulation --seeds 1000 [--first 1] [--hours 2] [--jobs 2] [--anew] [--keep docs/guarantees.md]
    python -m tests.simulation --seed 4711 [--shrink]    the story of one world; --shrink makes a failing one smaller

A finished world is noted in `.soak/worlds.jsonl` and not played again. The exit code is 1 when a world failed, and,
with `--reach`, when something that worlds are there to reach (`reach.py`) never happened in any of them. `--keep`
writes the table of what happened into the page.
"""

import argparse
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tests.kept import keep
from tests.simulation.ending import Ending
from tests.simulation.plan import draw, shrink
from tests.simulation.soak import Soak

NOTES = Path(".soak/worlds.jsonl")
AT_ONCE = 20
"""Worlds of one OS process."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=100, help="so many, from --first on")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--hours", type=float, default=2.0, help="virtual hours of faults in a world, on average")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--anew", action="store_true", help="forget what was played before")
    parser.add_argument("--reach", action="store_true", help="fail when something was never reached")
    parser.add_argument("--keep", type=Path, help="the page that keeps the table of what happened")
    parser.add_argument("--seed", type=int, help="this one alone, with its story")
    parser.add_argument("--shrink", action="store_true", help="make the failing world of --seed smaller")
    parser.add_argument("--chunk", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        again = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, again, os.environ | {"PYTHONHASHSEED": "0"})
    if options.chunk:
        return _play_chunk(*options.chunk, options.hours)
    if options.seed is not None:
        return _tell(options.seed, options.hours, smaller=options.shrink)
    return _play_all(options)


def _play_chunk(first: int, count: int, hours: float) -> int:
    """One JSON line for each world; for the process that asked."""
    from tests.simulation.stage import play

    gc.freeze()
    gc.disable()  # a world leaves few cycles behind, and a search for them while it runs is a tenth of its time
    for seed in range(first, first + count):
        ending = play(draw(seed, hours))
        gc.collect()
        print(msgspec.json.encode(msgspec.structs.replace(ending, history=[])).decode(), flush=True)
    return 0


def _tell(seed: int, hours: float, *, smaller: bool) -> int:
    from tests.simulation.stage import play

    plan = draw(seed, hours)
    ending = play(plan)
    if ending.why and smaller:
        for found in shrink(plan, lambda candidate: play(candidate).why is not None):
            plan = found
            print(f"still fails: {plan}", file=sys.stderr)
        ending = play(plan)
    print("\n".join(ending.history))
    print(f"{ending.describe()}\nplan: {plan}")
    return 1 if ending.why else 0


def _play_all(options: argparse.Namespace) -> int:
    seeds = range(options.first, options.first + options.seeds)
    known = {} if options.anew else _noted(options.hours)
    NOTES.parent.mkdir(exist_ok=True)
    endings = {seed: known[seed] for seed in seeds if seed in known}
    played = spent = 0.0
    missing = [seed for seed in seeds if seed not in known]
    chunks = [missing[n : n + AT_ONCE] for n in range(0, len(missing), AT_ONCE)]
    with NOTES.open("wb" if options.anew else "ab") as notes, ThreadPoolExecutor(options.jobs) as pool:
        for chunk in pool.map(lambda chunk: _in_process(chunk, options.hours), chunks):
            for ending in chunk:
                endings[ending.seed] = ending
                played += ending.virtual_hours
                spent += ending.core_seconds
                notes.write(msgspec.json.encode([options.hours, ending]) + b"\n")
                if ending.why:
                    print(f"\r\033[K{ending.describe()}" if sys.stdout.isatty() else ending.describe(), flush=True)
            notes.flush()
            rate = played / spent * 60 if spent else 0
            progress = f"{len(endings)} of {len(seeds)} worlds, {rate:.0f} virtual hours a minute of one core"
            print(f"\r{progress} ", end="", file=sys.stderr)
    print(file=sys.stderr)
    return _sum_up(list(endings.values()), reach=options.reach, page=options.keep)


def _in_process(seeds: list[int], hours: float) -> list[Ending]:
    """Neighbouring seeds share an OS process; a run of them may have gaps where some were played before."""
    endings: list[Ending] = []
    for first, count in _runs(seeds):
        command = [sys.executable, "-m", "tests.simulation", "--chunk", str(first), str(count), "--hours", str(hours)]
        done = subprocess.run(command, capture_output=True, check=False)
        endings += [_ending.decode(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
        if done.returncode:
            why = f"the process ended with {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}"
            endings.append(Ending(seed=first + len(endings), why=why, virtual_hours=0.0, history=[], marks={}))
    return endings


def _runs(seeds: list[int]) -> Iterator[tuple[int, int]]:
    first = count = 0
    for seed in seeds:
        if count and seed == first + count:
            count += 1
            continue
        if count:
            yield first, count
        first, count = seed, 1
    if count:
        yield first, count


def _noted(hours: float) -> dict[int, Ending]:
    """Worlds that held before. One that failed is played again, since the product may have been mended."""
    if not NOTES.exists():
        return {}
    noted = [_note.decode(line) for line in NOTES.read_bytes().splitlines()]
    return {ending.seed: ending for of_hours, ending in noted if of_hours == hours and not ending.why}


def _sum_up(endings: list[Ending], *, reach: bool, page: Path | None) -> int:
    found = Soak.of(endings)
    print(found.listed())
    never = found.never_reached()
    if reach and never:
        print("never reached: " + "; ".join(never))
    if page:
        keep(page, "worlds", found.table())
    return 1 if found.failed or (reach and never) else 0


_ending = msgspec.json.Decoder(Ending)
_note = msgspec.json.Decoder(tuple[float, Ending])

if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # what the world put into Python's modules is not made for an orderly end
