"""`status` and `explain`: what became of the events, and what a person should do."""

import contextlib
import time
from collections.abc import Mapping, Sequence

import click
import msgspec

from conversion_relay.cli.printing import ago, clock, print_json, print_table
from conversion_relay.delivery.attention import is_delivered, is_waiting, needs, remedies_of, together
from conversion_relay.delivery.installation import known
from conversion_relay.delivery.sign_of_life import alive, collecting
from conversion_relay.event_id import without_email
from conversion_relay.meta.remedies import Remedy
from conversion_relay.meta.versions import version_finding
from conversion_relay.outbox import (
    STATES,
    Counts,
    DeadLetters,
    Meter,
    Operator,
    SideCounts,
    Story,
    open_outbox,
    unsupported,
)
from conversion_relay.outbox.story import SignOfLife
from conversion_relay.outbox.verdict import HELD
from conversion_relay.settings import Settings

MOST_COLUMNS = 8
"""Datasets beside each other; more of them stand below each other."""


@click.command()
@click.option("--json", "as_json", is_flag=True)
def status(as_json: bool) -> None:
    """What needs a person, counts by state and age.

    Exit 1 when something needs a person: nobody delivers, the token is refused, the clock is off, events are about to
    expire or wait for a dataset that is not configured, the disk is nearly full.
    """
    settings = Settings.from_env(required=())
    with contextlib.closing(open_outbox(settings.outbox, "read")) as outbox:
        if not isinstance(outbox, DeadLetters):
            raise unsupported(outbox, "counts")
        books = outbox.counts()
        sides = outbox.deduplication() if isinstance(outbox, Meter) else {}
        now = time.time()
        found = known(outbox, settings, now)
    to_do = [need for need in needs(found) if need.cause != "version"]
    facts = [
        {
            "dataset": dataset,
            "accepted": book.accepted,
            **{state: getattr(book, state) for state in STATES},
            "imbalance": book.imbalance,
            "oldest_pending_seconds": None
            if book.oldest_pending_at is None
            else max(0.0, now - book.oldest_pending_at),
            "nearest_expiry_seconds": None if book.nearest_expiry_at is None else book.nearest_expiry_at - now,
            "deduplication": sides.get(dataset, {}),
            "configured": not stranded({dataset: book}, settings),
        }
        # A dataset of which only the pixel sends has no event here, and is the one that most needs to be seen.
        for dataset, book in sorted((dict.fromkeys(sides, Counts()) | books).items())
    ]
    finding = version_finding(settings.graph_version, now)
    if finding and not as_json:
        click.echo(f"{finding.path}: {finding.message}; {finding.fix}", err=True)
    if as_json:
        facts_of_all = {"needs": to_do, "delivered_by": is_delivered(found), "workers": found.signs or ()}
        print_json({"datasets": facts, "findings": [finding] if finding else [], **facts_of_all})
    elif not facts:
        click.echo("no event yet")
    else:
        lines = ["accepted", *STATES]
        ages = {"oldest waits": "oldest_pending_seconds", "next expires in": "nearest_expiry_seconds"}
        rows = [[line, *(fact[line] for fact in facts)] for line in lines]
        rows += [[line, *(ago(fact[name]) for fact in facts)] for line, name in ages.items()]
        rows += _deduplication([fact["deduplication"] for fact in facts])
        table = [["dataset", *(fact["dataset"] for fact in facts)], *rows]
        if len(facts) > MOST_COLUMNS:
            table = [list(line) for line in zip(*table, strict=True)]
        print_table(table[0], table[1:])
    if not as_json:
        _tell_fleet(found.signs or (), now)
    for need in () if as_json else together(to_do):
        click.echo(f"{'! ' if need.urgent else '* '}{need.what}\n  -> {need.fix}")
    raise SystemExit(1 if to_do else 0)


def _tell_fleet(signs: Sequence[SignOfLife], now: float) -> None:
    """Who delivers and who collects, as soon as it is more than one process, and whether they are of one version."""
    workers, collectors = alive(signs, now), collecting(signs, now)
    there = {sign.worker: sign for sign in (*workers, *collectors)}
    if len(there) < 2:
        return
    for what, several in (("delivering", workers), ("collecting", collectors)):
        if several:
            click.echo(f"{what}: " + ", ".join(f"{s.worker} ({max(0.0, now - s.at):.0f} s ago)" for s in several))
    if len(versions := sorted({sign.version or "an older one" for sign in there.values()})) > 1:
        click.echo(f"versions: {', '.join(versions)}; bring all to the newest")


