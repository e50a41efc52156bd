"""`doctor`: is everything as it should be, and what to do where it is not."""

import contextlib
from collections.abc import Iterator

import click

from conversion_relay.cli.checks import Check, checks
from conversion_relay.cli.printing import print_json, printable
from conversion_relay.settings import Settings

_MARK = {"ok": "ok     ", "warning": "warning", "error": "ERROR  ", "skipped": "-      "}


@click.command()
@click.option("--page", metavar="URL", help="look at this page in a headless browser: script, pixel, ids, cookies")
@click.option("--json", "as_json", is_flag=True)
def doctor(page: str | None, as_json: bool) -> None:
    """Check token, dataset, version, clock, disk, outbox, delivery, origins; each with one line of remedy.

    Sends no event: the token is tried with an empty request. Exit 1 when something is wrong; warnings alone exit 0.
    """
    from conversion_relay.delivery.transport import GraphTransport

    settings = Settings.from_env(required=())
    done: list[Check] = []
    with contextlib.closing(GraphTransport()) as transport:
        for check in _all(settings, transport, page):
            done.append(check)
            if not as_json:
                _tell(check)
    if as_json:
        print_json({"ok": not any(check.state == "error" for check in done), "checks": done})
    raise SystemExit(1 if any(check.state == "error" for check in done) else 0)


def _all(settings: Settings, transport: object, page: str | None) -> Iterator[Check]:
    yield from checks(settings, transport)  # type: ignore[arg-type]
    if page:
        from conversion_relay.cli.page_check import page_checks

        yield from page_checks(page, settings)


def _tell(check: Check) -> None:
    click.echo(printable(f"{_MARK[check.state]}  {check.name}: {check.what}"))
    if check.fix:
        click.echo(printable(f"           -> {check.fix}"))
