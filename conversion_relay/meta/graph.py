"""Meta's Graph API as two pure functions: build a request, read a response.

https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api
https://developers.facebook.com/docs/graph-api/guides/error-handling

How outcomes are told apart. Meta answers a throttle, a dead token and a bad event alike: HTTP 400, type
OAuthException, and a sentence in the language of the token's owner. What follows differs as much as it can: a throttle
waits, a dead token stops the whole dataset, a bad event is given up. So `read_response` asks in this order:

1. `code` and `error_subcode`, which Meta documents and never translates. The groups stand below as constants.
2. `is_transient`, for codes that stand in no group: true means that it was Meta's trouble.
3. The HTTP status, where the body holds no error that can be read (a proxy's HTML page, an empty body).
Text is never compared. It is kept, cut to a title, for a person to read.

Two mistakes would be worse than all others, and the rules lean away from them:
- To count as delivered what was not. A 200 is `Accepted` only if `events_received` is exactly what was sent. Any other
  200 is `Ambiguous`: sent again, and Meta drops the copy by its event id.
- To give up a good event. A 4xx without a code is `Refused(certain=False)`, which is tried again before it counts.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from conversion_relay.meta.batch import Sized

# https://developers.facebook.com/docs/graph-api/overview/rate-limiting#error-codes
THROTTLE_CODES = frozenset({4, 17, 32, 341, 613, *range(80000, 80015)})
# https://developers.facebook.com/docs/graph-api/guides/error-handling#errorcodes
TOKEN_CODES = frozenset({102, 104, 190})
PERMISSION_CODES = frozenset({3, 10, 294, *range(200, 300)})
GATEWAY_LOST_IT = (502, 504)
"""A gateway got no answer from the server behind it; that server may have taken the events."""
TRANSIENT_CODES = frozenset({1, 2, 21009})
NOT_THIS_DATASET = frozenset({(100, 33), (803, None)})
"""The dataset does not exist, or this token may not write to it."""
POLICY_BLOCK = 368
"""Meta blocks the account for a violation of its policies; a person must act."""
NEAR_LIMIT = 80.0
"""Percent of a limit. Above it we rest after each request, 3 seconds for each percent."""
LONGEST_PAUSE = 900.0
"""Seconds. A header may ask for more; we try again after a quarter of an hour all the same."""


class Request(msgspec.Struct, frozen=True):
    """What `transport.send` puts on the wire. Its repr hides the token."""

    url: str
    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Request(url={self.url!r}, {len(self.body)} bytes)"


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Meta said, as it is kept for `explain`. None of these members can name a person or hold a token."""

    status: int | None = None
    code: int | None = None
    subcode: int | None = None
    title: str | None = None
    fbtrace_id: str | None = None


class Accepted(msgspec.Struct, frozen=True):
    """Meta took every event of the request."""

    said: Said
    pause: float = 0.0
    """Seconds to send nothing, because Meta's usage headers say that a limit is near."""


class Refused(msgspec.Struct, frozen=True):
    """Something in the batch is wrong. `index`: which event, where Meta gives a JSON path; else None."""

    said: Said
    index: int | None = None
    certain: bool = True
    """False where a 4xx had no code to read: tried again before it is believed."""


class Throttled(msgspec.Struct, frozen=True):
    """Too many calls."""

    said: Said
    after: float
    """Seconds that Meta asks us to wait."""


class Unauthorized(msgspec.Struct, frozen=True):
    """The token is missing, wrong or expired: nothing of this dataset can be sent until a person renews it."""

    said: Said


class Misconfigured(msgspec.Struct, frozen=True):
    """The token is good, but not for this dataset, permission or URL: a person must change the configuration."""

    said: Said


class Unreachable(msgspec.Struct, frozen=True):
    """No answer about the events: no connection, a timeout, or an error on Meta's side.

    `sent`: whether Meta may have taken the events all the same. An error that Meta itself answered with says that it
    did not.
    """

    why: str
    sent: bool
    said: Said = Said()


class Ambiguous(msgspec.Struct, frozen=True):
    """A 200 that does not say that all events were taken. They are sent again, byte for byte."""

    why: str
    said: Said = Said()


Outcome = Accepted | Refused | Throttled | Unauthorized | Misconfigured | Unreachable | Ambiguous


def build_request(
    batch: Sequence[Sized],
    *,
    url: str,
    version: str,
    dataset: str,
    token: str,
    test_event_code: str | None = None,
) -> Request:
    """One POST of sealed events. Their bytes are joined, not encoded again, so every attempt sends the same bytes.

    The token travels in a header; in the query every proxy on the way would write it into its access log.
    """
    tail = b"]"
    if test_event_code:
        tail += b',"test_event_code":' + msgspec.json.encode(test_event_code)
    return Request(
        url=f"{url}/{version}/{dataset}/events",
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        body=b'{"data":[' + b",".join([event.body for event in batch]) + tail + b"}",
    )


