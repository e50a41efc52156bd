"""The time of a row, as spreadsheets, databases and programs write it. Pure.

A spreadsheet writes what its country shows: `2026/11/27 9:05` in Japan, `27.11.2026 9.05` in Finland, `27-Nov-26` in
Excel's own short form. So an hour has one digit or two, and a sample of the afternoon does not show it. A database
adds the zone (`14:00:00+00`, `14:00:00 UTC`). What programs write besides (JavaScript, HTTP) `intake.moment` reads.
"""

import datetime
import re
from collections.abc import Sequence

from conversion_relay.cli.table.dialect import DateOrder
from conversion_relay.event import Rejection
from conversion_relay.intake.moment import LONGEST, read_moment

EXCEL_EPOCH = datetime.datetime(1899, 12, 30)  # noqa: DTZ001 - Excel knows no zone
NOT_A_TIME = Rejection("not_a_time", "event_time", "send Unix seconds, or ISO 8601 such as 2026-11-26T14:00:00Z")
_UNIX = re.compile(r"\d{10}(?:\d{3}){0,3}(?:\.\d{1,9})?", re.ASCII)
"""Seconds, milliseconds (JavaScript), microseconds (GA4), nanoseconds; the door tells them apart by their size."""
_SERIAL = re.compile(r"(\d{5})(?:[.,](\d{1,10}))?", re.ASCII)
_DATES = (
    re.compile(r"(?P<year>\d{4})(?P<sign>[-/.]) ?(?P<month>\d{1,2})[-/.] ?(?P<day>\d{1,2})\.?", re.ASCII),
    re.compile(r"(?P<one>\d{1,2})(?P<sign>[-/.]) ?(?P<two>\d{1,2})[-/.] ?(?P<year>\d{4}|\d\d)", re.ASCII),
    re.compile(r"(?P<day>\d{1,2})[- ](?P<name>[a-z]{3,9})\.?,?[- ](?P<year>\d{4}|\d\d)", re.ASCII | re.IGNORECASE),
    re.compile(r"(?P<name>[a-z]{3,9})\.? (?P<day>\d{1,2}),? (?P<year>\d{4})", re.ASCII | re.IGNORECASE),
)
_CLOCK = re.compile(
    r"(?:[T ]|, ?)(\d{1,2})(?:[:.](\d\d)(?:[:.](\d\d)(?:[.,](\d{1,9}))?)?)?(?: ?([ap])\.?m\.?)?",
    re.ASCII | re.IGNORECASE,
)
_ZONE = re.compile(r"(?<=[\dmM.]) ?(?:(Z|UTC|GMT)|([+-])(\d\d)(?::?(\d\d))?)$", re.ASCII | re.IGNORECASE)
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
           "december")  # fmt: skip


def moment(text: str, order: DateOrder | None, zone: datetime.tzinfo | None) -> float | None:
    """Unix seconds (or ms, us, ns as they came); None for what is no time, and for one that needs `order` or `zone`
    where there is none.

    >>> moment("2026-11-26 9:05", None, datetime.UTC) == moment("11/26/2026 9:05 AM", "mdy", datetime.UTC)
    True
    >>> moment("2026-11-26 14:00:00+05:30", None, None), moment("26-Nov-26 8.30", None, datetime.UTC)
    (1795681800.0, 1795681800.0)
    >>> moment("1795700000.25", None, None), moment("46352,5", None, datetime.UTC), moment("03/04/2026", None, None)
    (1795700000.25, 1795694400.0, None)
    """
    if len(text) > LONGEST:
        return None
    if _UNIX.fullmatch(text):
        return read_moment(text)
    written = _without_zone(text)
    try:
        if written is not None and (found := _read(written, order)) is not None:
            return found.replace(tzinfo=_zone_of(text)).timestamp()
        if (found := _read(text, order)) is not None:
            return found.replace(tzinfo=zone).timestamp() if zone else None
    except (ValueError, OverflowError):
        return None
    return None if text.replace(".", "").isdecimal() else read_moment(text)


def needs_timezone(times: Sequence[str]) -> bool:
    """Whether one of these says no offset from UTC.

    >>> needs_timezone(["1795700000"]), needs_timezone(["2026-11-26 14:00:00+00"]), needs_timezone(["26.11.2026"])
    (False, False, True)
    """
    return any(
        moment(text, order, datetime.UTC) is not None and moment(text, order, None) is None
        for text in map(str.strip, times)
        for order in _ORDERS
    )


_ORDERS: tuple[DateOrder, ...] = ("dmy", "mdy")


def _read(text: str, order: DateOrder | None) -> datetime.datetime | None:
    """Without a zone. Raises ValueError for a 30th of February."""
    if found := _SERIAL.fullmatch(text):  # of Excel, where a date was copied without its format: 46352.5
        return EXCEL_EPOCH + datetime.timedelta(days=float(f"{found[1]}.{found[2] or 0}"))
    date = next((found for form in _DATES if (found := form.match(text))), None)
    if date is None:
        return None
    clock = _CLOCK.fullmatch(text, date.end())
    day = _day(date.groupdict(), order)
    if day is None or (clock is None and date.end() < len(text)):
        return None
    return day if clock is None else _at(day, clock)


def _day(said: dict[str, str], order: DateOrder | None) -> datetime.datetime | None:
    year = int(said["year"]) + (2_000 if len(said["year"]) == 2 else 0)  # nothing older may be sent
    if name := said.get("name", "").lower():
        month = next((n for n, long in enumerate(_MONTHS, 1) if long.startswith(name)), 0)
        if not month:
            return None
        day = int(said["day"])
    elif "one" in said:
        # Dots are written day first wherever they are written; slashes are not.
        if said["sign"] != "." and order is None:
            return None
        is_mdy = said["sign"] != "." and order == "mdy"
        month, day = (int(said["one"]), int(said["two"])) if is_mdy else (int(said["two"]), int(said["one"]))
    else:
        month, day = int(said["month"]), int(said["day"])
    return datetime.datetime(year, month, day)  # noqa: DTZ001 - as it is written


def _at(day: datetime.datetime, clock: re.Match[str]) -> datetime.datetime | None:
    hour, minute, second = (int(clock[at] or 0) for at in (1, 2, 3))
    if half := clock[5]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "pP" else 0)
    micro = int((clock[4] or "0").ljust(6, "0")[:6])
    return day.replace(hour=hour, minute=minute, second=second, microsecond=micro)


def _without_zone(text: str) -> str | None:
    """None where none is written. In a date alone the last two digits are its day."""
    found = _ZONE.search(text)
    is_of_a_clock = found is not None and (found[2] is None or ":" in text[: found.start()])
    return text[: found.start()] if found is not None and is_of_a_clock else None


def _zone_of(text: str) -> datetime.tzinfo:
    found = _ZONE.search(text)
    assert found is not None
    if found[1]:
        return datetime.UTC
    minutes = int(found[3]) * 60 + int(found[4] or 0)
    return datetime.timezone(datetime.timedelta(minutes=-minutes if found[2] == "-" else minutes))
