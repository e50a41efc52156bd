"""`dead` and `erase`: the operator's hand on what is kept."""

import contextlib
import datetime
import io
import sys
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

import click
import msgspec

from conversion_relay.cli.printing import ago, print_json, print_table, printable
from conversion_relay.delivery.attention import remedy_of
from conversion_relay.event_id import without_email
from conversion_relay.intake.visit import Visit, kept_under
from conversion_relay.outbox import (
    Access,
    DeadGroup,
    DeadLetters,
    Operator,
    Overview,
    Search,
    Story,
    Visits,
    open_outbox,
    unsupported,
)
from conversion_relay.outbox.audit import Audit, Change
from conversion_relay.outbox.export import dead_csv
from conversion_relay.outbox.special import SetsAside, Shared
from conversion_relay.settings import Settings


@click.group()
def dead() -> None:
    """Dead letters: what Meta refused for good. And held events: what it may have already, for over two days."""


def chosen(command: Callable[..., None]) -> Callable[..., None]:
    """The filters that dead letters are chosen by."""
    for option in (
        click.option("--reason", default="", help="such as meta_100_2804009"),
        click.option("--name", default="", help="of the event, such as Purchase"),
        click.option("--dataset", default=""),
    ):
        command = option(command)
    return command


@dead.command("list")
@chosen
@click.option("--group", is_flag=True, help="one line for each cause, with its remedy")
@click.option("--json", "as_json", is_flag=True)
def list_(reason: str, name: str, dataset: str, group: bool, as_json: bool) -> None:
    """What waits for a person's hand, with Meta's reason; held events first. Exit 1 when there are any."""
    now = time.time()
    with _opened("read") as outbox:
        groups = outbox.dead_groups(now) if group and isinstance(outbox, Overview) else None
        held = outbox.held(1_000) if isinstance(outbox, Operator) else []
        stories = _chosen(outbox, held, reason, name, dataset)
        of_others = outbox.of_others() if isinstance(outbox, Shared) else 0
    if groups is not None:
        print_json([_told(one) for one in groups]) if as_json else _tell_groups(groups, len(held), now)
        raise SystemExit(1 if groups or held else 0)
    if of_others:
        click.echo(
            f"{of_others} of the messages there are no relay's: look at them where the queue is kept, and delete them",
            err=True,
        )
    if as_json:
        print_json(stories)
    elif stories:
        print_table(["event", "id", "why", "Meta said", "trace", "can be sent for"], [_row(s, now) for s in stories])
    elif not of_others:
        click.echo("no dead letters")
    raise SystemExit(1 if stories or of_others else 0)


def _chosen(outbox: DeadLetters, held: list[Story], reason: str, name: str, dataset: str) -> list[Story]:
    if (reason or name or dataset) and isinstance(outbox, Overview):
        asked = Search(state="dead", reason=reason, event_name=name, dataset=dataset, limit=1_000)
        dead_letters = outbox.search(asked).stories
    else:
        dead_letters = outbox.dead(1_000)
    wanted = (("reason", reason), ("event_name", name), ("dataset", dataset))
    return [
        story
        for story in [*held, *dead_letters]
        if all(value in ("", getattr(story, field)) for field, value in wanted)
    ]


def _row(story: Story, now: float) -> list[object]:
    last = story.history[-1] if story.history else None
    left = ago(story.expires_at - now) if story.expires_at > now else "too old"
    said = last and (last.sentence or last.title)
    return [story.event_name, story.event_id, story.reason, said, last and last.fbtrace_id, left]


def _told(group: DeadGroup) -> dict[str, object]:
    return {**msgspec.to_builtins(group), "remedy": remedy_of(group.newest)}


