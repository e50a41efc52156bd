"""`migrate`: from one machine's file to PostgreSQL, with everything that waits."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from conversion_relay.cli.printing import print_json
from conversion_relay.errors import SettingsError
from conversion_relay.outbox import file_of, open_outbox
from conversion_relay.settings import Settings


@click.command()
@click.argument("source", metavar="sqlite:///FILE")
@click.option("--json", "as_json", is_flag=True)
def migrate(source: str, as_json: bool) -> None:
    """Move an embedded outbox into the PostgreSQL of RELAY_OUTBOX.

    Start the service with the new RELAY_OUTBOX first: new events go there while the old ones are moved. Can be stopped,
    and goes on where it was. At the end the file is renamed to FILE.moved.
    """
    target = Settings.from_env(required=()).outbox
    path = file_of(source)
    if path is None or not target.startswith(("postgresql://", "postgres://")):
        raise SettingsError("migrate: from sqlite:///FILE to RELAY_OUTBOX=postgresql://...")
    _refuse_missing(path)
    open_outbox(target).close()  # makes the tables
    from conversion_relay.outbox.postgres.moving import Mover

    with _alone(path) as refuse_others:
        _hand_over(path, refuse_others)
        with contextlib.closing(Mover(path, target)) as mover:
            total = mover.total()
            with click.progressbar(length=total, label="events", hidden=as_json) as bar:
                while mover.step():
                    bar.update(mover.done.events + mover.done.known - bar.pos)
            mover.the_rest()
            refuse_others()  # a version that does not know the mark
            kept = _renamed(path)
    if as_json:
        print_json({"moved": mover.done.events, "known": mover.done.known, "visitors": mover.done.visitors})
    else:
        click.echo(f"{mover.done.events} events moved, {mover.done.known} were there already; see `status`")
        click.echo(f"{path.name} is now {kept.name}; delete it when all is well: it still holds bodies")


def _hand_over(path: Path, refuse_others: Callable[[], None]) -> None:
    """Nobody else opens it to write from now on. It is of this version's schema, what dead processes leased waits
    again, and the log is part of the file."""
    from conversion_relay.outbox.sqlite.handover import give_back, look
    from conversion_relay.outbox.sqlite.outbox import SqliteOutbox

    is_outbox, was_handed_over = look(path)
    if not is_outbox:
        raise SettingsError(f"migrate: {path.absolute()} is no outbox: it is empty, or a file of something else")
    with contextlib.closing(SqliteOutbox(str(path), hands_over=True)) as outbox:
        outbox.waiting(time.time())
        outbox.tidy(time.time())
    try:
        refuse_others()
    except SettingsError:
        if not was_handed_over:
            give_back(path)
        raise


def _refuse_missing(path: Path) -> None:
    if not path.is_file():
        raise SettingsError("migrate: there is no such file; was it moved already? Then it is called FILE.moved")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[Callable[[], None]]:
    """Refuses a file that is in use, also by another `migrate`; what is yielded looks again."""
    from conversion_relay.outbox.sqlite.owner import Owner

    owner = Owner(path)

    def refuse_others() -> None:
        if any(file.name != owner.name for file in path.with_name(f"{path.name}-owners").iterdir()):
            raise SettingsError(
                "migrate: a process still uses this file; start it with RELAY_OUTBOX=postgresql://... first, or stop"
                " it, and migrate again"
            )

    try:
        refuse_others()
        _refuse_missing(path)  # another `migrate` may just have ended
        yield refuse_others
    finally:
        owner.release()


def _renamed(path: Path) -> Path:
    """An earlier one of the same name stays: a service may have begun a second file at the old address."""
    kept, number = path.with_name(f"{path.name}.moved"), 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}.moved-{number}")
    path.rename(kept)
    path.with_name(f"{path.name}-ballast").unlink(missing_ok=True)
    return kept
