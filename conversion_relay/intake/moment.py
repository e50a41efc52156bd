"""`event_time` as programs write it: Unix seconds as a number or as text, or ISO 8601 with a zone.

A time without a zone is refused: it may be off by a day, and Meta attributes by the time. JSON and RFC 3339:
https://datatracker.ietf.org/doc/html/rfc3339
"""

import datetime
import re
from typing import Any

from conversion_relay.meta.validate import CLOCK_SKEW
from conversion_relay.patterns import seldom

_DIGITS = seldom(r"\d{1,20}(?:\.\d{1,9})?", re.ASCII)
_ISO = seldom(
    r"(\d{4})-?(\d\d)-?(\d\d)[Tt ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,12}))?)? ?"
    r"(?:([Zz]|UTC|GMT)|([+-])(\d\d):?(\d\d)?)",
    re.ASCII,
)
# JavaScript's own form of a Date, and that of HTTP and e-mail. Java's ZonedDateTime adds the zone's name to ISO's.
_IN_WORDS = seldom(
    r"(?:[A-Z][a-z]{2},? )?"
    r"(?:(?P<day>\d{1,2}) (?P<month>[A-Z][a-z]{2})|(?P<us_month>[A-Z][a-z]{2}) (?P<us_day>\d{1,2}))"
    r" (?P<year>\d{4}) (?P<clock>\d\d:\d\d:\d\d) (?:GMT|UTC)?(?P<zone>[+-]\d{4}|(?<=GMT|UTC))(?: \([^()]*\))?",
    re.ASCII,
)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_ZONE_NAMED = seldom(r"\[[A-Za-z_/+\-0-9]+\]\Z", re.ASCII)
_UNITS = ((1e17, 10**9), (1e14, 10**6), (1e11, 10**3), (0, 1))
LONGEST = 80
VISITORS_AHEAD = 86_400
"""Seconds. Further ahead our own clock may be the wrong one, and by its time the event would expire too soon."""


def event_time_of(given: object, now: float, *, is_browser: bool = False) -> int | None:
    """Whole Unix seconds, or None for what is no time.

    Above 1e11 (the year 5138 in seconds) it can only be milliseconds, above 1e14 microseconds (GA4's
    `timestamp_micros`), above 1e17 nanoseconds. A time at most CLOCK_SKEW ahead becomes now; of a
    browser up to a day ahead: nobody reports what has not happened, but visitors have clocks of other zones.

    >>> event_time_of(1_700_007_200, 1_700_000_000.5, is_browser=True)
    1700000000
    """
    if given is None:
        return int(now)
    if type(given) is int and 0 < given <= now:
        return given
    if (seconds := _in_seconds(given)) is None:
        return None
    ahead = VISITORS_AHEAD if is_browser else CLOCK_SKEW
    return int(now) if now < seconds <= now + ahead else seconds


def original_in_seconds(original: dict[str, Any]) -> dict[str, Any]:
    """`original_event_data` with its `event_time` as Meta reads it: who writes an event's own time in milliseconds
    writes the original's so, too. What is no time stays, and is judged as it stands.

    >>> original_in_seconds({"event_id": "a", "event_time": 1_700_000_000_250})
    {'event_id': 'a', 'event_time': 1700000000}
    """
    seconds = _in_seconds(original.get("event_time"))
    return original if seconds is None else original | {"event_time": seconds}


def _in_seconds(given: object) -> int | None:
    moment = read_moment(given)
    # `not 0 <` refuses NaN too; math.isfinite would raise for an integer that no float can hold.
    if moment is None or not 0 < moment <= 1e20:
        return None
    return int(moment // next(parts for above, parts in _UNITS if moment > above))


def read_moment(given: object) -> int | float | None:
    """The number that was meant; None for what is no time, or has no zone. Milliseconds come out as they came in.

    >>> read_moment("1795636788"), read_moment("2026-11-25T18:39:48Z"), read_moment("2026-11-25T20:39:48+0200")
    (1795636788, 1795631988, 1795631988)
    >>> read_moment("Wed Nov 25 2026 20:39:48 GMT+0200 (Eastern European Standard Time)")
    1795631988
    >>> read_moment("2026-11-25T18:39:48") is None
    True
    """
    if type(given) is int or type(given) is float:
        return given
    if isinstance(given, datetime.datetime):
        return given.timestamp() if given.tzinfo is not None else None
    if not isinstance(given, str) or len(given) > LONGEST:
        return None
    text = given.strip()
    if _DIGITS.fullmatch(text):
        return int(text) if text.isdecimal() else float(text)
    words = _IN_WORDS.fullmatch(text)
    return _from_iso(_ZONE_NAMED.sub("", text)) if words is None else _from_words(words)


def _from_words(found: re.Match[str]) -> int | float | None:
    month, day = found["month"] or found["us_month"], found["day"] or found["us_day"]
    if month not in _MONTHS:
        return None
    return _from_iso(
        f"{found['year']}-{_MONTHS.index(month) + 1:02}-{int(day):02}T{found['clock']}{found['zone'] or 'Z'}"
    )


def _from_iso(text: str) -> int | float | None:
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute = (int(part) for part in found.groups()[:5])
    second, fraction, _, sign, zone_hour, zone_minute = found.groups()[5:]
    leap = second == "60"  # RFC 3339, 5.7
    minutes = int(zone_hour or 0) * 60 + int(zone_minute or 0)
    if minutes > 14 * 60 or int(zone_minute or 0) > 59:
        return None
    try:
        moment = datetime.datetime(
            year, month, day, hour, minute, 59 if leap else int(second or 0), tzinfo=datetime.UTC
        )
    except ValueError:
        return None
    whole = int(moment.timestamp()) + leap - (-minutes if sign == "-" else minutes) * 60
    return whole + float(f"0.{fraction}") if fraction and fraction.strip("0") else whole
