"""The planted mistakes fit the code as it stands; whether the tests notice them is for `make mutants`."""

import tomllib
from pathlib import Path

import pytest

from tests.rooms import ROOT

MUTANTS = tomllib.loads((ROOT / "tests/mutants.toml").read_text("utf-8"))["mutant"]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant["name"])
def test_what_it_changes_stands_once_in_its_file_and_its_tests_exist(mutant):
    text = (ROOT / mutant["file"]).read_text("utf-8")
    assert {before: text.count(before) for before, _ in mutant["edits"]} == dict.fromkeys(
        (before for before, _ in mutant["edits"]), 1
    )
    assert all((ROOT / Path(test.partition("::")[0])).exists() for test in mutant["tests"])


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant["name"])
def test_what_it_makes_of_a_module_is_python(mutant):
    """Else every test would fail, and nothing would be known of the mistake."""
    text = (ROOT / mutant["file"]).read_text("utf-8")
    for before, after in mutant["edits"]:
        text = text.replace(before, after)
    if mutant["file"].endswith(".py"):
        compile(text, mutant["file"], "exec")


def test_no_two_have_one_name():
    assert len({mutant["name"] for mutant in MUTANTS}) == len(MUTANTS)