def stranded(books: Mapping[str, Counts], settings: Settings) -> dict[str, int]:
    """Events that wait for a dataset that is not configured, by its name; nobody sends them. Without any configured
    dataset (a command that needs none) only those are known whose dataset could not be read."""
    configured = {dataset.pixel_id for dataset in settings.datasets}
    knows_none = configured == {"0"}
    return {
        name: book.pending
        for name, book in books.items()
        if book.pending and name != "all" and (name.startswith("unknown-") if knows_none else name not in configured)
    }


def _deduplication(datasets: Sequence[Mapping[str, SideCounts]]) -> list[list[str]]:
    """One row for each event name that a pixel sent: how many came from both sides, how many from one."""
    reported = {name for sides in datasets for name, found in sides.items() if found.both or found.browser_only}
    return [[f"{name} by", *(_by(sides.get(name, SideCounts())) for sides in datasets)] for name in sorted(reported)]


def _by(sides: SideCounts) -> str:
    return f"both {sides.both}, server only {sides.server_only}, pixel only {sides.browser_only}"


@click.command()
@click.argument("event_id")
@click.option("--json", "as_json", is_flag=True)
def explain(event_id: str, as_json: bool) -> None:
    """The life of one event. Exit 1 when no event has this id."""
    settings = Settings.from_env(required=())
    with contextlib.closing(open_outbox(settings.outbox, "read")) as outbox:
        if not isinstance(outbox, Operator):
            raise unsupported(outbox, "find")
        stories = outbox.find(event_id) or outbox.find(without_email(event_id.strip()))  # as it is kept
        found = known(outbox, settings, time.time()) if any(map(is_waiting, stories)) else None
    told = [remedies_of(story, found) for story in stories]
    if as_json:
        facts = zip(stories, told, strict=True)
        print_json([{**msgspec.to_builtins(story), "remedy": one[0] if one else None} for story, one in facts])
    elif not stories:
        click.echo("no event has this id (ids are forgotten 8 days after their end)", err=True)
    else:
        for story, one in zip(stories, told, strict=True):
            _tell(story, one)
    raise SystemExit(0 if stories else 1)


def _tell(story: Story, remedies: Sequence[Remedy]) -> None:
    click.echo(f"{story.event_name} {story.event_id}  (dataset {story.dataset})")
    click.echo(f"  {clock(story.event_time)}  it happened")
    click.echo(f"  {clock(story.accepted_at)}  accepted: durable from here on")
    for attempt in story.history:
        said = [attempt.outcome, attempt.why, attempt.code and f"code {attempt.code}"]
        said += [attempt.subcode and f"subcode {attempt.subcode}", attempt.title, attempt.fbtrace_id]
        if attempt.status not in (None, 200) and attempt.code is None:
            said.append(f"HTTP {attempt.status}")
        click.echo(f"  {clock(attempt.at)}  sent: {', '.join(str(part) for part in said if part)}")
        for name, text in (("Meta said", attempt.sentence), ("field", attempt.field)):
            if text:
                click.echo(f"                        {name}: {text}")
    if story.settled_at is not None:
        why = f" ({story.reason})" if story.reason else ""
        click.echo(f"  {clock(story.settled_at)}  {story.state}{why}")
    elif story.reason == HELD:
        click.echo("  now                   held: Meta may have it for over two days, and would count it twice;")
        click.echo(f"                        `dead replay` sends it all the same, until {clock(story.expires_at)}")
    elif story.due_at is not None:
        click.echo(f"  {clock(story.due_at)}  next try; Meta takes it until {clock(story.expires_at)}")
    else:
        why = f" ({story.reason})" if story.reason else ""
        click.echo(f"  now                   {story.state}{why}; Meta takes it until {clock(story.expires_at)}")
    for told in remedies:
        click.echo(f"  what is wrong         {told.what}")
        click.echo(f"  what to do            {told.fix}{f'  ({told.link})' if told.link else ''}")