def read_response(status: int, headers: Mapping[str, str], body: bytes, sent: int, now: float) -> Outcome:
    """What Meta said to a request of `sent` events. Total: any status, headers and bytes give an outcome.

    `headers` have lower-case names; `now` in Unix seconds, to read a Retry-After that is a date.
    """
    answer = _parse(body)
    error = answer.get("error")
    if isinstance(error, dict):
        return _read_error(status, headers, error, now)
    if status == 200:
        return _read_success(answer, headers, sent)
    said = Said(status=status)
    if status == 429:
        return Throttled(said, _pause(headers, now))
    if status >= 500 or status == 408:
        return Unreachable(f"http_{status}", sent=status in GATEWAY_LOST_IT, said=said)
    if status == 413:
        return Refused(said)
    if 300 <= status < 400 or status == 404:
        return Misconfigured(said)
    if status == 401:
        return Unauthorized(said)
    return Refused(said, certain=False)


def _read_success(answer: Mapping[str, Any], headers: Mapping[str, str], sent: int) -> Outcome:
    trace = _text(answer.get("fbtrace_id"))
    said = Said(status=200, fbtrace_id=trace)
    received = answer.get("events_received")
    if type(received) is not int:
        return Ambiguous("unreadable_200", said)
    if received != sent:
        return Ambiguous("short_count" if received < sent else "long_count", said)
    return Accepted(said, _rest(headers))


def _read_error(status: int, headers: Mapping[str, str], error: Mapping[str, Any], now: float) -> Outcome:
    code, subcode = _integer(error.get("code")), _integer(error.get("error_subcode"))
    said = Said(
        status=status,
        code=code,
        subcode=subcode,
        title=_text(error.get("error_user_title")) or _text(error.get("message")),
        fbtrace_id=_text(error.get("fbtrace_id")),
    )
    if code in THROTTLE_CODES:
        return Throttled(said, _pause(headers, now))
    if code in TOKEN_CODES:
        return Unauthorized(said)
    if code in PERMISSION_CODES or code == POLICY_BLOCK or (code, subcode) in NOT_THIS_DATASET or code == 803:
        return Misconfigured(said)
    if code in TRANSIENT_CODES or error.get("is_transient") is True:
        return Unreachable(f"code_{code}", sent=False, said=said)
    if code is None and status >= 500:
        return Unreachable(f"http_{status}", sent=False, said=said)
    return Refused(said, index=_index(error), certain=code is not None)


# https://developers.facebook.com/docs/graph-api/overview/rate-limiting
def _pause(headers: Mapping[str, str], now: float) -> float:
    """Seconds to wait after a throttle: the longer of Retry-After and X-Business-Use-Case-Usage; 60 without both."""
    asked = max(_retry_after(headers.get("retry-after", ""), now), _minutes_to_regain_access(headers) * 60)
    return min(asked, LONGEST_PAUSE) if asked > 0 else 60.0


# https://developers.facebook.com/docs/graph-api/overview/rate-limiting#headers
def _rest(headers: Mapping[str, str]) -> float:
    """Seconds to rest after a success: none below NEAR_LIMIT of every limit that the headers tell of."""
    if not _USAGE_HEADERS.keys() & headers.keys():
        return 0.0
    regain = _minutes_to_regain_access(headers) * 60
    used = max((_most_used(headers.get(name, ""), members) for name, members in _USAGE_HEADERS.items()), default=0.0)
    return min(LONGEST_PAUSE, max(regain, (used - NEAR_LIMIT) * 3 if used >= NEAR_LIMIT else 0.0))


def _most_used(header: str, members: tuple[str, ...]) -> float:
    usage = _parse(header.encode())
    rows = [usage, *(row for rows in usage.values() if isinstance(rows, list) for row in rows if isinstance(row, dict))]
    percents = [row[member] for row in rows for member in members if isinstance(row.get(member), int | float)]
    return max(map(float, percents), default=0.0)


_CALLS = ("call_count", "total_time", "total_cputime")
_USAGE_HEADERS = {
    "x-app-usage": _CALLS,
    "x-business-use-case-usage": _CALLS,
    "x-ad-account-usage": ("acc_id_util_pct",),
}


def _retry_after(text: str, now: float) -> float:
    if re.fullmatch(r"[0-9]{1,12}", text, re.ASCII):
        return float(text)
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _minutes_to_regain_access(headers: Mapping[str, str]) -> float:
    usage = _parse(headers.get("x-business-use-case-usage", "").encode())
    rows = [row for rows in usage.values() if isinstance(rows, list) for row in rows if isinstance(row, dict)]
    minutes = [row.get("estimated_time_to_regain_access") for row in rows]
    return max((float(m) for m in minutes if isinstance(m, int | float)), default=0.0)


def _index(error: Mapping[str, Any]) -> int | None:
    """The event's place in the batch, from a JSON path such as $['data'][3]['user_data']."""
    for key in ("message", "error_user_msg", "error_user_title"):
        found = re.search(r"\['data'\]\[([0-9]{1,4})\]", _text(error.get(key)) or "")
        if found:
            return int(found[1])
    return None


def _parse(body: bytes) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _integer(value: object) -> int | None:
    return value if type(value) is int and abs(value) < 2**31 else None


def _text(value: object) -> str | None:
    """One line of Meta's text, short and printable: it is shown in terminals, logs and pages."""
    return "".join(c for c in value[:200] if c.isprintable()) if isinstance(value, str) else None
