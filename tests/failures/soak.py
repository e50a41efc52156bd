"""`make soak`: every fault of the kit, for hours; says how far it is, can be stopped (Ctrl-C) and goes on where it was.

    python -m tests.failures.soak [--only WORD] [--share 0.1] [--anew] [--keep docs/guarantees.md]

Each fault is injected in parts; a finished part is noted in `.soak/parts.jsonl` and not done again unless `--anew` is
given. `--keep` writes the table into the page. The exit code is 1 when a promise was broken.
"""

import argparse
import functools
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.failures import attacks, babble, backlog, clocks, disk, fuzz, killed, neighbours, network, power_cut
from tests.failures.load import Progress, Result
from tests.failures.proxy import MODES
from tests.kept import keep

NOTES = Path(".soak/parts.jsonl")
CLEAR_LINE = "\r\033[K" if sys.stdout.isatty() else ""


class Fault(msgspec.Struct):
    """`size`: rounds, or events where the fault has one round; no more than `at_once` in one part."""

    name: str
    inject: Callable[[Path, int, Progress], Result]
    size: int
    at_once: int

    def parts(self, share: float) -> list[int]:
        size = max(1, round(self.size * share))
        whole, rest = divmod(size, self.at_once)
        return [self.at_once] * whole + [rest] * bool(rest)


def token_renewed(how: str) -> Callable[[Path, int, Progress], Result]:
    return lambda folder, _, progress: network.dead_token(folder, how)


def drained(calls: int) -> Callable[[Path, int, Progress], Result]:
    return functools.partial(backlog.drained, calls=calls)


MILLION = 1_000_000
FAULTS = [
    Fault("kill -9 at random", killed.at_random, 1_000, 50),
    Fault("kill -9 at every named point", killed.at_every_point, 17 * len(killed.POINTS), len(killed.POINTS)),
    Fault("kill -9 at an fsync", killed.at_an_fsync, 200, 20),
    Fault("SIGTERM under load", killed.told_to_stop, 50, 25),
    Fault("power cut (ext4)", power_cut.power_cut, 200, 20),
    Fault("disk full (tmpfs)", disk.full, 30, 10),
    Fault("backlog fills the disk", disk.outgrown, 4, 2),
    Fault("fsync and write errors", disk.failing_fsync, 30, 6),
    Fault("one fsync fails", disk.one_failing_fsync, 40, 10),
    Fault("fsync takes 50 ms", disk.slow_fsync, 40, 40),
    Fault("locked by another process", functools.partial(disk.locked, seconds=30.0), 3, 3),
    Fault("bad network", network.bad_network, 5 * len(MODES), len(MODES)),
    Fault("nobody listens at Meta", network.refused, 20, 5),
    Fault("name does not resolve", network.no_name, 10, 5),
    Fault("random answers for 10 minutes", babble.for_minutes, 10, 10),
    Fault("one dataset hangs", network.one_hangs, 20, 10),
    *(Fault(f"dead token, new one by {how}", token_renewed(how), 1, 1) for how in ("file", "TOML", "SIGHUP")),
    Fault("3 days away, token dead 24 h", clocks.three_days, 1, 1),
    Fault("wall clock set", clocks.set_while_running, 10, 5),
    Fault("a day between restarts", clocks.days_between_restarts, 5, 5),
    Fault("several processes on one file", neighbours.two_of_each, 10, 5),
    Fault("paused beyond its lease", neighbours.paused, 10, 5),
    Fault("out of file descriptors", neighbours.few_files, 20, 10),
    Fault("ten clients attack", attacks.attacked, 60, 60),
    Fault("requests made up at random", fuzz.fuzzed, MILLION, 50_000),
    Fault("256 MB and a backlog", neighbours.little_memory, MILLION, MILLION),
    Fault("fresh events beside a backlog", backlog.fresh_events_pass, 300_000, 300_000),
    Fault("claims beside 1,000,000", backlog.quick_to_claim, MILLION, MILLION),
    Fault("claims beside 10,000,000", backlog.quick_to_claim, 10 * MILLION, 10 * MILLION),
    # Long enough for a slope of the memory.
    *(Fault(f"drain with {calls} calls in flight", drained(calls), 4 * MILLION, 4 * MILLION) for calls in (4, 8, 16)),
]


