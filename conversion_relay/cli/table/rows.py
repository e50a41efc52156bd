"""One row of a table as an event, or what is wrong with it. Pure.

The id decides what a second run does, so it never depends on the run: the row's own id, else `purchase_` and the order,
else a digest of the row. The digest is of everything in the row together; of a row that holds an address alone it could
be guessed, so the time of the event goes into it.
"""

import datetime
import hashlib
import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec

from conversion_relay.cli.table import dialect
from conversion_relay.cli.table.chosen import NOT_CHOSEN, Choice
from conversion_relay.cli.table.columns import CUSTOM, PERSON, Columns
from conversion_relay.cli.table.dialect import DateOrder, Decimal
from conversion_relay.cli.table.times import NOT_A_TIME, moment
from conversion_relay.cli.table.wishes import wishes
from conversion_relay.event import Event, Rejection, UserData
from conversion_relay.event_id import names_no_event

_AMOUNT = {
    ".": re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?|\d+(?:\.\d+)?"),
    ",": re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:,\d+)?"),
}
_NUMBER = re.compile(r"[\d.,]+", re.ASCII)
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+\d{2,3}", re.IGNORECASE)
"""What Excel makes of a number of more than eleven digits; most of its digits are gone."""
_OPEN_QUOTE = "the row ends within a cell of several lines, before its last column; look for a quote that is not closed"
_CUT = "the file ends within this row; export it anew, or end the row with a line break if nothing is missing"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of one file are read; everything that was found out or said."""

    columns: Columns
    decimal: Decimal | None = None
    """None where no amount of the sample holds a sign: then each amount that holds one must prove it itself."""
    dates: DateOrder | None = None
    timezone: str | None = None
    event_name: str | None = None
    action_source: str | None = None
    currency: str | None = None
    crm: str | None = None
    only: tuple[Choice, ...] = ()


class Rows:
    """Reads the rows of one plan. Over 150 lines: what a cell means depends on the plan, and every reader asks it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        fields = list(enumerate(plan.columns.fields))
        self._person = [(at, field) for at, field in fields if field in PERSON]
        self._custom = [(at, field) for at, field in fields if field in CUSTOM]
        self._at = {field: at for at, field in fields if field and field not in PERSON and field not in CUSTOM}
        self._exact = [(at, field) for at, field in fields if field in PERSON or field in ("event_id", "order_id")]
        self._ids = [at for at, field in fields if field in ("event_id", "order_id")]
        self._zone = zone(plan.timezone) if plan.timezone else None
        self._width = len(plan.columns.fields)

    def event(self, cells: Sequence[str], *, is_ended: bool = True) -> Event | Rejection:
        """`is_ended`: a line end comes after the row."""
        plan = self._plan
        if len(cells) > self._width:
            return Rejection(
                "wrong_width", "row", "the row has more cells than the headings; quote cells with delimiters"
            )
        cells = list(map(_unquoted, cells))
        if len(cells) < self._width:
            if "\n" in cells[-1] or "\r" in cells[-1]:
                return Rejection("wrong_width", "row", _OPEN_QUOTE)
            if not is_ended:  # of 12.50 perhaps 12 alone was written
                return Rejection("wrong_width", "row", _CUT)
            cells += [""] * (self._width - len(cells))
        if not all(choice.takes(cells) for choice in plan.only):
            return Rejection(NOT_CHOSEN, "row", "the row is not among those that --only chose")
        for place in self._ids:
            if cells[place] and names_no_event(cells[place]):  # all rows without an id would be one event
                cells[place] = ""
        return self._shortened(cells) or self._event(cells)

    def _shortened(self, cells: Sequence[str]) -> Rejection | None:
        for place, field in self._exact:
            if "+" in cells[place] and _SHORTENED.fullmatch(cells[place]):
                fix = "Excel shortened this number, its digits are lost; format the column as text and save it again"
                return Rejection("shortened_number", field, fix)
        return None

    def _event(self, cells: Sequence[str]) -> Event | Rejection:
        plan = self._plan
        name = self._cell(cells, "event_name") or plan.event_name
        source = self._cell(cells, "action_source") or plan.action_source
        at = self._cell(cells, "event_time")
        time = moment(at, self._plan.dates, self._zone) if at else None
        if at and time is None:
            return NOT_A_TIME
        custom = self._of_custom(cells)
        if isinstance(custom, Rejection):
            return custom
        said = wishes(lambda field: self._cell(cells, field))
        if isinstance(said, Rejection):
            return said
        try:
            return Event(
                event_name=name or "",
                event_id=self._cell(cells, "event_id") or self._id(cells, name, custom.get("order_id")),
                event_time=time,
                action_source=source,  # type: ignore[arg-type]  # the door judges it
                event_source_url=self._cell(cells, "event_source_url") or None,
                user_data=self._user_data(cells),
                custom_data=custom or None,
                **said,
            )
        except (TypeError, ValueError):
            return Rejection("unreadable", "row", "the row cannot be read")

    def _cell(self, cells: Sequence[str], field: str) -> str:
        at = self._at.get(field)
        return cells[at] if at is not None else ""

    def _user_data(self, cells: Sequence[str]) -> UserData:
        found: dict[str, str | list[str]] = {}
        for at, field in self._person:
            if text := cells[at]:
                known = found.get(field)
                found[field] = text if known is None else [*([known] if isinstance(known, str) else known), text]
        return UserData(**found)  # type: ignore[arg-type]

    def _of_custom(self, cells: Sequence[str]) -> dict[str, object] | Rejection:
        custom: dict[str, object] = {}
        for at, field in self._custom:
            text = cells[at]
            if not text:
                continue
            if field == "value":
                amount = self._amount(text)
                if isinstance(amount, Rejection):
                    return amount
                custom[field] = amount
            elif field == "content_ids":
                custom[field] = [part.strip() for part in text.split("|")]
            else:
                custom[field] = int(text) if field == "num_items" and text.isdecimal() else text
        if "value" in custom and "currency" not in custom and self._plan.currency:
            custom["currency"] = self._plan.currency
        if self._plan.crm:
            # https://developers.facebook.com/docs/marketing-api/conversions-api/conversion-leads-integration
            custom |= {"event_source": "crm", "lead_event_source": self._plan.crm}
        return custom

    def _amount(self, text: str) -> float | Rejection:
        if text.isdecimal() and text.isascii():
            return float(text)
        text = text.replace("\u00a0", "").replace("\u202f", "").replace(" ", "")
        text = text.replace("'", "").replace("\u2019", "")
        sign = self._plan.decimal or dialect.decimal([text]) or "."
        if isinstance(sign, dialect.Question) and _NUMBER.fullmatch(text):
            return Rejection("not_an_amount", "custom_data.value", f"{sign.what}; say --decimal, and --anew")
        if isinstance(sign, dialect.Question) or not _AMOUNT[sign].fullmatch(text):
            shown = f" with {sign!r} as its decimal sign" if isinstance(sign, str) else ""
            fix = f"send a plain number{shown}, without currency sign"
            if text[:1] in "-(\u2212" and any(map(str.isdigit, text)):
                fix = "no event tells of an amount below zero, such as a refund; leave its row out"
            return Rejection("not_an_amount", "custom_data.value", fix)
        return float(text.replace("." if sign == "," else ",", "").replace(",", "."))

    @staticmethod
    def _id(cells: Sequence[str], name: str | None, order: object) -> str:
        if order and name == "Purchase":
            return f"purchase_{order}"
        return _id_of("\x1f".join([name or "", *cells]).encode())


