"""`expect`: a site's own CI opens its pages and fails unless exactly the expected events came out.

`plan.py` reads the file, `drive.py` opens the pages in a browser before a collector and Meta's stand-in of this
process, `judge.py` compares, `junit.py` writes the report.
"""

from pathlib import Path

import click

from conversion_relay.cli.expect.plan import Plan, UnreadablePlan, read_plan
from conversion_relay.cli.printing import print_json, printable
from conversion_relay.cli.told_to_stop import end_like_an_interrupt
from conversion_relay.errors import SettingsError


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), help="write a report that CI servers show, as XML"
)
@click.option("--json", "as_json", is_flag=True)
def expect(file: Path, junit: Path | None, as_json: bool) -> None:
    """Open pages in headless Chromium; fail unless exactly the events of FILE (YAML) came out of them.

    Nothing reaches Meta or your own collector: both are played on this machine. Exit 1 when something differs.
    """
    plan = _plan(file)
    try:
        from conversion_relay.cli.expect.drive import all_ok, run
        from conversion_relay.cli.expect.junit import report
    except ModuleNotFoundError as error:
        raise SettingsError(f"{error.name} is missing: pip install 'conversion-relay[server,expect]'") from None

    end_like_an_interrupt()
    outcomes = []
    for outcome in run(plan):
        outcomes.append(outcome)
        if not as_json:
            _tell(outcome)
    if junit:
        junit.write_bytes(report(file.name, outcomes))
    if as_json:
        pages = [
            {
                "page": one.page.title,
                "ok": one.is_ok,
                "findings": one.findings,
                "notes": one.notes,
                "trouble": one.trouble,
            }
            for one in outcomes
        ]
        print_json({"ok": all_ok(outcomes), "pages": pages})
    raise SystemExit(0 if all_ok(outcomes) else 1)


def _plan(file: Path) -> Plan:
    try:
        import yaml
    except ImportError:
        raise SettingsError("PyYAML is missing: pip install 'conversion-relay[expect]'") from None
    try:
        return read_plan(yaml.safe_load(file.read_text("utf-8")))
    except yaml.MarkedYAMLError as error:
        why, mark = error.problem or error.context or "no YAML", error.problem_mark or error.context_mark
        why = f"not valid YAML: {why}" + (f" (at line {mark.line + 1}, column {mark.column + 1})" if mark else "")
    except UnicodeDecodeError:
        why = "the file is not UTF-8; save it as UTF-8"
    except RecursionError:
        why = "a part of it stands in itself, or is nested too deeply; write it out"
    except (yaml.YAMLError, UnreadablePlan) as error:
        why = str(error).partition("\n")[0]
    raise click.UsageError(printable(f"{file.name}: {why}"))


def _tell(outcome: object) -> None:
    from conversion_relay.cli.expect.junit import Outcome

    assert isinstance(outcome, Outcome)
    click.echo(printable(f"{'ok  ' if outcome.is_ok else 'FAIL'}  {outcome.page.title}"))
    if outcome.trouble is not None:
        click.echo(printable(f"      the page could not be tried: {outcome.trouble}"))
    for finding in outcome.findings:
        click.echo(printable(f"      {finding.event}: {finding.what}"))
    for note in outcome.notes if not outcome.is_ok else ():
        click.echo(printable(f"      {note}"))
