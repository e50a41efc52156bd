"""What Meta, a gateway or a proxy answers when something is wrong: from the stand-in's records, and from chance.

What is drawn at random is never what a careful reader would have to take for Meta's word about an event (HTTP 400 with
code 100, and a payload subcode or none): then the product would be right to give the event up.
"""

import json
import random
from typing import Any

from conversion_relay.emulator import answers
from conversion_relay.http_client import Response
from tests.simulation.templates import TRACE, response

CODES = (
    (400, 12, None), (400, 1, 99), (500, 5000, None), (429, 5000, 1), (412, 5, None), (400, 2500, None), (400, 100, 33),
    (400, 368, None), (403, 10, None), (400, 200, 1), (503, None, None), (404, 803, None), (400, 100, 1357045),
    (400, 100, 2804118), (500, 100, 2804008), (400, "100", None), (400, 100.0, None), (400, 100, "2804008"),
    (400, 100, True), (400, -1, None), (400, 2**70, None), (400, None, 2804008), (401, 102, 463), (400, 613, 5),
    (200, 2, None), (302, 21009, None), (429, None, None), (400, 80014, None), (403, 100, 2804019), (400, 100, "33x"),
)  # fmt: skip
_SHAPES: tuple[Any, ...] = (
    {"error": "no"}, {"error": []}, {"error": {}}, {"error": {"code": [100]}}, {"error": None}, [], 17, "no",
    {"data": 1},
    {"error": {"code": 1, "message": "x" * 5000, "error_user_title": {"a": 1}, "error_data": "[[[["}},
)  # fmt: skip
_PAGES = (b"<html>Bad Gateway</html>", b"", b"{", b"\xff\xfe", b"[" * 3000, b'{"events_received": ')
_HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"x-app-usage": '{"call_count":' + "9" * 400 + "}"},
    {"x-app-usage": '{"call_count":-5}'},
    {"x-business-use-case-usage": "[[[["},
    {"x-business-use-case-usage": '{"1":[{"estimated_time_to_regain_access":"soon"}]}'},
    {"retry-after": "-1"},
    {"retry-after": "1e999"},
    {"retry-after": "Mon, 99 Feb 2026 25:61:61 GMT"},
    {"date": "yesterday"},
    {"date": "Thu, 01 Jan 1970 00:00:00 GMT"},
)


def error(
    status: int, code: Any, subcode: Any, message: str, *, date: str, headers: dict[str, str] | None = None
) -> Response:
    said: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": TRACE}
    if subcode is not None:
        said |= {"error_subcode": subcode}
    return Response(status, {"date": date, **(headers or {})}, json.dumps({"error": said}).encode())


def odd_code(chance: random.Random, date: str) -> Response:
    if chance.random() < 0.2:
        status = chance.choice((400, 403, 500))
        return Response(status, {"date": date, **odd_headers(chance)}, json.dumps(chance.choice(_SHAPES)).encode())
    if chance.random() < 0.05:
        return error(400, 100, None, "API calls from the server require an appsecret_proof argument", date=date)
    return error(*chance.choice(CODES), "odd", date=date)


def odd_bytes(chance: random.Random) -> Response:
    status = chance.choice((200, 204, 301, 400, 403, 404, 407, 408, 418, 429, 500, 503, 504, 599))
    body = chance.choice((*_PAGES, chance.randbytes(chance.randint(0, 60))))
    return Response(status, odd_headers(chance), body)


def odd_success(chance: random.Random, events: int, date: str) -> Response:
    """A 200 that does not say that all events were taken."""
    received = chance.choice((0, events - 1, events + 1, -1, str(events), None, True, float(events)))
    body = {"events_received": received, "messages": ["odd"], "fbtrace_id": TRACE}
    return Response(200, {"date": date, **odd_headers(chance)}, json.dumps(body).encode())


def odd_headers(chance: random.Random) -> dict[str, str]:
    return chance.choice(_HEADERS)


def throttled(minutes: float, percent: float, date: str, *, retry_after: int | None = None) -> Response:
    """`minutes` until calls are taken again, as Meta foretells it."""
    headers = usage(percent, minutes) | ({"retry-after": str(retry_after)} if retry_after else {})
    return response(answers.THROTTLED, date, headers=headers)


def usage(percent: float, minutes: float = 0) -> dict[str, str]:
    row = {"call_count": int(percent), "total_time": 1, "estimated_time_to_regain_access": minutes}
    return {"x-business-use-case-usage": json.dumps({"1": [row]})}


def unavailable(date: str) -> Response:
    return response(answers.UNAVAILABLE, date)


def bad_token(date: str) -> Response:
    return response(answers.EXPIRED, date)


def bad_gateway() -> Response:
    return Response(502, {}, b"<html>Bad Gateway</html>")


def too_large() -> Response:
    return Response(413, {}, b"<html>Request Entity Too Large</html>")