def _tell_groups(groups: list[DeadGroup], held: int, now: float) -> None:
    for group in groups:
        last = group.newest.history[-1] if group.newest.history else None
        left = f"{ago(group.nearest_expiry_at - now)} left" if group.nearest_expiry_at else "too old to be sent"
        click.echo(f"{group.n} x {group.event_name}, {group.reason}  (dataset {group.dataset}, {left})")
        if last and (last.sentence or last.title):
            click.echo(printable(f"  Meta said: {last.sentence or last.title}"))
        if told := remedy_of(group.newest):
            click.echo(f"  -> {told.fix}")
    if groups:
        click.echo(
            "`dead replay` sends them as they are kept. Where a field is wrong, mend what sends it, and send the event"
        )
        click.echo("anew with another id: under the old one it counts as known.")
    else:
        click.echo("no dead letters")
    if held:
        click.echo(f"{held} held, since Meta may have them already: `dead list`")


@dead.command()
@click.argument("event_ids", nargs=-1)
@chosen
@click.option("--json", "as_json", is_flag=True)
def replay(event_ids: tuple[str, ...], reason: str, name: str, dataset: str, as_json: bool) -> None:
    """Send dead and held events again, as they are kept: these ids, those of a reason, name or dataset, or all.

    Only those that Meta still takes. Exit 1 when there was none.
    """
    n = 0
    event_ids = tuple(dict.fromkeys((*event_ids, *map(without_email, event_ids))))  # as they are kept
    if _may_hold_any():
        with _opened("existing") as outbox:
            if reason or name or dataset:
                n = _replay_chosen(outbox, event_ids, reason, name, dataset)
            else:
                n = outbox.replay(time.time(), event_ids or None)
        what = " ".join(filter(None, (dataset, name, reason))) or (f"{len(event_ids)} ids" if event_ids else "all")
        if n:
            _note("replay", n, what)
    print_json({"replayed": n}) if as_json else click.echo(f"{n} pending again")
    raise SystemExit(0 if n else 1)


def _replay_chosen(outbox: DeadLetters, ids: tuple[str, ...], reason: str, name: str, dataset: str) -> int:
    if not isinstance(outbox, Overview):
        raise unsupported(outbox, "replay")
    asked, rest, keys = Search(state="dead", reason=reason, event_name=name, dataset=dataset, limit=5_000), None, []
    while True:
        found = outbox.search(msgspec.structs.replace(asked, before=rest))
        keys += [story.key for story in found.stories if story.key is not None and (not ids or story.event_id in ids)]
        if (rest := found.rest) is None or not found.stories:
            return outbox.replay_chosen(keys, time.time())


@dead.command()
@click.argument("file", type=click.File("wb", lazy=True), default="-")
@click.option("--csv", "as_csv", is_flag=True, help="for a spreadsheet; no cell is a formula")
def export(file: BinaryIO, as_csv: bool) -> None:
    """Write the dead letters' stories to FILE (`-`: standard output), JSON lines; nothing in them names a person."""
    with _opened("read") as outbox:
        stories = outbox.dead(1_000_000)
    if as_csv:
        file.write(dead_csv(stories).encode())
        return
    file.write(b"")  # opens it: where there is no dead letter, yesterday's file must not stand for today's
    for story in stories:
        file.write(msgspec.json.encode(story) + b"\n")


