"""A run of the bench: who takes turns, what it refuses to show, how it goes on, what it writes into the page."""

import doctest
import importlib
import itertools
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import parts, rounds, table
from bench.figures import estimate
from bench.part import Comparison, Contestant, Part
from tests.rooms import ROOT

FILES = sorted((ROOT / "bench").rglob("*.py"))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(rounds, "FOLDER", tmp_path / "notes")
    return tmp_path


def planted(monkeypatch, limit, ours=(3.0,), measured=None, **comparison) -> None:
    """A part whose contestants measure these values, one a round."""
    measured = [] if measured is None else measured
    values = {"limit": itertools.cycle(limit), "ours": itertools.cycle(ours)}

    def contestant(name: str) -> Contestant:
        def measure() -> dict[str, float]:
            measured.append(name)
            return {"us": next(values[name])}

        return Contestant(name, measure)

    part = Part(
        name="planted",
        title="planted",
        contestants=lambda _: [contestant("limit"), contestant("ours")],
        comparisons=(Comparison(label="cost", of=("ours", "us"), baseline=("limit", "us"), **comparison),),
        watched=(("limit", "us"),),
        quick_rounds=3,
    )
    monkeypatch.setattr(parts, "part", lambda _: part)
    monkeypatch.setattr(parts, "NAMES", ("planted",))


def test_ratios_are_shown_with_an_interval_a_goal_and_a_verdict(monkeypatch, capsys):
    planted(monkeypatch, limit=(1.0, 1.1, 1.2), ours=(2.0, 2.2, 2.4), goal=1.5, least=2.5)
    assert bench.main(["planted", "--quick"]) == 0
    assert "| planted | cost | 2 x | 2 - 2 | ≤ 1.5 x | ≤ 2.5 x | at least |" in capsys.readouterr().out


def test_a_baseline_that_wandered_shows_nothing_and_says_why(monkeypatch, capsys):
    planted(monkeypatch, limit=(1.0, 1.6, 1.0))
    assert bench.main(["planted", "--quick"]) == bench.WANDERED
    said = capsys.readouterr()
    assert said.out == ""
    assert "the baseline (limit, us) wandered by 1.60 in this run, from 1 to 1.6; at most 1.5 is allowed" in said.err


def test_a_baseline_that_wandered_less_is_shown(monkeypatch, capsys):
    planted(monkeypatch, limit=(1.0, 1.49, 1.0))
    assert bench.main(["planted", "--quick"]) == 0
    assert "| planted | cost |" in capsys.readouterr().out


def test_after_a_refusal_everything_is_measured_again(monkeypatch):
    measured: list[str] = []
    planted(monkeypatch, limit=(1.0, 2.0, 1.0, 1.0, 1.0), measured=measured)
    assert bench.main(["planted", "--quick"]) == bench.WANDERED
    measured.clear()
    assert bench.main(["planted", "--quick"]) == 0
    assert measured == ["limit", "ours"] * 3


def test_a_run_that_was_stopped_goes_on_where_it_was(monkeypatch, capsys):
    measured: list[str] = []
    planted(monkeypatch, limit=(1.0,), ours=(3.0,), measured=measured)
    part = parts.part("planted")
    form = bench.form_of(part, bench.options_of(["--quick"]))

    def stop(text: str) -> None:
        if text.startswith("planted: round 2") and "ours" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rounds.run(part, form, say=stop)
    assert measured == ["limit", "ours", "limit"]
    assert bench.main(["planted", "--quick"]) == 0
    assert measured == ["limit", "ours", "limit", "ours", "limit", "ours"]
    bench.main(["planted", "--quick"])
    assert len(measured) == 6, "a finished part is not measured again"
    bench.main(["planted", "--quick", "--anew"])
    assert len(measured) == 12


def test_notes_of_other_sources_are_not_mixed_in(monkeypatch):
    measured: list[str] = []
    planted(monkeypatch, limit=(1.0,), measured=measured)
    bench.main(["planted", "--quick"])
    monkeypatch.setattr(rounds, "sources", lambda: "another program")
    bench.main(["planted", "--quick"])
    assert len(measured) == 12


def test_a_contestant_that_fails_is_named(monkeypatch, capsys):
    planted(monkeypatch, limit=())
    assert bench.main(["planted", "--quick"]) == bench.FAILED
    assert "planted: limit failed" in capsys.readouterr().err


def test_the_page_keeps_its_own_words_around_the_table(monkeypatch, folder):
    page = folder / "performance.md"
    page.write_text(f"before\n{table.BEGIN}old figures\n{table.END}after\n")
    planted(monkeypatch, limit=(1.0,), goal=1.5)
    assert bench.main(["planted", "--quick", "--keep", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old figures" not in text
    assert "| planted | cost | 3 x |" in text and "CPython" in text and "quick form" in text
    plot = (folder / "images" / "performance.svg").read_text()
    assert "planted: cost" in plot and 'class="goal"' in plot


def test_a_page_without_its_markers_is_left_alone(folder):
    page = folder / "page.md"
    page.write_text("words")
    with pytest.raises(ValueError, match="markers"):
        table.keep(page, "table")
    assert page.read_text() == "words"


def test_the_interval_gets_smaller_with_more_rounds_and_holds_the_median():
    few, many = estimate([1.0, 2.0, 3.0, 4.0, 5.0]), estimate([1.0, 2.0, 3.0, 4.0, 5.0] * 20)
    assert few.low <= few.median <= few.high
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize("name", ["figures", "table", "traffic.draws"])
def test_the_examples_of_the_bench_hold(name):
    assert doctest.testmod(importlib.import_module(f"bench.{name}")).failed == 0


def test_every_file_of_the_bench_can_be_read_in_one_sitting():
    assert {path.name: n for path in FILES if (n := len(path.read_text("utf-8").splitlines())) > 300} == {}
