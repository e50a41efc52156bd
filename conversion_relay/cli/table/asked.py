"""From a file's head and the operator's options: the plan by which its rows are read, or questions."""

from collections.abc import Mapping

import msgspec

from conversion_relay.cli.table import dialect
from conversion_relay.cli.table.columns import FIELDS, IGNORED, Columns, columns
from conversion_relay.cli.table.dialect import Question
from conversion_relay.cli.table.lines import Head, first_line, sample_rows
from conversion_relay.cli.table.rows import Plan, needs_timezone


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The options of one call."""

    encoding: str | None = None
    delimiter: str | None = None
    decimal: dialect.Decimal | None = None
    dates: dialect.DateOrder | None = None
    timezone: str | None = None
    event_name: str | None = None
    action_source: str | None = None
    currency: str | None = None
    crm: str | None = None
    columns: Mapping[str, str] = {}


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """How the file is read. `skipped`: lines before the headings."""

    encoding: str
    delimiter: str
    plan: Plan
    skipped: int = 0


def ask(head: Head, said: Said) -> Read | list[Question]:
    """Everything that has to be asked, at once where that is possible."""
    encoding = said.encoding or dialect.charset(head.content, is_whole=head.is_whole)
    if isinstance(encoding, Question):
        return [encoding]
    line = first_line(head, encoding)
    sign = said.delimiter or dialect.delimiter(line)
    if isinstance(sign, Question):
        return [sign]
    rows = sample_rows(head, encoding, sign)
    skipped = 1 if line.lower().startswith("sep=") else 0
    rows = rows[skipped:]
    if not rows or not any(cell.strip() for cell in rows[0]):
        return [Question("the file has no headings in its first line", ("add a line with the names of the columns",))]
    meaning = columns(rows[0], said.columns)
    if isinstance(meaning, Question):
        return [meaning]
    plan = _plan(meaning, rows[1:], said)
    return plan if isinstance(plan, list) else Read(encoding=encoding, delimiter=sign, plan=plan, skipped=skipped)


def _plan(meaning: Columns, rows: list[list[str]], said: Said) -> Plan | list[Question]:
    def column(field: str) -> list[str]:
        at = meaning.of(field)
        return [row[at].strip() for row in rows if at is not None and at < len(row) and row[at].strip()]

    times, questions = column("event_time"), list[Question]()
    sign = said.decimal or dialect.decimal(column("value"))
    order = said.dates or dialect.date_order(times)
    questions += [found for found in (sign, order) if isinstance(found, Question)]
    if needs_timezone(times) and not said.timezone:
        questions.append(
            Question("times are written without their zone", ("--timezone Europe/Berlin", "--timezone UTC"))
        )
    if meaning.of("event_name") is None and not said.event_name:
        questions.append(
            Question("no column holds the event's name", ("--event-name Purchase", "--map 'COLUMN=event_name'"))
        )
    if meaning.of("action_source") is None and not said.action_source and not said.crm:
        options = ("--action-source physical_store", "--action-source website", "--crm NAME")
        questions.append(Question("no column says where the events happened", options))
    if said.crm and meaning.of("lead_id") is None:
        questions.append(Question("stages of leads need the lead's id of Meta", ("--map 'COLUMN=lead_id'",)))
    if meaning.of("value") is not None and meaning.of("currency") is None and not said.currency:
        questions.append(Question("amounts have no currency", ("--currency EUR", "--map 'COLUMN=currency'")))
    if meaning.of("value") is None and "Purchase" in (said.event_name, *column("event_name")):
        questions.append(Question("a Purchase needs its value, and no column holds one", ("--map 'COLUMN=value'",)))
    unknown = [field for field in said.columns.values() if field != IGNORED and field not in FIELDS]
    if unknown:
        questions.append(Question(f"--map names fields that do not exist: {', '.join(unknown)}", FIELDS))
    if questions:
        return questions
    return Plan(
        columns=meaning,
        decimal=sign if sign in (".", ",") else ".",
        dates=None if isinstance(order, Question) else order,
        timezone=said.timezone,
        event_name=said.event_name,
        action_source=said.action_source or ("system_generated" if said.crm else None),
        currency=said.currency,
        crm=said.crm,
    )