@click.command()
@click.option("--email", multiple=True)
@click.option("--phone", multiple=True)
@click.option("--external-id", multiple=True)
@click.option(
    "--order", multiple=True, help="whose visit is forgotten: browser, address and page, kept for 7 or 90 days"
)
@click.option("--country", help="of the phone number, where it has no calling code")
@click.option("--json", "as_json", is_flag=True)
def erase(
    email: tuple[str, ...],
    phone: tuple[str, ...],
    external_id: tuple[str, ...],
    order: tuple[str, ...],
    country: str | None,
    as_json: bool,
) -> None:
    """Forget a person: every event that holds their hash loses it. A bare `-` reads the value from standard input.
    Exit 1 when there was none, and when files that were set aside may hold the person too: delete these.

    An event that Meta has holds no hash any more, but the visit of its order stays: name the order as well."""
    from conversion_relay.meta.customer_information import normalize

    settings = Settings.from_env(required=())
    today = datetime.datetime.now(datetime.UTC).date()
    standard_input = _lines_of_standard_input((*email, *phone, *external_id).count("-"))
    digests = []
    for field, values in (("email", email), ("phone", phone), ("external_id", external_id)):
        for given in values:
            value = next(standard_input) if given == "-" else given
            result = normalize(field, value, country=country, default_country=settings.default_country, today=today)
            if result.sha256 is None:
                raise click.UsageError(f"--{field.replace('_', '-')}: {result.dropped}")
            digests.append(result.sha256)
    order = tuple(key.strip() for key in order)
    if "" in order:
        raise click.UsageError("--order: empty")
    if not digests and not order:
        raise click.UsageError("name at least one of --email, --phone, --external-id, --order")
    with _opened("existing", settings) as outbox:
        if not isinstance(outbox, Operator):
            raise unsupported(outbox, "erase")
        visits = sum(_forget_visit(outbox, kept_under(key)) for key in order)
        n = outbox.erase(digests, time.time())
        aside = outbox.set_aside() if isinstance(outbox, SetsAside) else []
    _note("erase", n + visits, "what holds a person's hashes")
    if as_json:
        print_json({"erased": n, **({"visits": visits} if order else {}), "set_aside": aside})
    else:
        click.echo(f"{n} events erased" + (f", {visits} visits forgotten" if order else ""))
    if not n and any(number.lstrip(" (")[:1] != "+" for number in phone) and not (country or settings.default_country):
        click.echo(
            "the number is without its country's code, by which events hold it: write it with +49 or such", err=True
        )
    if aside:
        click.echo(f"not searched, and may hold this person: {', '.join(aside)}; delete these files", err=True)
    raise SystemExit(0 if n + visits and not aside else 1)


def _forget_visit(outbox: DeadLetters, key: str) -> bool:
    """Whether there was one. A refusal takes its place, so that what the provider tells later brings nothing back.
    Under which name the order was counted stays, or it would be counted twice."""
    now = time.time()
    known = outbox.visitor(key, now) if isinstance(outbox, Visits) else None
    if not isinstance(outbox, Visits) or known is None or known.order_key is not None or known.consent == "denied":
        return False
    counted = {name: getattr(known, name) for name in ("paid_at", "event_name", "event_id")}
    outbox.remember_visitor(key, Visit(consent="denied", for_long=True, **counted), now)
    return True


def _lines_of_standard_input(wanted: int) -> Iterator[str]:
    """So many, "" for one that is not there. UsageError where more came with them: of a list of people only the first
    would be forgotten. Who keeps the pipe open is not waited for."""
    stream, content = cast("io.BufferedReader", sys.stdin.buffer), b""
    while content.count(b"\n") < wanted and (chunk := stream.read1(_MOST_AT_ONCE)):
        content += chunk
    lines = [line.strip() for line in content.decode("utf-8-sig", "replace").splitlines()] if wanted else []
    if any(lines[wanted:]):
        raise click.UsageError("standard input holds more values than options with `-`; one call for each person")
    return iter([*lines[:wanted], *[""] * (wanted - len(lines))])


_MOST_AT_ONCE = 65_536


def _note(action: str, n: int, what: str = "") -> None:
    """Into the list of changes by hand, which the dashboard shows."""
    url = Settings.from_env(required=()).outbox
    Audit(url).note(Change(time.time(), "command line", action, n, what[:200]))


def _may_hold_any() -> bool:
    """Dead letters or held events. A look, since opening an outbox to write leaves files beside it. It hides a queue's
    dead letters from the next look, so a queue is not asked."""
    with _opened("read") as outbox:
        return not isinstance(outbox, Operator) or bool(outbox.dead(1) or outbox.held(1))


@contextlib.contextmanager
def _opened(access: Access, settings: Settings | None = None) -> Iterator[DeadLetters]:
    """The configured outbox for the time of one command."""
    settings = settings or Settings.from_env(required=())
    with contextlib.closing(open_outbox(settings.outbox, access, dataset=settings.only_dataset)) as outbox:
        if not isinstance(outbox, DeadLetters):
            raise unsupported(outbox, "dead")
        yield outbox
