"""How a file is read, said to whoever imports it; and what has to be asked first."""

import click

from conversion_relay.cli.printing import print_json, printable
from conversion_relay.cli.table.asked import Read
from conversion_relay.cli.table.dialect import Question

MOST_LEFT_OUT = 30
"""Columns that are shown although nothing is read of them: a warehouse's export has hundreds, and what is read of it
must not scroll away."""


def questions(asked: list[Question], as_json: bool) -> int:
    """The exit code."""
    if as_json:
        print_json({"questions": asked})
    for question in asked if not as_json else ():
        click.echo(printable(f"{question.what}; say one of:  {'   '.join(question.options)}"), err=True)
    return 2


def show(read: Read) -> None:
    """What each column means, and in which form it is."""
    plan = read.plan
    left_out = 0
    for heading, field in zip(plan.columns.headings, plan.columns.fields, strict=True):
        left_out += not field
        if field or left_out <= MOST_LEFT_OUT:
            click.echo(printable(f"  {heading:<28} -> {field or 'left out'}"), err=True)
    if left_out > MOST_LEFT_OUT:
        click.echo(f"  and {left_out - MOST_LEFT_OUT:,} further columns -> left out", err=True)
    if plan.columns.of("order_id") is None and plan.columns.of("event_id") is None:
        said = "no column holds an order or event id, so Meta cannot tell these events from the pixel's copies of them"
        click.echo(f"  ({said})", err=True)
    zone = f", times in {plan.timezone}" if plan.timezone else ""
    chosen = "".join(f"; only rows with {plan.columns.headings[choice.at]!r} as said" for choice in plan.only)
    sign = f", decimal {plan.decimal!r}" if plan.decimal else ""
    order = f", dates {plan.dates}" if plan.dates else ""
    click.echo(
        printable(f"  ({read.encoding}, columns parted by {read.delimiter!r}{sign}{order}{zone}{chosen})"), err=True
    )
