"""`backup` and `restore`: a verified copy of the outbox while it is in use, and back."""

import sys
import time
from pathlib import Path

import click

from conversion_relay.cli.printing import print_json
from conversion_relay.errors import SettingsError
from conversion_relay.outbox import file_of, misaddressed
from conversion_relay.outbox.audit import Audit, Change
from conversion_relay.settings import Settings


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True)
def backup(file: Path, as_json: bool) -> None:
    """Copy the outbox to FILE while it is in use, and check the copy whole. It names browsers: keep it as safe."""
    from conversion_relay.outbox.sqlite.backup import backup as copy

    source = _outbox()
    if not source.is_file():
        raise SettingsError(f"RELAY_OUTBOX: no outbox at {source.absolute()}")
    n = copy(source, file, _tell if sys.stderr.isatty() else lambda _done, _all: None)
    print_json({"events": n, "file": str(file)}) if as_json else click.echo(f"{n} events in {file}, checked")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--erased-in",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="the outbox that was moved away: who was erased, withdrew or declined there is forgotten here, too",
)
@click.option("--json", "as_json", is_flag=True)
def restore(file: Path, erased_in: Path | None, as_json: bool) -> None:
    """Put the copy FILE where RELAY_OUTBOX says; there must be none yet.

    What waited in the copy may have been sent since: it is sent again within the 48 hours in which Meta drops copies,
    and what is older and names a sale is held for you. What was accepted later is not in it. People who were erased or
    took their consent back later are in it again: name the outbox that was there with --erased-in, or erase them again
    before you start the service.
    """
    from conversion_relay.outbox.sqlite.backup import restore as put_back

    target = _outbox()
    done = put_back(file, target, erased_in)
    if done.erased:
        change = Change(time.time(), "command line", "erase", done.erased, "as in the outbox that was there before")
        Audit(f"sqlite:///{target}").note(change)
    told = {"erased": done.erased} if erased_in else {}
    if as_json:
        print_json({"events": done.events, "outbox": str(target), "waiting": done.waiting, **told})
        return
    click.echo(f"{done.events} events in {target}, of which {done.waiting} wait and may be sent again")
    if erased_in:
        click.echo(f"{done.erased} of them erased, as in {erased_in.name}; delete that file when all is well")
    else:
        click.echo(_IN_IT_AGAIN, err=True)


_IN_IT_AGAIN = (
    "who was erased or took consent back after the copy was made is in it again: `erase` them again before you start"
    " the service, or restore with --erased-in and the outbox that was moved away"
)


def _outbox() -> Path:
    url = Settings.from_env(required=()).outbox
    file = file_of(url)
    if file is None:
        raise SettingsError(misaddressed(url) or _ELSEWHERE)
    return file


_ELSEWHERE = "RELAY_OUTBOX: backup and restore are for sqlite:///; back up other stores with their own tools"


def _tell(done: int, of_all: int) -> None:
    click.echo(f"\r{done * 100 // max(1, of_all)} %", nl=done == of_all, err=True)
