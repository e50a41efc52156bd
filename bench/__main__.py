"""`make bench`, or `python -m bench [PART ...]`.

    --quick          seconds instead of minutes for each part; shows that it works
    --rounds N       more rounds, smaller intervals
    --shape container   another shape of traffic, or plugin
    --seed N         other people
    --anew           measure these parts again
    --keep PAGE      write the tables of all finished parts between the page's markers, and the plot beside it

A part that is finished is noted in `.bench/` and not measured again, until the product or the bench change.

Exit code 0: figures are shown. 1: a contestant failed. 3: a baseline wandered, and its part shows nothing.
"""

import argparse
import datetime
import sys
from pathlib import Path

from bench import parts, plot, table
from bench.machine import description
from bench.part import Form, Part
from bench.rounds import Failed, Wandered, noted, run

FAILED, WANDERED = 1, 3


def main(arguments: list[str] | None = None) -> int:
    options = options_of(arguments)
    code, said = 0, list[str]()
    for name in options.parts or parts.NAMES:
        part = parts.part(name)
        form = form_of(part, options)
        try:
            notes = run(part, form, anew=options.anew)
        except (Wandered, Failed) as error:
            code = max(code, WANDERED if isinstance(error, Wandered) else FAILED)
            said.append(str(error))
            print(error, file=sys.stderr, flush=True)
            continue
        print(f"\n{table.markdown(table.rows(part, notes, form))}\n{table.absolute(part, notes)}", flush=True)
    if options.keep:
        _keep(options, said)
    return code


def _keep(options: argparse.Namespace, said: list[str]) -> None:
    """Every part that is finished, also in an earlier run."""
    rows: list[table.Row] = []
    figures: list[str] = []
    for name in parts.NAMES:
        part = parts.part(name)
        form = form_of(part, options)
        if notes := noted(part, form):
            rows += table.rows(part, notes, form)
            figures.append(table.absolute(part, notes))
    if rows:
        table.keep(options.keep, _page(options, rows, figures, said))
        plot.write(options.keep.parent / "images" / "performance.svg", rows)


def form_of(part: Part, options: argparse.Namespace) -> Form:
    rounds = options.rounds or (part.quick_rounds if options.quick else part.full_rounds)
    return Form(is_quick=options.quick, rounds=rounds, shape=options.shape, seed=options.seed)


def _page(options: argparse.Namespace, rows: list[table.Row], figures: list[str], said: list[str]) -> str:
    length = "quick form (seconds each; its intervals are wide)" if options.quick else "full form"
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    head = f"{today}, {description()}, {length}, traffic `{options.shape}`, seed {options.seed}."
    missing = [f"- Not shown: {sentence.partition(' Nothing is shown')[0]}" for sentence in said]
    body = [head, "", table.markdown(rows), *missing, "", "### Figures of this machine", "", *figures]
    return "\n".join(body).rstrip() + "\n"


def options_of(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts.NAMES))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--shape", choices=("site", "container", "plugin"), default="site")
    parser.add_argument("--seed", type=int, default=Form(is_quick=True, rounds=1).seed)
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(parts.NAMES):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(parts.NAMES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
