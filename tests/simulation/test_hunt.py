"""Mistakes are planted, and worlds find them. All of them: `make hunt`."""

import os
import subprocess
import sys

import pytest

from tests.kept import keep
from tests.rooms import ROOT
from tests.simulation import hunt, mistakes

FAULTS = mistakes.choice().fault
OBVIOUS = "claimed events stay in the queue"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return hunt.Copy(tmp_path_factory.mktemp("hunt")).folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.known], ids=lambda fault: fault.name)
def test_a_fault_that_cost_events_once_is_found_within_200_worlds(fault, copy):
    """From the world on that is known to find it, since two hundred of them take minutes."""
    with mistakes.planted(copy, fault):
        worlds = hunt.play(copy, fault.known, fault.within, 2.0)
    assert [world for world in worlds if world.why], f"{fault.name}: change `known` in planted.toml, or the worlds"


def test_what_was_planted_is_taken_out_again(copy):
    fault = FAULTS[0]
    paths = {name for name, _, _ in fault.edits}
    with mistakes.planted(copy, fault):
        assert all((copy / path).read_text() != (ROOT / path).read_text() for path in paths)
    assert all((copy / path).read_text() == (ROOT / path).read_text() for path in paths)


@pytest.mark.timeout(300)
def test_a_hunt_notes_what_it_found_and_goes_on_where_it_was(tmp_path):
    first = the_hunt(tmp_path)
    noted = (tmp_path / ".soak/hunt.jsonl").read_bytes()
    again = the_hunt(tmp_path)
    assert first.returncode == again.returncode == 0, first.stdout + first.stderr
    assert "1 of 1 planted mistakes were found" in first.stdout and noted.count(b"\n") == 1
    assert (tmp_path / ".soak/hunt.jsonl").read_bytes() == noted
    assert again.stdout.partition("| planted")[2] == first.stdout.partition("| planted")[2]


def the_hunt(cwd) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.simulation.hunt", "--only", OBVIOUS, "--jobs", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_each_mistake_that_is_not_hunted_exists_and_stands_in_a_room_of_the_hunt():
    rooms, of = tuple(mistakes.choice().rooms), {mutant.name: mutant.file for mutant in mistakes.mutants()}
    named = [*mistakes.choice().unseen, *mistakes.choice().missed]
    assert [one.name for one in named if not of.get(one.name, "").startswith(rooms)] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_a_fault_changes_stands_once_in_its_file(fault):
    texts = {name: (ROOT / name).read_text("utf-8") for name, _, _ in fault.edits}
    assert [texts[name].count(before) for name, before, _ in fault.edits] == [1] * len(fault.edits)


def test_a_page_keeps_the_table_between_its_marks(tmp_path):
    page = tmp_path / "simulation.md"
    page.write_text("# The simulation\n\nTheory.\n\n<!-- hunt: begin -->\nof last year\n<!-- hunt: end -->\n\nMore.\n")
    found = hunt.Result("it forgets", "1", "2", 2.0, 17, "Broken: 1 | lost")
    table = hunt.table([found, hunt.Result("it sleeps", "3", "2", 2.0, 2_000)])
    keep(page, "hunt", hunt.with_unseen(table))
    text = page.read_text()
    assert "| it forgets | 17 | Broken: 1 / lost |" in text and "| it sleeps | not within 2,000 |" in text
    assert "of last year" not in text
    assert text.startswith("# The simulation\n\nTheory.\n") and text.endswith("\nMore.\n")
    assert all(one.why in text for one in mistakes.choice().unseen)
