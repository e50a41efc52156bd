"""From a file's head and the operator's options: the plan by which its rows are read, or questions."""

from collections.abc import Mapping

import msgspec

from conversion_relay.cli.table import dialect
from conversion_relay.cli.table.chosen import choices, unanswered
from conversion_relay.cli.table.columns import FIELDS, IGNORED, OF_ALL, Columns, columns, known
from conversion_relay.cli.table.dialect import Question
from conversion_relay.cli.table.lines import Head, first_lines, sample_rows
from conversion_relay.cli.table.rows import Plan
from conversion_relay.cli.table.times import needs_timezone
from conversion_relay.cli.table.wishes import unanswered as unanswered_wishes
from conversion_relay.event_id import holds_person

_TITLES = 20
"""Lines among which headings are looked for."""


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
    headings: int | None = None
    """The line with the headings, counted from 1."""
    columns: Mapping[str, str] = {}
    only: Mapping[str, tuple[str, ...]] = {}
    """By column, the values of the rows that count."""


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
    lines = first_lines(head, encoding)
    tells_sign = lines[0].lower().startswith("sep=")
    at = said.headings - 1 if said.headings else int(tells_sign)
    sign = said.delimiter or dialect.delimiter(lines[0 if tells_sign else min(at, len(lines) - 1)])
    if isinstance(sign, Question):
        return [sign]
    rows = sample_rows(head, encoding, sign)[at:]
    if not rows or not any(cell.strip() for cell in rows[0]):
        return [Question("the file has no headings in its first line", ("add a line with the names of the columns",))]
    headings = [cell.strip() for cell in rows[0]]
    if any("@" in heading or holds_person(heading) for heading in headings):
        what = f"line {at + 1} holds a person's address or number, so it is a row and not the headings"
        return [Question(what, ("add a line with the names of the columns", "--headings LINE"))]
    if not said.headings and not said.columns and (elsewhere := _headings_elsewhere(lines, known(headings))):
        return [elsewhere]
    if missing := [name for name in (*said.columns, *said.only) if name not in headings]:
        what = f"--map or --only names columns that the file does not have: {', '.join(map(repr, missing))}; it has"
        return [Question(what, tuple(map(repr, filter(None, headings))))]
    meaning = columns(headings, said.columns, [field for field in OF_ALL if getattr(said, field)])
    if isinstance(meaning, Question):
        return [meaning]
    plan = _plan(meaning, rows[1:], said)
    return plan if isinstance(plan, list) else Read(encoding=encoding, delimiter=sign, plan=plan, skipped=at)


def _headings_elsewhere(lines: list[str], in_first: int) -> Question | None:
    """Reports begin with their title: the headings stand below it."""
    for number, line in enumerate(lines[1:_TITLES], 2):
        sign = dialect.delimiter(line)
        if isinstance(sign, str) and known(dialect.parts(line, sign)) >= max(2, in_first + 2):
            what = f"line {number} looks like the headings, and line 1 does not"
            return Question(what, (f"--headings {number}", "--headings 1"))
    return None


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
    if "Purchase" in (said.event_name, *column("event_name")):
        questions += unanswered(meaning.headings, rows, (*said.columns, *said.only))
    questions += unanswered_wishes(meaning.headings, meaning.fields, tuple(said.columns))
    unknown = [field for field in said.columns.values() if field != IGNORED and field not in FIELDS]
    if unknown:
        questions.append(Question(f"--map names fields that do not exist: {', '.join(unknown)}", FIELDS))
    if questions:
        return questions
    return Plan(
        columns=meaning,
        decimal=sign if sign in (".", ",") else None,
        dates=None if isinstance(order, Question) else order,
        timezone=said.timezone,
        event_name=said.event_name,
        action_source=said.action_source or ("system_generated" if said.crm else None),
        currency=said.currency,
        crm=said.crm,
        only=choices(meaning.headings, said.only),
    )
