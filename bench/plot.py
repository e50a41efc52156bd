"""The plot of the page: each ratio with its interval, beside its goal. An SVG of plain text, with no library."""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from bench.table import TOO_SHORT, Row, amount

WIDTH, LEFT, RIGHT, LINE = 1010, 500, 110, 26
LEAST, MOST = 0.1, 100.0
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.tick{fill:#59636e;font-size:11px}"
    ".grid{stroke:#d1d9e0}.one{stroke:#59636e}.interval{stroke:#0969da;stroke-width:3}.ours{fill:#0969da}"
    ".peer{fill:#bc4c00}.peer-interval{stroke:#bc4c00;stroke-width:3}.goal{stroke:#1a7f37;stroke-width:3}"
)


def write(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(exist_ok=True)
    shown = [row for row in rows if row.found and row.unit == "x" and row.verdict != TOO_SHORT]
    path.write_text(svg(shown), "utf-8")


def svg(rows: Sequence[Row]) -> str:
    height = LINE * len(rows) + 60
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' aria-label="Ratios to the limit, with 95 % intervals and goals">',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for tick in TICKS:
        x, kind = _x(tick), "one" if tick == 1 else "grid"
        lines.append(f'<line class="{kind}" x1="{x}" y1="24" x2="{x}" y2="{height - 30}"/>')
        lines.append(f'<text class="tick" x="{x}" y="{height - 12}" text-anchor="middle">{tick:g} x</text>')
    for number, row in enumerate(rows):
        lines += _row(row, 40 + LINE * number)
    legend = "ratio to the limit; bar: 95 % interval; green: the goal; orange: a peer"
    return "\n".join([*lines, f'<text class="tick" x="10" y="14">{legend}</text>', "</svg>", ""])


def _row(row: Row, y: int) -> list[str]:
    assert row.found
    kind = "peer" if row.label.startswith("peer: ") else "ours"
    bar = "peer-interval" if kind == "peer" else "interval"
    lines = [
        f'<text x="10" y="{y + 4}">{escape(f"{row.part}: {row.label}")}</text>',
        f'<line class="{bar}" x1="{_x(row.found.low)}" y1="{y}" x2="{_x(row.found.high)}" y2="{y}"/>',
        f'<circle class="{kind}" cx="{_x(row.found.median)}" cy="{y}" r="5"/>',
        f'<text x="{WIDTH - 10}" y="{y + 4}" text-anchor="end">{amount(row.found.median, row.unit)}</text>',
    ]
    if row.goal is not None:
        lines.append(f'<line class="goal" x1="{_x(row.goal)}" y1="{y - 9}" x2="{_x(row.goal)}" y2="{y + 9}"/>')
    return lines


def _x(ratio: float) -> float:
    """On a logarithmic axis, since half and twice are the same distance from 1."""
    share = math.log(min(max(ratio, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)
