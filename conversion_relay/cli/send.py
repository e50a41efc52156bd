"""`send`: events from a file into the outbox, or straight to Meta."""

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from conversion_relay.cli.printing import print_json
from conversion_relay.event import Rejection
from conversion_relay.intake.accept import Acceptance
from conversion_relay.intake.reading import read_event, read_lines
from conversion_relay.meta.graph import Outcome
from conversion_relay.relay import Relay, Sent
from conversion_relay.settings import Settings
from conversion_relay.telemetry import configure_logging


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--direct", is_flag=True, help="post now and print Meta's answer; nothing is stored")
@click.option("--test-code", help="Meta's test event code (with --direct); such events count as real ones")
@click.option("--json", "as_json", is_flag=True)
def send(file: str, direct: bool, test_code: str | None, as_json: bool) -> None:
    """Accept the events of FILE (`-`: standard input): an object, an array, or JSON lines.

    Exit 1 when an event was refused, or with --direct when Meta did not accept.
    """
    if test_code and not direct:
        raise click.UsageError("--test-code goes with --direct; for everything that is sent, set META_TEST_EVENT_CODE")
    settings = Settings.from_env(required=("META_PIXEL_ID", "META_ACCESS_TOKEN") if direct else ("META_PIXEL_ID",))
    configure_logging(settings.log_format, settings.secrets())
    with Relay(settings) as relay:
        sealed, refused = _seal_all(relay, sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes())
        facts: dict[str, Any] = {"refused": refused}
        facts["dropped"] = [{"index": index, "dropped": one.dropped} for index, one in sealed if one.dropped]
        events = [one.event for _, one in sealed]
        if direct:
            sent = relay.send(events, test_event_code=test_code) if events else []
            facts["sent"] = [_answer(batch) for batch in sent]
        else:
            receipts = [r for at in range(0, len(events), 1_000) for r in relay.put(events[at : at + 1_000])]
            facts["accepted"] = [
                {"index": index, "event_id": receipt.event_id, "duplicate": receipt.duplicate}
                for (index, _), receipt in zip(sealed, receipts, strict=True)
            ]
    print_json(facts) if as_json else _tell(facts)
    raise SystemExit(1 if refused or any(not batch["accepted"] for batch in facts.get("sent", ())) else 0)


def _seal_all(relay: Relay, content: bytes) -> tuple[list[tuple[int, Acceptance]], list[dict[str, Any]]]:
    lines = read_lines(content)
    if isinstance(lines, Rejection):
        raise click.ClickException(f"{lines.field}: {lines.message}")
    sealed: list[tuple[int, Acceptance]] = []
    refused: list[dict[str, Any]] = []
    for index, (line, raw) in enumerate(lines):
        event = read_event(raw)
        verdict = event if isinstance(event, Rejection) else relay.accept(event)
        if isinstance(verdict, Rejection):
            refused.append({"index": index, "line": line, **msgspec.structs.asdict(verdict)})
        else:
            sealed.append((index, verdict))
    return sealed, refused


def _answer(batch: Sent) -> dict[str, Any]:
    outcome: Outcome = batch.outcome
    answer: dict[str, Any] = {
        "accepted": batch.accepted,
        "outcome": type(outcome).__name__.lower(),
        "event_ids": list(batch.event_ids),
        **msgspec.to_builtins(outcome.said),
    }
    return answer | ({"why": outcome.why} if hasattr(outcome, "why") else {})


def _tell(facts: dict[str, Any]) -> None:
    for refused in facts["refused"]:
        why = f"{refused['reason']}: {refused['field']}: {refused['message']}"
        click.echo(f"event {refused['index']}: refused, {why} [line {refused['line']}]")
    for left in facts["dropped"]:
        for what in left["dropped"]:
            click.echo(f"event {left['index']}: left out, {what}")
    for receipt in facts.get("accepted", ()):
        what = "known already" if receipt["duplicate"] else "accepted"
        click.echo(f"event {receipt['index']}: {what}, {receipt['event_id']}")
    for batch in facts.get("sent", ()):
        said = " ".join(f"{k}={v}" for k, v in batch.items() if k not in ("event_ids", "accepted", "outcome"))
        click.echo(f"{len(batch['event_ids'])} events: {batch['outcome']} {said}")
