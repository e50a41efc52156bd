"""What a verb prints: no value from outside steers a terminal, and columns stand under each other."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversion_relay.cli.printing import ago, clock, print_json, print_table
from conversion_relay.cli.table.asked import Read
from conversion_relay.cli.table.columns import Columns
from conversion_relay.cli.table.rows import Plan
from conversion_relay.cli.table.telling import show
from conversion_relay.outbox import Counts, open_outbox


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0 s"),
        (0.99, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (172_799, "47 h"),
        (172_800, "2 d"),
        (30 * 86_400, "30 d"),
    ],
)
def test_an_age_is_told_in_its_largest_whole_unit(seconds, text):
    assert ago(seconds) == text


@given(seconds=st.floats(0, 1e9))
def test_an_age_is_never_told_longer_than_it_is(seconds):
    number, unit = ago(seconds).split()
    size = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}[unit]
    assert int(number) * size <= seconds < (int(number) + 1) * size


@given(at=st.integers(0, 4_000_000_000))
def test_a_clock_is_utc_to_the_second(at):
    assert datetime.strptime(clock(at), "%Y-%m-%d %H:%M:%SZ").replace(tzinfo=UTC).timestamp() == at


def test_json_is_one_line_whatever_is_in_it(capsys):
    print_json({"books": Counts(accepted=1, pending=1), "text": "two\nlines\x1b[31m", "when": None})
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "\x1b" not in out
    assert json.loads(out)["text"] == "two\nlines\x1b[31m"


def test_columns_stand_under_each_other_and_numbers_to_the_right(capsys):
    print_table(["event", "n"], [["Lead", 7], ["CompleteRegistration", 12_345], [None, 0]])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["event", "n"], ["Lead", "7"], ["CompleteRegistration", "12345"], ["0"]]
    assert len({len(line.rstrip()) for line in lines}) == 1, "the last digits stand in one column"


def test_a_table_without_rows_is_its_headings(capsys):
    print_table(["event", "why"], [])
    assert capsys.readouterr().out.split() == ["event", "why"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cell=st.text(max_size=40))
def test_no_cell_steers_the_terminal_or_is_read_as_markup(capsys, cell):
    print_table(["id", "why"], [[cell, "end"]])
    out = capsys.readouterr().out
    assert all(c == "\n" or c.isprintable() for c in out)
    shown = "".join(c for c in cell if c.isprintable())
    assert shown.strip() in out, "brackets are text and no style"


def test_a_long_id_is_not_cut_where_nobody_looks_at_a_terminal(capsys):
    event_id = "purchase_" + "x" * 300
    print_table(["id", "why"], [[event_id, "too_old"]])
    assert event_id in capsys.readouterr().out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", [["--version"], ["webhook", "fixture", "stripe"], ["dead", "export", "--csv"]])
def test_output_that_a_full_disk_does_not_take_is_a_failure_and_said_in_one_line(tmp_path, arguments):
    outbox = f"sqlite:///{tmp_path}/outbox.db"
    open_outbox(outbox).close()
    env = {"RELAY_OUTBOX": outbox, "PYTHONPATH": str(Path(__file__).parents[2])}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "conversion_relay", *arguments],
            env=env,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"standard output cannot be written: No space left on device\n")


def test_of_hundreds_of_columns_those_that_are_read_are_shown_and_the_others_counted(capsys):
    others = [f"c{n}" for n in range(500)]
    columns = Columns(fields=("email", *("" for _ in others), "value"), headings=("Mail", *others, "Betrag"))
    show(Read(plan=Plan(columns=columns), encoding="utf-8", delimiter=","))
    told = capsys.readouterr().err.splitlines()
    assert len(told) < 40 and any("Mail" in line for line in told) and any("-> value" in line for line in told)
    assert "  and 470 further columns -> left out" in told
