"""`validate`: all findings of all events, before anything is sent."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from conversion_relay.cli.printing import print_json
from conversion_relay.cli.table.lines import instead_of_events
from conversion_relay.event import Rejection
from conversion_relay.intake.accept import Policy
from conversion_relay.intake.examine import examine_bytes
from conversion_relay.intake.reading import Line, read_lines
from conversion_relay.meta.finding import Finding
from conversion_relay.settings import Settings


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--json", "as_json", is_flag=True)
def validate(file: str, as_json: bool) -> None:
    """Tell all that is wrong with the events of FILE (`-`: standard input), and how to mend it.

    Judges the events as they stand; nothing is sent or stored. Exit 1 when there is an error.
    """
    settings = Settings.from_env(required=())
    policy = settings.policy(settings.datasets[0])
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    documents = read_lines(content)
    if isinstance(documents, Rejection):
        raise click.ClickException(instead_of_events(content) or f"{documents.field}: {documents.message}")
    facts: list[dict[str, Any]] = []
    for index, line in enumerate(documents):
        facts.append({"index": index, "line": line.number, "findings": _examined(line, policy)})
        if not as_json:
            _tell(facts[-1])
    found = [finding for fact in facts for finding in fact["findings"]]
    totals = {f"{kind}s": sum(f.severity == kind for f in found) for kind in ("error", "warning", "hint")}
    if as_json:
        print_json({"events": facts, **totals})
    else:
        sums = {"events": len(facts)} | totals
        events, *counts = (f"{n} {kinds if n != 1 else kinds[:-1]}" for kinds, n in sums.items())
        click.echo(f"{events}: {', '.join(counts)}")
    raise SystemExit(1 if totals["errors"] else 0)


def _examined(line: Line, policy: Policy) -> list[Finding]:
    return examine_bytes(bytes(line.event), policy, time.time())


def _tell(fact: dict[str, Any]) -> None:
    for found in fact["findings"]:
        subcode = f" (Meta: 100/{found.subcode})" if found.subcode else ""
        what = f"{found.severity}: {found.path}: {found.message}{subcode}; {found.fix}"
        click.echo(f"event {fact['index']}: {what} [line {fact['line']}]")