def identified(event: Event | Rejection, line: bytes) -> Event | Rejection:
    """An event of a JSON line, and the same at each run: where it names no id, by a digest of its line.

    >>> identified(Event(event_name="Lead", event_id="null"), b"{}").event_id
    'import_44136fa355b3678a1146ad16f7e8649e'
    """
    if isinstance(event, Rejection) or (event.event_id and not names_no_event(event.event_id)):
        return event
    return msgspec.structs.replace(event, event_id=_id_of(line))


def zone(name: str) -> datetime.tzinfo:
    """Raises ValueError where there is none of this name, or no table of zones on this machine."""
    if name.upper() in ("UTC", "Z"):
        return datetime.UTC  # also where the system has no table of zones
    try:
        return ZoneInfo(name)
    except (LookupError, OSError) as error:
        raise ValueError(name) from error


def _id_of(row: bytes) -> str:
    return f"import_{hashlib.sha256(row).hexdigest()[:32]}"


def _unquoted(cell: str) -> str:
    """Without the signs by which a cell tells a spreadsheet that it is a text: ="007", '007."""
    text = cell.strip()
    if text[:2] == '="' and text[-1:] == '"' and len(text) > 2:
        return text[2:-1].replace('""', '"').strip()
    return text[1:] if text[:1] == "'" and text[1:2] in _AFTER_APOSTROPHE else text


_AFTER_APOSTROPHE = frozenset("0123456789+-=@")
