"""`send`: events from a file into the outbox, or straight to Meta."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from conversion_relay.cli.copied import Copied, lines
from conversion_relay.cli.printing import print_json
from conversion_relay.cli.table.lines import instead_of_events
from conversion_relay.event import Rejection, SealedEvent
from conversion_relay.intake.accept import Acceptance
from conversion_relay.intake.reading import read_event, read_lines
from conversion_relay.meta.graph import Outcome
from conversion_relay.relay import Relay, Sent
from conversion_relay.settings import Settings
from conversion_relay.telemetry import configure_logging


class Sealed(NamedTuple):
    """An event of the file: its place, what its own dataset took, and the copies that others took."""

    place: int
    own: Acceptance | None
    copies: list[SealedEvent]


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
        copied = Copied(relay)
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        sealed, refused = _seal_all(relay, copied, content)
        facts: dict[str, Any] = {"refused": refused}
        facts["dropped"] = [{"index": index, "dropped": one.dropped} for index, one, _ in sealed if one and one.dropped]
        if direct:
            events = _events(sealed)
            sent = relay.send(events, test_event_code=test_code) if events else []
            facts["sent"] = [_answer(batch) for batch in sent]
        else:
            facts["accepted"] = [
                row for at in range(0, len(sealed), 1_000) for row in _put(relay, copied, sealed[at : at + 1_000])
            ]
            facts |= copied.facts()
    print_json(facts) if as_json else _tell(facts)
    raise SystemExit(1 if refused or any(not batch["accepted"] for batch in facts.get("sent", ())) else 0)


def _seal_all(relay: Relay, copied: Copied, content: bytes) -> tuple[list[Sealed], list[dict[str, Any]]]:
    lines = read_lines(content)
    if isinstance(lines, Rejection):
        raise click.ClickException(instead_of_events(content) or f"{lines.field}: {lines.message}")
    sealed: list[Sealed] = []
    refused: list[dict[str, Any]] = []
    for index, (line, raw) in enumerate(lines):
        event = read_event(raw)
        verdict = event if isinstance(event, Rejection) else relay.accept(event)
        copies = copied.of(event, verdict)
        if isinstance(verdict, Rejection):
            refused.append({"index": index, "line": line, **msgspec.structs.asdict(verdict)})
        if copies or not isinstance(verdict, Rejection):
            sealed.append(Sealed(index, verdict if isinstance(verdict, Acceptance) else None, copies))
    return sealed, refused


def _events(sealed: Sequence[Sealed]) -> list[SealedEvent]:
    """All of them, then their copies."""
    return [one.own.event for one in sealed if one.own] + [copy for one in sealed for copy in one.copies]


def _put(relay: Relay, copied: Copied, sealed: Sequence[Sealed]) -> list[dict[str, Any]]:
    """In one commit; the rows of the answer."""
    receipts = iter(relay.put(_events(sealed)))
    rows = [
        {"index": one.place, "event_id": receipt.event_id, "duplicate": receipt.duplicate}
        for one, receipt in zip([one for one in sealed if one.own], receipts, strict=False)
    ]
    copied.count([copy for one in sealed for copy in one.copies], receipts)
    return rows


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
    for line in lines(facts.get("copies", {})):
        click.echo(line)
    for batch in facts.get("sent", ()):
        said = " ".join(f"{k}={v}" for k, v in batch.items() if k not in ("event_ids", "accepted", "outcome"))
        click.echo(f"{len(batch['event_ids'])} events: {batch['outcome']} {said}")
