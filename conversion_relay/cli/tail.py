"""`tail`: what becomes of events, as it happens."""

import contextlib
import time
from collections.abc import Iterator

import click

from conversion_relay.cli.printing import clock, print_json, printable
from conversion_relay.delivery.attention import remedy_of
from conversion_relay.outbox import STATES, Operator, Story, open_outbox, unsupported
from conversion_relay.settings import Settings

EVERY = 1.0
MOST = 500
"""Of the newest events, looked at each time; of more that arrive in a second the oldest are not shown."""


@click.command()
@click.option("--name", default="", help="of the event, such as Purchase")
@click.option("--state", type=click.Choice(STATES), help="only events that are in it")
@click.option("--last", default=10, show_default=True, type=click.IntRange(0, MOST), help="begin with so many")
@click.option("--once", is_flag=True, help="print these and exit")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
def tail(name: str, state: str | None, last: int, once: bool, as_json: bool) -> None:
    """Show events as they come and change their state, until Ctrl-C. It only looks, at the newest events."""
    settings = Settings.from_env(required=())
    with contextlib.closing(open_outbox(settings.outbox, "read")) as outbox:
        if not isinstance(outbox, Operator):
            raise unsupported(outbox, "recent")
        try:
            for story in _changes(outbox, last, once=once):
                if name in ("", story.event_name) and state in (None, story.state):
                    print_json(story) if as_json else click.echo(_line(story))
        except KeyboardInterrupt:
            return


def _changes(outbox: Operator, last: int, *, once: bool) -> Iterator[Story]:
    """Each event when it is new or its state is, the oldest first."""
    known: dict[int | None, tuple[str, str | None]] = {}
    is_first = True
    while True:
        stories = outbox.recent(MOST)
        changed = [s for s in stories if known.get(s.key) != (s.state, s.reason)]
        yield from reversed(changed[:last] if is_first else changed)
        if once:
            return
        known, is_first = {s.key: (s.state, s.reason) for s in stories}, False
        time.sleep(EVERY)


def _line(story: Story) -> str:
    at = story.settled_at or (story.history[-1].at if story.history else story.accepted_at)
    delay = f"{story.settled_at - story.accepted_at:.1f} s" if story.settled_at is not None else ""
    said = (story.history[-1].sentence or story.history[-1].title) if story.history else None
    why = "" if story.state == "delivered" else " ".join(part for part in (story.reason, said) if part)
    fix = remedy_of(story) if story.state in ("dead", "expired") else None
    parts = [
        clock(at)[11:],
        f"{story.state:<9}",
        f"{story.event_name:<20}",
        story.event_id,
        delay,
    ]
    return printable("  ".join([*parts, why]).rstrip() + (f"  -> {fix.fix}" if fix else ""))
