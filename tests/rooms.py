"""The drawing of the rooms in docs/rooms.md, from the imports themselves: `python -m tests.rooms` writes it anew."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "conversion_relay"
PAGE = ROOT / "docs" / "rooms.md"
BEGIN, END = "<!-- rooms: begin -->\n", "<!-- rooms: end -->\n"
WORDS = {"event", "event_id", "errors"}
PUBLIC = "public names"
"""`from conversion_relay import ...`, as a customer does it."""


def room_of(module: str) -> str:
    """
    >>> room_of("conversion_relay.delivery.turn"), room_of("conversion_relay.errors"), room_of("conversion_relay")
    ('delivery', 'words', 'public names')
    """
    _, _, rest = module.partition(".")
    name = rest.partition(".")[0]
    return "words" if name in WORDS else name or PUBLIC


def imports_of(path: Path) -> Iterator[str]:
    """The modules of ours that a file names, wherever in it: also for types alone, and inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("conversion_relay"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("conversion_relay"):
            modules = [f"{node.module}.{name.name}" for name in node.names]
            yield from (module if is_module(module) else str(node.module) for module in modules)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def arrows() -> dict[str, set[str]]:
    """Which room imports which."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        room = room_of(module)
        if path.parent == PACKAGE and path.name == "__init__.py":
            continue  # it hands names on, each when it is asked for
        found.setdefault(room, set()).update(room_of(name) for name in imports_of(path))
        found[room] -= {room, PUBLIC} if room != "course_site" else {room}
    return found


def without_shortcuts(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without the arrows that follow from two others: a floor may use everything below it.

    >>> without_shortcuts({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    {'a': {'b'}, 'b': {'c'}, 'c': set()}
    """
    below: dict[str, set[str]] = {}

    def reach(room: str) -> set[str]:
        if room not in below:
            direct = arrows.get(room, set())
            below[room] = direct.union(*(reach(other) for other in direct))
        return below[room]

    return {
        room: {to for to in targets if not any(to in reach(via) for via in targets)} for room, targets in arrows.items()
    }


def drawing() -> str:
    lines = ["```mermaid", "flowchart TD"]
    drawn = without_shortcuts(arrows())
    for room in sorted(drawn):
        lines.append(f'  {_name(room)}["{room}"]')
    for room in sorted(drawn):
        lines += [f"  {_name(room)} --> {_name(target)}" for target in sorted(drawn[room])]
    return "\n".join([*lines, "```", ""])


def page() -> str:
    """The whole page, with the drawing of today."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    return before + BEGIN + drawing() + END + rest.partition(END)[2]


def _name(room: str) -> str:
    return room.replace(" ", "_")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
