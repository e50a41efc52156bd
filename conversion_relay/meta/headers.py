"""What the headers of Meta's answers say: how long to wait, how near a limit is, and what time it is at Meta.

Headers come through proxies, and a server may write anything into them: numbers of 400 digits, dates of the year 0,
JSON that is nested a thousand deep. What makes no sense says nothing; every function here returns for every text.

https://developers.facebook.com/docs/graph-api/overview/rate-limiting#headers
"""

import math
import re
from collections.abc import Mapping
from email.utils import mktime_tz, parsedate_tz
from typing import Any

import msgspec

NEAR_LIMIT = 80.0
"""Percent of a limit. Above it we rest after each request, 3 seconds for each percent."""
LONGEST_PAUSE = 900.0
"""Seconds. A header may ask for more; we try again after a quarter of an hour all the same."""
LONGEST_HEADER = 16_384
"""Characters; what is longer says nothing."""
_LONGEST_RETRY_AFTER = 100
_CALLS = ("call_count", "total_time", "total_cputime")
_USAGE_HEADERS = {
    "x-app-usage": _CALLS,
    "x-business-use-case-usage": _CALLS,
    "x-ad-account-usage": ("acc_id_util_pct",),
}
FIRST_DATE, LAST_DATE = 1_577_836_800.0, 4_102_444_800.0
"""2020 and 2100: a clock that shows another time was never set."""


def pause(headers: Mapping[str, str], now: float) -> float:
    """Seconds to wait after a throttle: the longer of Retry-After and X-Business-Use-Case-Usage; 60 without both."""
    asked = max(_retry_after(headers.get("retry-after", ""), now), _minutes_to_regain_access(headers) * 60)
    return min(asked, LONGEST_PAUSE) if asked > 0 else 60.0


def rest(headers: Mapping[str, str]) -> float:
    """Seconds to rest after a success: none below NEAR_LIMIT of every limit that the headers tell of."""
    if not _USAGE_HEADERS.keys() & headers.keys():
        return 0.0
    regain = _minutes_to_regain_access(headers) * 60
    used = max((_most_used(headers.get(name, ""), members) for name, members in _USAGE_HEADERS.items()), default=0.0)
    return min(LONGEST_PAUSE, max(regain, (used - NEAR_LIMIT) * 3 if used >= NEAR_LIMIT else 0.0))


def date(headers: Mapping[str, str]) -> float | None:
    """Unix seconds of the Date header; None where there is none that can be read. Half a second is added, since the
    header leaves out the fraction."""
    read = http_date(headers.get("date", ""))
    return None if read is None else read + 0.5


# https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
def http_date(text: str) -> float | None:
    """Any of the three forms of HTTP's dates, in Unix seconds.

    >>> http_date("Sun, 06 Nov 1994 08:49:37 GMT"), http_date("Tue, 14 Nov 2023 22:13:50 GMT"), http_date("soon")
    (None, 1700000030.0, None)
    """
    if not 8 <= len(text) <= 64 or not text.isascii():
        return None
    try:
        read = parsedate_tz(text)
        at = float(mktime_tz(read)) if read is not None and _is_time_of_day(read) else math.nan
    except (ValueError, TypeError, OverflowError, IndexError, AttributeError):
        return None
    return at if FIRST_DATE <= at <= LAST_DATE else None


def _is_time_of_day(read: tuple[Any, ...]) -> bool:
    """`mktime_tz` takes the 99th of a month for a day of another."""
    _, month, day, hour, minute, second, *_ = read
    return bool(1 <= month <= 12 and 1 <= day <= 31 and 0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 60)


def parse(body: bytes) -> dict[str, Any]:
    """A JSON object; empty for all else.

    A sentence of Meta's may quote a text that was cut in an emoji, and a program on the way may write another charset:
    an answer that is JSON but for that is read, since an unread refusal would hold up its dataset.

    >>> parse(b'{"error": {"code": 100, "error_user_msg": "Mug \\\\ud83d"}}')["error"]["code"], parse(b"<html>")
    (100, {})
    """
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        answer = _odd(body)
    return answer if isinstance(answer, dict) else {}


def _odd(body: bytes) -> object:
    if body[:4].lstrip(b"\xef\xbb\xbf \r\n")[:1] != b"{":
        return None
    import json  # for what is odd alone: every program would pay for it at its start

    try:
        return json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None


def _most_used(header: str, members: tuple[str, ...]) -> float:
    usage = _object(header)
    rows = [usage, *_rows(usage)]
    return max((_number(row.get(member)) for row in rows for member in members), default=0.0)


def _minutes_to_regain_access(headers: Mapping[str, str]) -> float:
    rows = _rows(_object(headers.get("x-business-use-case-usage", "")))
    return max((_number(row.get("estimated_time_to_regain_access")) for row in rows), default=0.0)


def _rows(usage: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [row for rows in usage.values() if isinstance(rows, list) for row in rows if isinstance(row, dict)]


def _object(header: str) -> dict[str, Any]:
    return parse(header.encode(errors="replace")) if len(header) <= LONGEST_HEADER else {}


def _number(value: object) -> float:
    """0 for what is no number; a number of 400 digits is as large as a float can be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        return float(value) if math.isfinite(value) else 0.0
    except OverflowError:
        return 1e300 if value > 0 else 0.0


def _retry_after(text: str, now: float) -> float:
    """Of several, as two programs on the way may each write one, the longest."""
    seconds = [part.strip() for part in text[:_LONGEST_RETRY_AFTER].split(",")]
    if all(re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", part) for part in seconds):
        return max(map(float, seconds))
    text = text.strip()
    at = http_date(text)
    return 0.0 if at is None else at - now
