"""Runs a part: all contestants in turn, round after round.

What was measured is noted at once, so that a run that was stopped goes on where it was. Notes are kept in `.bench/` (or
the folder that BENCH_FOLDER names), one file for each part, form, shape and seed. Their first line says of which
sources they are: after a change of the product or of the bench they are begun anew, because otherwise two programs
would be compared.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from bench.figures import MOST_WANDERING, wandering
from bench.part import Contestant, Form, Found, Part

ROOT = Path(__file__).parents[1]
FOLDER = Path(os.environ.get("BENCH_FOLDER") or ROOT / ".bench")
Notes = dict[str, list[Found]]
"""Of each contestant, what it measured in each round."""


class Wandered(Exception):
    """The baseline moved by itself, so ratios to it say nothing."""


class Failed(Exception):
    """A contestant did not do its work."""


@cache
def sources() -> str:
    """A digest of the product and the bench."""
    total = hashlib.sha256()
    for folder in ("conversion_relay", "bench"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".mjs"} and "node_modules" not in path.parts:
                total.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return total.hexdigest()[:16]


def run(part: Part, form: Form, *, anew: bool = False, say: Callable[[str], None] | None = None) -> Notes:
    """Every figure of every round. Raises Wandered and Failed."""
    say, path = say or progress, _path(part, form)
    contestants = [one for one in part.contestants(form) if not one.missing]
    notes = {} if anew else _read(path)
    if not notes:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"sources": sources()}) + "\n")
    for number in range(form.rounds):
        for one in contestants:
            if len(notes.get(one.name, [])) > number:
                continue
            say(f"{part.name}: round {number + 1} of {form.rounds}, {one.name}")
            found = _measured(part, one)
            notes.setdefault(one.name, []).append(found)
            _note(path, {"contestant": one.name, "found": dict(found), "at": int(time.time())})
        try:
            refuse_wandering(part, notes)
        except Wandered:
            path.unlink()  # the next run measures again
            raise
    say("")
    part.tidy()
    return {one.name: notes[one.name][: form.rounds] for one in contestants}


def noted(part: Part, form: Form) -> Notes | None:
    """What a finished run of the same sources showed; None when there is none."""
    path = _path(part, form)
    notes = _read(path) if path.exists() else {}
    names = [one.name for one in part.contestants(form) if not one.missing]
    if any(len(notes.get(name, [])) < form.rounds for name in names):
        return None
    return {name: notes[name][: form.rounds] for name in names}


def _path(part: Part, form: Form) -> Path:
    return FOLDER / f"{part.name}-{'quick' if form.is_quick else 'full'}-{form.shape}-{form.seed}.jsonl"


def refuse_wandering(part: Part, notes: Notes) -> None:
    """Raises Wandered when a watched baseline moved by more than 1.5 within the run."""
    for contestant, figure in part.watched:
        values = [found[figure] for found in notes.get(contestant, [])]
        if values and wandering(values) > MOST_WANDERING:
            raise Wandered(
                f"{part.name}: the baseline ({contestant}, {figure}) wandered by {wandering(values):.2f} in this run,"
                f" from {min(values):.3g} to {max(values):.3g}; at most {MOST_WANDERING} is allowed."
                " Nothing is shown: end what else works on this machine and run it again."
            )


def _measured(part: Part, one: Contestant) -> Found:
    try:
        return one.measure()
    except Exception as error:
        raise Failed(f"{part.name}: {one.name} failed: {type(error).__name__}: {error}") from error


def _read(path: Path) -> Notes:
    """What is noted already, of the same sources."""
    notes: Notes = {}
    written: list[Any] = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    head, *lines = written or [{}]
    if head == {"sources": sources()}:
        for line in lines:
            notes.setdefault(line["contestant"], []).append(line["found"])
    return notes


def _note(path: Path, line: dict[str, object]) -> None:
    with path.open("a") as notes:
        notes.write(json.dumps(line) + "\n")


def progress(text: str) -> None:
    """One line that changes, on a terminal; whole lines elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)
