"""The table of `make bench`, and its place in docs/performance.md."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.figures import Estimate, estimate, paired
from bench.part import Comparison, Form, Part
from bench.rounds import Notes

BEGIN, END = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"
HEAD = "| part | what | ratio to limit | 95 % | goal | at least | verdict |\n|---|---|---|---|---|---|---|"


TOO_SHORT = "too short to say"
"""Verdict of the quick form on what only the full one measures: 20 datasets are no thousand."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One judged comparison. `found` is None where a contestant is not installed here."""

    part: str
    label: str
    found: Estimate | None
    unit: str
    goal: float | None
    least: float | None
    more_is_better: bool
    verdict: str


def rows(part: Part, notes: Notes, form: Form) -> list[Row]:
    missing = {one.name: one.missing for one in part.contestants(form) if one.missing}
    return [_row(part, comparison, notes, form, missing) for comparison in part.comparisons]


def _row(part: Part, comparison: Comparison, notes: Notes, form: Form, missing: dict[str, str]) -> Row:
    name, figure = comparison.of
    found = None
    if name in notes:
        values = [one[figure] for one in notes[name]]
        if comparison.baseline:
            other, baseline = comparison.baseline
            values = paired(values, [one[baseline] for one in notes[other]])
        found = estimate(values)
    return Row(
        part=part.name,
        label=comparison.label,
        found=found,
        unit=comparison.unit,
        goal=comparison.goal,
        least=comparison.least,
        more_is_better=comparison.more_is_better,
        verdict=_verdict(comparison, found, form) if found else missing.get(name, "not measured"),
    )


def _verdict(comparison: Comparison, found: Estimate, form: Form) -> str:
    if comparison.goal is None:
        return ""
    if comparison.only_full and form.is_quick:
        return TOO_SHORT
    sign = 1 if comparison.more_is_better else -1

    def reaches(bound: float | None) -> bool:
        return bound is not None and sign * found.median >= sign * bound

    if reaches(comparison.goal):
        return "goal"
    return "at least" if reaches(comparison.least) else "**missed**"


def markdown(rows: Sequence[Row]) -> str:
    return "\n".join([HEAD, *(_line(row) for row in rows)]) + "\n"


def _line(row: Row) -> str:
    found, interval = "-", "-"
    if row.found:
        found = amount(row.found.median, row.unit)
        interval = f"{number(row.found.low)} - {number(row.found.high)}" if row.found.rounds > 1 else "one round"
    bounds = [_bound(row, bound) for bound in (row.goal, row.least)]
    return f"| {' | '.join([row.part, row.label, found, interval, *bounds, row.verdict])} |"


def _bound(row: Row, bound: float | None) -> str:
    return "-" if bound is None else f"{'≥' if row.more_is_better else '≤'} {amount(bound, row.unit)}"


def amount(value: float, unit: str) -> str:
    """
    >>> amount(2.345, "x"), amount(100.0, "%"), amount(1234.5, "ms")
    ('2.35 x', '100 %', '1,234 ms')
    """
    return f"{number(value)} {unit}".strip()


def number(value: float) -> str:
    """Three digits that mean something.

    >>> [number(value) for value in (0.0, 0.0123, 1.5, 10.26, 123.4, 12345.6)]
    ['0', '0.0123', '1.5', '10.3', '123', '12,346']
    """
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def absolute(part: Part, notes: Notes) -> str:
    """What this machine showed, for who wants to compare with another machine: medians."""
    shown = part.shown or tuple(dict.fromkeys(name for found in notes.values() for name in found[0]))
    lines = [f"| {part.title} | {' | '.join(shown)} |", "|---" * (len(shown) + 1) + "|"]
    for name, found in notes.items():
        cells = [
            number(estimate([one[figure] for one in found]).median) if figure in found[0] else "-" for figure in shown
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def keep(page: Path, text: str) -> None:
    """Between the markers of the page, and nowhere else."""
    before, begin, rest = page.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(
            f"{page}: the markers {BEGIN.strip()} and {END.strip()} are missing; put them where the table goes"
        )
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")
