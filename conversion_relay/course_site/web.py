"""A request and an answer of the site, whatever the door; and how a body is read, with a limit on every size."""

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl

import msgspec

from conversion_relay import InvalidEvent, OutboxUnavailable, RequestFacts, is_own_page, listed_origin, wrong_shape

MOST_BYTES = 65_536
MOST_FIELDS = 50
LONGEST_FIELD = 5_000
# Without what RFC 5322 gives a meaning in a list of addresses: Python's parser of headers raises over a lone "[".
_NOT_IN_A_LABEL = r"\s@<>,;:\\\[\]\"()."
_ADDRESS = re.compile(rf"(?:[^{_NOT_IN_A_LABEL}]|\.)+@[^{_NOT_IN_A_LABEL}]+(?:\.[^{_NOT_IN_A_LABEL}]+)+")
Form = TypeVar("Form", bound=msgspec.Struct)


class SiteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Header names in lower case; the body's bytes as they came."""

    method: str
    body: bytes = b""
    headers: Mapping[str, str] = {}
    facts: RequestFacts = RequestFacts()
    url: str = ""
    """Of the request itself; stands for the page where the browser sends no Referer."""
    consent: Literal["granted", "denied"] | None = None
    """What the visitor said, as the page tells it."""


class SiteAnswer(msgspec.Struct, frozen=True):
    status: int
    body: dict[str, Any]
    headers: dict[str, str] = {}
    cookies: tuple[str, ...] = ()
    """Set-Cookie values."""
    text: str = ""
    """In place of `body`, to a payment provider that reads no JSON."""


class SiteError(Exception):
    """Ends the request with this status and reason; raised by an endpoint, answered in `site.py`."""

    def __init__(self, status: int, error: str, field: str, message: str, *, allow: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.field, self.message = status, error, field, message
        self.allow = allow

    def answer(self) -> SiteAnswer:
        body = {"error": self.error, "field": self.field, "message": self.message}
        allow = {"Allow": self.allow} if self.allow else {}
        return SiteAnswer(self.status, body, {"X-Relay-Reason": self.error, **allow})


def unavailable(_: OutboxUnavailable) -> SiteAnswer:
    """Nothing was kept; the same request may be sent again."""
    body = {"error": "not_durable", "message": "this could not be stored just now; please try again"}
    return SiteAnswer(503, body, {"Retry-After": "5", "X-Relay-Reason": "not_durable"})


def refused(error: InvalidEvent) -> SiteError:
    return SiteError(400, error.reason, error.field, error.message)


def read_form(request: SiteRequest, kind: type[Form]) -> Form:
    """JSON (also as text/plain, from a beacon) or a classic form, as a Struct. Raises SiteError naming the field."""
    return shape(read_object(request), kind)


def read_object(request: SiteRequest) -> dict[str, Any]:
    if len(request.body) > MOST_BYTES:
        raise SiteError(413, "too_large", "body", f"send at most {MOST_BYTES} bytes")
    if request.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise SiteError(415, "unsupported_encoding", "content-encoding", "send the body uncompressed")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = kind == "application/x-www-form-urlencoded"
    if is_form and request.body.lstrip()[:1] != b"{":
        return _form_fields(request.body.decode("utf-8", "replace"))
    try:
        document = msgspec.json.decode(request.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise SiteError(400, "unreadable", "body", "the body is not valid JSON in UTF-8") from None
    if not isinstance(document, dict):
        raise SiteError(400, "wrong_type", "body", "send a JSON object")
    return document


def _form_fields(text: str) -> dict[str, Any]:
    try:
        fields = parse_qsl(text, max_num_fields=MOST_FIELDS)
    except ValueError:  # the only one: https://docs.python.org/3/library/urllib.parse.html#urllib.parse.parse_qsl
        raise SiteError(400, "too_many_fields", "body", f"at most {MOST_FIELDS} form fields") from None
    return {name: value for name, value in fields if value}


def shape(document: dict[str, Any], kind: type[Form]) -> Form:
    """The document as a Struct. `kind` must have been described to msgspec when its module was imported, by making a
    decoder of it: two threads that use a Struct for the first time at the same moment crash CPython (msgspec 0.22)."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        found = wrong_shape(error)
        message = "this field is not known here" if found.reason == "unknown_field" else found.message
        raise SiteError(400, found.reason, found.field, message) from None


def required_text(field: str, value: str) -> str:
    """Trimmed. A blank field is a missing one."""
    text = value.strip()
    if not text:
        raise SiteError(400, "missing_field", field, "this field is required")
    if len(text) > LONGEST_FIELD:
        raise SiteError(400, "too_long", field, f"at most {LONGEST_FIELD} characters")
    return text


def required_email(field: str, value: str) -> str:
    """One address with a dotted domain, which is what a mail can be answered to."""
    text = required_text(field, value)
    if not _ADDRESS.fullmatch(text) or len(text) > 254:
        raise SiteError(400, "not_an_email", field, "write one e-mail address, such as name@example.com")
    return text


def check_origin(request: SiteRequest, allowed: frozenset[str]) -> None:
    """Raises SiteError for a page of another site that is not on the allow-list. Without an Origin it is no browser."""
    origin = request.headers.get("origin")
    if origin is None or listed_origin(origin, allowed) or is_own_page(origin, request.headers.get("host", "")):
        return
    raise SiteError(403, "origin_not_allowed", "origin", "add this site's exact origin to RELAY_ALLOWED_ORIGINS")
