"""The house stays one that a newcomer finds the way in: its drawing is true, its files are short."""

import ast
import re
from pathlib import Path

import pytest

from tests import rooms

FILES = sorted(path for path in rooms.PACKAGE.rglob("*.py") if "tables" not in path.parts)
TESTS = sorted(path for path in (rooms.ROOT / "tests").rglob("*.py") if "node_modules" not in path.parts)
MOST_LINES, MOST_CLASS_LINES, MOST_IN_THE_ROOT = 300, 150, 13


def test_the_drawing_of_the_rooms_is_what_the_imports_say():
    assert rooms.PAGE.read_text("utf-8") == rooms.page(), "run python -m tests.rooms"


def test_the_page_names_every_room():
    text = rooms.PAGE.read_text("utf-8")
    for folder in sorted(path.name for path in rooms.PACKAGE.iterdir() if (path / "__init__.py").exists()):
        assert f"`{folder}/`" in text, folder


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(rooms.PACKAGE)))
def test_a_file_can_be_read_in_one_sitting(path: Path):
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES


def test_so_can_each_test():
    long = {path.name: n for path in TESTS if (n := len(path.read_text("utf-8").splitlines())) > MOST_LINES}
    assert long == {}


def test_no_test_runs_a_loop_in_its_own_thread():
    """There a browser's test may have left one running, and then only some orders of the tests pass."""
    allowed = {"asgi.py", "typed.py"}  # the way round it; a program that a type checker reads
    runs = re.compile(r"\basyncio\.run\(")
    assert {path.name for path in TESTS if runs.search(path.read_text("utf-8"))} <= allowed


def test_the_root_of_the_package_is_short():
    assert len(list(rooms.PACKAGE.glob("*.py"))) <= MOST_IN_THE_ROOT


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(rooms.PACKAGE)))
def test_a_long_class_says_why_it_is_one(path: Path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef) and (node.end_lineno or 0) - node.lineno >= MOST_CLASS_LINES:
            assert f"{MOST_CLASS_LINES} lines" in (ast.get_docstring(node) or ""), node.name


@pytest.mark.parametrize("path", sorted(rooms.PACKAGE.rglob("__init__.py")), ids=lambda path: path.parent.name)
def test_a_room_opens_with_what_it_is_for(path: Path):
    if path.parent.name == "tables":
        return  # generated
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))