class Part(msgspec.Struct):
    """A finished part, as it is noted."""

    fault: str
    nth: int
    size: int
    seconds: float
    result: Result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="faults whose name holds this word")
    parser.add_argument("--share", type=float, default=1.0, help="of the rounds, 0 to 1")
    parser.add_argument("--anew", action="store_true", help="forget the parts that were done")
    parser.add_argument("--keep", type=Path, help="the page that keeps the table")
    options = parser.parse_args()
    if options.anew:
        NOTES.unlink(missing_ok=True)
    faults = [fault for fault in FAULTS if options.only in fault.name]
    try:
        for fault in faults:
            for nth, size in enumerate(fault.parts(options.share)):
                _do(fault, nth, size)
    except KeyboardInterrupt:
        print("\nstopped; `make soak` goes on from here", file=sys.stderr)
    results = _merged(faults)
    lines = table(results)
    print("\n" + lines)
    if options.keep:
        keep(options.keep, "soak", lines)
    sys.exit(any(result.verdict != "kept" for result in results))


def _do(fault: Fault, nth: int, size: int) -> None:
    """One part, unless it was done before; its folder stays for inspection when the promise was broken."""
    if any((part.fault, part.nth, part.size) == (fault.name, nth, size) for part in _noted()):
        return
    of = len(fault.parts(1.0))
    show = _progress(f"{fault.name} ({nth + 1}/{of})" if of > 1 else fault.name)
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        result = fault.inject(folder, size, show)
    except Exception as error:  # a fault that could not be judged is a row of the table, and the next one follows
        (folder / "trouble.txt").write_text(traceback.format_exc())
        result = Result(fault.name, 0, 0, 0, 0, f"not judged: {type(error).__name__}: {error}"[:120])
    if result.verdict == "kept":
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - started
    NOTES.parent.mkdir(exist_ok=True)
    with NOTES.open("ab") as notes:
        notes.write(msgspec.json.encode(Part(fault.name, nth, size, seconds, result)) + b"\n")
    where = "" if result.verdict == "kept" else f" ({folder})"
    print(f"{CLEAR_LINE}{fault.name} ({nth + 1}/{of}): {result.verdict}{where} {result.note}", flush=True)


def _progress(title: str) -> Progress:
    """One line that is written over on a terminal, and a line at most every ten seconds elsewhere."""
    said = [0.0]

    def show(text: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {title}: {text}"
        if sys.stdout.isatty():
            print(CLEAR_LINE + line[:160], end="", flush=True)
        elif time.monotonic() > said[0] + 10:
            said[0] = time.monotonic()
            print(line, flush=True)

    return show


def _noted() -> list[Part]:
    if not NOTES.exists():
        return []
    return [msgspec.json.decode(line, type=Part) for line in NOTES.read_bytes().splitlines()]


def _merged(faults: list[Fault]) -> list[Result]:
    """One row for each fault of which something was done."""
    rows = []
    for fault in faults:
        results = [part.result for part in _noted() if part.fault == fault.name]
        if not results:
            continue
        broken = [result.verdict for result in results if result.verdict != "kept"]
        rows.append(
            Result(
                fault.name,
                sum(result.rounds for result in results),
                sum(result.acknowledged for result in results),
                sum(result.lost for result in results),
                sum(result.duplicates for result in results),
                "; ".join(broken) or "kept",
                results[-1].note,
            )
        )
    return rows


def table(results: list[Result]) -> str:
    heads = ("fault", "rounds", "acknowledged", "lost", "duplicates", "verdict", "note")
    rows = [heads, ("---", *["---:"] * 4, "---", "---")]
    for r in results:
        rows.append(
            (r.fault, f"{r.rounds:,}", f"{r.acknowledged:,}", f"{r.lost:,}", f"{r.duplicates:,}", r.verdict, r.note)
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


if __name__ == "__main__":
    main()
