"""Regular expressions mean the same on every CPython that we run on."""

import ast

import pytest

from tests.rooms import ROOT

# Their groups hold nothing that could be tried in two ways.
PLAIN_INSIDE = {"intake/event_document.py", "intake/splitting.py"}
FILES = sorted((ROOT / "conversion_relay").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_group_is_repeated_possessively(path):
    """Before 3.11.5 such a group may match what it should not, or miss what it should, if something in it can be tried
    in two ways (https://github.com/python/cpython/issues/106052). Debian 12 has 3.11.2."""
    texts = [
        node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    ]
    found = [text for text in texts for repeat in (")*+", ")++", ")?+", "(?>") if repeat in text]
    assert not found or str(path.relative_to(ROOT / "conversion_relay")) in PLAIN_INSIDE
