"""`dead` and `erase`: the operator's hand on what is kept."""

import contextlib
import datetime
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

import click

from conversion_relay.cli.printing import ago, print_json, print_table
from conversion_relay.outbox import Access, DeadLetters, Operator, open_outbox, unsupported
from conversion_relay.outbox.protocol import SetsAside
from conversion_relay.settings import Settings


@click.group()
def dead() -> None:
    """Dead letters: what Meta refused for good. And held events: what it may have already, for over two days."""


@dead.command("list")
@click.option("--json", "as_json", is_flag=True)
def list_(as_json: bool) -> None:
    """What waits for a person's hand, with Meta's reason; held events first. Exit 1 when there are any."""
    with _opened("read") as outbox:
        held = outbox.held(1_000) if isinstance(outbox, Operator) else []
        stories = held + outbox.dead(1_000)
    now = time.time()
    if as_json:
        print_json(stories)
    elif not stories:
        click.echo("no dead letters")
    else:
        rows = []
        for story in stories:
            last = story.history[-1] if story.history else None
            left = ago(story.expires_at - now) if story.expires_at > now else "too old"
            rows.append(
                [
                    story.event_name,
                    story.event_id,
                    story.reason,
                    last and last.title,
                    last and last.fbtrace_id,
                    left,
                ]
            )
        print_table(["event", "id", "why", "Meta said", "trace", "can be sent for"], rows)
    raise SystemExit(1 if stories else 0)


@dead.command()
@click.argument("event_ids", nargs=-1)
def replay(event_ids: tuple[str, ...]) -> None:
    """Send dead and held events again, these or all; only those that Meta still takes. Exit 1 when there was none."""
    n = 0
    if _may_hold_any():
        with _opened("existing") as outbox:
            n = outbox.replay(time.time(), event_ids or None)
    click.echo(f"{n} pending again")
    raise SystemExit(0 if n else 1)


@dead.command()
@click.argument("file", type=click.File("wb", lazy=True), default="-")
def export(file: BinaryIO) -> None:
    """Write the dead letters' stories to FILE (`-`: standard output), JSON lines; nothing in them names a person."""
    import msgspec

    with _opened("read") as outbox:
        for story in outbox.dead(1_000_000):
            file.write(msgspec.json.encode(story) + b"\n")


@click.command()
@click.option("--email", multiple=True)
@click.option("--phone", multiple=True)
@click.option("--external-id", multiple=True)
@click.option("--country", help="of the phone number, where it has no calling code")
@click.option("--json", "as_json", is_flag=True)
def erase(
    email: tuple[str, ...], phone: tuple[str, ...], external_id: tuple[str, ...], country: str | None, as_json: bool
) -> None:
    """Forget a person: every event that holds their hash loses it. A bare `-` reads the value from standard input.
    Exit 1 when there was none, and when files that were set aside may hold the person too: delete these."""
    from conversion_relay.meta.customer_information import normalize

    settings = Settings.from_env(required=())
    today = datetime.datetime.now(datetime.UTC).date()
    digests = []
    for field, values in (("email", email), ("phone", phone), ("external_id", external_id)):
        for given in values:
            value = sys.stdin.readline().strip() if given == "-" else given
            result = normalize(field, value, country=country, default_country=settings.default_country, today=today)
            if result.sha256 is None:
                raise click.UsageError(f"--{field.replace('_', '-')}: {result.dropped}")
            digests.append(result.sha256)
    if not digests:
        raise click.UsageError("name at least one of --email, --phone, --external-id")
    with _opened("existing", settings) as outbox:
        if not isinstance(outbox, Operator):
            raise unsupported(outbox, "erase")
        n = outbox.erase(digests, time.time())
        aside = outbox.set_aside() if isinstance(outbox, SetsAside) else []
    if as_json:
        print_json({"erased": n, "set_aside": aside})
    else:
        click.echo(f"{n} events erased")
    if aside:
        click.echo(f"not searched, and may hold this person: {', '.join(aside)}; delete these files", err=True)
    raise SystemExit(0 if n and not aside else 1)


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
