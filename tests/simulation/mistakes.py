"""The mistakes that worlds must find: which they are (`planted.toml`), and how one is planted in a copy."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.mutants import Mutant

ROOT = Path(__file__).parent.parent.parent
Edit = tuple[str, str, str]
"""A file, a text that stands once in it, and what stands there instead."""


class Mistake(msgspec.Struct, frozen=True):
    """`within`: it is looked for in so many worlds, if that is said. `known`: the world that found it, where the
    tests begin to look."""

    name: str
    edits: list[Edit]
    within: int | None = None
    known: int | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self.edits)).hexdigest()[:16]


class Unseen(msgspec.Struct, frozen=True):
    """A mistake of tests/mutants.toml that is not hunted, and why no world can see it."""

    name: str
    why: str


class Choice(msgspec.Struct, frozen=True):
    """What `planted.toml` holds. `rooms`: how the names of the files begin in which mistakes are hunted. `missed`: what
    is hunted all the same, and what a world would need to find it."""

    rooms: list[str]
    unseen: list[Unseen]
    missed: list[Unseen] = []
    fault: list[Mistake] = []


def choice() -> Choice:
    return msgspec.toml.decode((ROOT / "tests/simulation/planted.toml").read_bytes(), type=Choice)


def mutants() -> list[Mutant]:
    return msgspec.toml.decode((ROOT / "tests/mutants.toml").read_bytes(), type=dict[str, list[Mutant]])["mutant"]


def chosen() -> list[Mistake]:
    """The faults of the field first, then what is chosen of tests/mutants.toml."""
    said = choice()
    unseen = {one.name for one in said.unseen}
    return said.fault + [
        Mistake(mutant.name, [(mutant.file, before, after) for before, after in mutant.edits])
        for mutant in mutants()
        if mutant.file.startswith(tuple(said.rooms)) and mutant.name not in unseen
    ]


@contextlib.contextmanager
def planted(folder: Path, mistake: Mistake) -> Iterator[None]:
    """While it lasts, the copy in this folder has the mistake."""
    originals: dict[Path, str] = {}
    try:
        for name, before, after in mistake.edits:
            path = folder / name
            text = path.read_text("utf-8")
            if text.count(before) != 1:
                raise SystemExit(f"{mistake.name}: the text to change stands {text.count(before)} times in {name}")
            originals.setdefault(path, text)
            path.write_text(text.replace(before, after), "utf-8")
        yield
    finally:
        for path, text in originals.items():
            path.write_text(text, "utf-8")
