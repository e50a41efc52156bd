"""What `deliver --once` came to: the sum, and why something is left. The log has the sentences about single events."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from conversion_relay.cli.look import stranded
from conversion_relay.delivery.report import Report
from conversion_relay.outbox import DeadLetters, Operator, Queue
from conversion_relay.settings import Settings

MOST_LETTERS = 1_000
"""How many dead letters are looked at for their reasons, and how many held events are told from what waits."""


def drained(reports: Sequence[Report], outbox: Queue, settings: Settings, started_at: float) -> dict[str, Any]:
    """The facts of one run that began at `started_at` (Unix seconds): counts, and for what is left the reasons with
    their numbers. `waiting` is what the outbox still has to send, not how often it was tried."""
    names = ("delivered", "dead", "expired", "held", "withheld")
    facts: dict[str, Any] = {name: sum(getattr(report, name) for report in reports) for name in names}
    books = outbox.counts() if isinstance(outbox, DeadLetters) else {}
    held = Counter(story.dataset for story in (outbox.held(MOST_LETTERS) if isinstance(outbox, Operator) else ()))
    said = {report.dataset: report.why for report in reports if report.why}
    unknown = stranded(books, settings)
    why_waiting: Counter[str] = Counter()
    for dataset, book in books.items():
        why = "dataset_not_configured" if dataset in unknown else said.get(dataset, "due_later")
        why_waiting[why] += max(0, book.pending + book.leased - held[dataset])
    facts["waiting"] = why_waiting.total()
    facts["why_waiting"] = {why: n for why, n in why_waiting.most_common() if n}
    facts["why_dead"] = _reasons(outbox, started_at) if facts["dead"] else {}
    return facts


def _reasons(outbox: Queue, since: float) -> dict[str, int]:
    letters = outbox.dead(MOST_LETTERS) if isinstance(outbox, DeadLetters) else []
    return dict(Counter(s.reason or "" for s in letters if (s.settled_at or 0) >= since).most_common())


def tell(facts: dict[str, Any]) -> None:
    """One line, and a line for each reason why something was not delivered."""
    names = ["delivered", "dead", "expired", "waiting", *(n for n in ("held", "withheld") if facts[n])]
    click.echo(", ".join(f"{facts[name]} {name}" for name in names))
    for kind in ("dead", "waiting"):
        for why, n in facts[f"why_{kind}"].items():
            click.echo(f"  {n} {kind}: {why}")


def left_something(facts: dict[str, Any]) -> bool:
    """Whether somebody should look: exit code 1."""
    return any(facts[name] for name in ("dead", "expired", "waiting", "held"))
