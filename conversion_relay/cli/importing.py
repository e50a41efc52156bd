"""`import`: the events of a CSV or JSON lines file, however long, with a verdict for each row."""

import contextlib
import hashlib
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import click

from conversion_relay.cli.copied import Copied, lines
from conversion_relay.cli.printing import print_json, printable
from conversion_relay.cli.table.asked import Read, Said, ask
from conversion_relay.cli.table.chosen import NOT_CHOSEN
from conversion_relay.cli.table.events import events
from conversion_relay.cli.table.lines import Head, head_of
from conversion_relay.cli.table.options import charset, no_pipe, one_character, only, pairs, zone
from conversion_relay.cli.table.telling import questions, show
from conversion_relay.cli.table.verdicts import Verdict, Verdicts
from conversion_relay.event import Event, Receipt, Rejection, SealedEvent
from conversion_relay.intake.printable import printable_name
from conversion_relay.outbox.export import safe_cell
from conversion_relay.relay import Relay
from conversion_relay.settings import Settings
from conversion_relay.telemetry import configure_logging

BATCH = 1_000
IN_FLIGHT = 2
"""Batches that are committed while the next one is read."""
_SOURCES = click.Choice(
    ["website", "physical_store", "system_generated", "phone_call", "email", "chat", "app", "other"]
)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path), callback=no_pipe)
@click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="COLUMN=FIELD",
    callback=pairs,
    help="what a column means; FIELD - leaves it out",
)
@click.option(
    "--only",
    multiple=True,
    metavar="COLUMN=VALUE",
    callback=only,
    help="rows that count, such as 'Status=paid'; once for each value",
)
@click.option("--event-name", help="of all rows, such as Purchase")
@click.option("--action-source", type=_SOURCES, help="of all rows; physical_store may be 62 days old, others 7")
@click.option("--crm", metavar="NAME", help="stages of leads from this CRM; needs a column lead_id")
@click.option("--currency", help="of all amounts, such as EUR")
@click.option("--encoding", callback=charset, help="such as cp1252")
@click.option("--delimiter", callback=one_character, help="between columns, such as ; or tab")
@click.option(
    "--headings",
    type=click.IntRange(1, 1_000),
    metavar="LINE",
    help="the line with the headings",
)
@click.option("--decimal", type=click.Choice([".", ","]), help="the decimal sign of amounts")
@click.option("--dates", type=click.Choice(["dmy", "mdy"]), help="the order in 03/04/2026")
@click.option("--timezone", callback=zone, help="of times that name none, such as Europe/Berlin")
@click.option("--dry-run", is_flag=True, help="judge every row, keep nothing; a verdict for each with --verdicts")
@click.option("--verdicts", type=click.Path(dir_okay=False, path_type=Path), help="[default: FILE.verdicts.csv]")
@click.option("--anew", is_flag=True, help="forget where an earlier call stopped; known ids stay known")
@click.option("--json", "as_json", is_flag=True)
def import_(
    file: Path,
    dry_run: bool,
    verdicts: Path | None,
    anew: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Accept the events of FILE: CSV (Excel's too) or JSON lines, one event a row.

    What the columns mean is guessed by their headings and shown; what the file does not tell is asked, with the option
    that answers it (exit 2). Each row gets a verdict in FILE.verdicts.csv. Ctrl-C stops after the rows in hand; the
    same command goes on from there. A second run finds the same ids and adds nothing. Exit 1 when a row was refused.
    """
    said = Said(**options)
    head = head_of(file)
    if head.no_table:
        raise click.UsageError(head.no_table)
    if head.is_json and said != Said():
        raise click.UsageError("the file is JSON: each event tells what it is, and the options for columns say nothing")
    read = None if head.is_json else ask(head, said)
    if isinstance(read, list):
        raise SystemExit(questions(read, as_json))
    settings = Settings.from_env(required=("META_PIXEL_ID",))
    configure_logging(settings.log_format, settings.secrets())
    if read and not as_json:
        show(read)
    job = Job(file, head, read, dry_run=dry_run, quiet=as_json)
    path = verdicts or file.with_name(f"{file.name}.verdicts.csv")
    if path.exists() and path.samefile(file):
        raise click.UsageError(f"{path} is the imported file itself; --verdicts names another")
    with Relay(settings) as relay:
        facts = job.judge(relay, verdicts) if dry_run else job.run(relay, path, anew=anew, mark=_mark(head, said))
    print_json(facts) if as_json else _tell(facts)
    raise SystemExit(130 if facts["stopped"] else 1 if facts["refused"] else 0)


# `import` is a word of Python's; the command line finds the verb by its own name.
vars()["import"] = import_


class Job:
    """One call of `import`. Over 150 lines: reading, sealing, committing and telling share where it stands."""

    def __init__(self, file: Path, head: Head, read: Read | None, *, dry_run: bool, quiet: bool) -> None:
        self._file, self._head, self._read = file, head, read
        self._dry_run, self._quiet = dry_run, quiet
        self._stopped = False
        self._sum: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._copied: Copied

    def run(self, relay: Relay, path: Path, *, anew: bool, mark: str) -> dict[str, Any]:
        try:
            verdicts = Verdicts(path, mark, anew=anew)
        except PermissionError:
            raise click.UsageError(f"{path} may not be written by this user; --verdicts names another place") from None
        except BlockingIOError:
            raise click.UsageError(
                f"{path} is being written by another import of this file; wait for its end"
            ) from None
        except ValueError:
            raise click.UsageError(f"{path} holds verdicts of another file or options; --anew replaces it") from None
        outbox, self._copied = relay.outbox, Copied(relay)
        with verdicts, self._stoppable():
            begun = verdicts.done_rows
            if begun and not self._quiet:
                click.echo(f"going on after row {begun}", err=True)
            waiting: deque[tuple[list[Verdict], list[int], list[SealedEvent], Future[list[Receipt]] | None]] = deque()
            for first, events in self._batches(begun):
                told, places, sealed = self._sealed(relay, first, events)
                put = outbox.put_soon(sealed, time.time()) if sealed else None
                waiting.append((told, places, sealed[len(places) :], put))
                while len(waiting) > IN_FLIGHT:
                    self._write(verdicts, *waiting.popleft())
            while waiting:
                self._write(verdicts, *waiting.popleft())
            if not self._stopped:
                verdicts.finish()
        return self._facts(verdicts=str(path), resumed_after=begun)

    def judge(self, relay: Relay, path: Path | None) -> dict[str, Any]:
        """A dry run. `path`: where its verdicts go; those of an import are not written over, since it goes on from
        them."""
        if path is not None and path.exists():
            raise click.UsageError(f"{path} exists; name another file for the verdicts of a dry run")
        self._copied = Copied(relay)
        with Verdicts(path, "dry run") if path else contextlib.nullcontext() as verdicts, self._stoppable():
            for first, events in self._batches(0):
                told, places, sealed = self._sealed(relay, first, events)
                self._copied.would_be(sealed[len(places) :])
                known = set(places)
                told = [(row[0], "accepted" if n in known else row[1], *row[2:]) for n, row in enumerate(told)]
                self._count(told)
                if verdicts is not None:
                    verdicts.write(told)
        return self._facts(verdicts=str(path) if path else None, resumed_after=0)

    def _sealed(
        self, relay: Relay, first: int, events: list[Event | Rejection]
    ) -> tuple[list[Verdict], list[int], list[SealedEvent]]:
        """Verdicts, the places of those that are not known yet, and their events; behind these, all copies."""
        told: list[Verdict] = []
        places: list[int] = []
        sealed: list[SealedEvent] = []
        copies: list[SealedEvent] = []
        for number, event in enumerate(events, first):
            accepted = event if isinstance(event, Rejection) else relay.accept(event)
            copies += self._copied.of(event, accepted)
            if isinstance(accepted, Rejection):
                if accepted.reason == NOT_CHOSEN:
                    told.append((number, "left_out", "", "", "", accepted.message))
                    continue
                known = "" if isinstance(event, Rejection) or not event.event_id else printable_name(event.event_id)
                told.append((number, "refused", safe_cell(known), accepted.reason, accepted.field, accepted.message))
                continue
            places.append(len(told))
            sealed.append(accepted.event)
            left_out = safe_cell("; ".join(accepted.dropped)) if accepted.dropped else ""
            told.append((number, "", safe_cell(accepted.event.event_id), "", "", left_out))
        return told, places, sealed + copies

    def _write(
        self,
        verdicts: Verdicts,
        told: list[Verdict],
        places: list[int],
        copies: list[SealedEvent],
        put: "Future[list[Receipt]] | None",
    ) -> None:
        receipts = put.result() if put is not None else []
        self._copied.count(copies, iter(receipts[len(places) :]))
        for place, receipt in zip(places, receipts[: len(places)], strict=True):
            row = told[place]
            told[place] = (row[0], "duplicate" if receipt.duplicate else "accepted", *row[2:])
        verdicts.write(told)
        self._count(told)

    def _count(self, told: list[Verdict]) -> None:
        for _, verdict, _, reason, field, _ in told:
            self._sum[verdict] += 1
            if verdict == "refused":
                self._reasons[f"{field}: {reason}"] += 1

    def _batches(self, skip: int) -> Iterator[tuple[int, list[Event | Rejection]]]:
        """(number of the first row, its events); rows are counted from 1, the headings not among them."""
        batch: list[Event | Rejection] = []
        first = skip + 1
        with self._file.open("rb") as file, self._progress(file) as tick:
            for number, event in enumerate(events(file, self._head, self._read, skip), first):
                batch.append(event)
                if len(batch) == BATCH:
                    yield first, batch
                    batch, first = [], number + 1
                    tick()
                    if self._stopped:
                        return
            if batch:
                yield first, batch

    @contextlib.contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Ctrl-C ends the import after the rows in hand."""

        def stop(*_: object) -> None:
            self._stopped = True

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    @contextlib.contextmanager
    def _progress(self, file: Any) -> Iterator[Any]:
        if self._quiet or not sys.stderr.isatty():
            yield lambda: None
            return
        with click.progressbar(length=self._head.size, label="rows", file=sys.stderr, show_pos=False) as bar:
            seen = 0

            def tick() -> None:
                nonlocal seen
                at = file.tell() if not file.closed else seen
                bar.update(at - seen)
                seen = at

            yield tick

    def _facts(self, *, verdicts: str | None, resumed_after: int) -> dict[str, Any]:
        names = ("accepted", "duplicate", "refused")
        left_out = {"left_out": self._sum["left_out"]} if self._read and self._read.plan.only else {}
        return {
            **{name: self._sum[name] for name in names},
            **left_out,
            "reasons": dict(self._reasons.most_common(20)),
            "resumed_after": resumed_after,
            "stopped": self._stopped,
            "dry_run": self._dry_run,
            "verdicts": verdicts,
            **self._copied.facts(),
        }


def _mark(head: Head, said: Said) -> str:
    """Which file, and how it is read."""
    digest = hashlib.sha256(head.content + repr(said).encode()).hexdigest()[:16]
    return f"{head.size} bytes, {digest}"


def _tell(facts: dict[str, Any]) -> None:
    would = "would be " if facts["dry_run"] else ""
    left_out = f", {facts['left_out']} left out by --only" if "left_out" in facts else ""
    click.echo(
        f"{facts['accepted']} {would}accepted, {facts['duplicate']} known already, {facts['refused']} refused{left_out}"
    )
    for reason, n in facts["reasons"].items():
        click.echo(printable(f"  {n} refused: {reason}"))
    for line in lines(facts.get("copies", {})):
        click.echo(line)
    if facts["verdicts"]:
        click.echo(f"verdicts: {facts['verdicts']}")
    if facts["stopped"]:
        click.echo("stopped; the same command goes on from here", err=True)
