"""Meta's Graph API as two pure functions: build a request, read a response.

https://developers.facebook.com/docs/marketing-api/conversions-api/using-the-api
https://developers.facebook.com/docs/graph-api/guides/error-handling

How outcomes are told apart. Meta answers a throttle, a dead token and a bad event alike: HTTP 400, type
OAuthException, and a sentence in the language of the token's owner. What follows differs as much as it can: a throttle
waits, a dead token stops the whole dataset, a bad event is given up. An error that nobody has listed yet may be any of
these, and a mistake in one direction costs more than in the other: an event that waits in vain can still be sent, one
that was given up is lost. So `read_response` asks in this order, and only the fourth answer is about an event:

1. `code` and `error_subcode`, which Meta documents and never translates: throttles, tokens, permissions.
2. What every error without those shows: an error about our proof of the app's secret, `type` GraphMethodException (the
   address or the right to it, never an event).
3. `is_transient`, Meta's own word that it was its trouble.
4. HTTP 400 with code 100 and a subcode of PAYLOAD_SUBCODES, or without any subcode: `Refused`. "Without" means that
   there is none; one that cannot be read ("2804003", 2804003.0, true) is not none.
5. Without a code of Meta's, as in a proxy's page or a gateway's own `{"error": {"message"}}`: the HTTP status.
6. All else is `Unlisted`: the dataset's trouble or Meta's. It waits, and somebody is told (docs/adr/0015).
Text is never compared, but for the name of our own argument `appsecret_proof`, which is no word of any language.

Two mistakes would be worse than all others, and the rules lean away from them:
- To count as delivered what was not. A 2xx is `Accepted` only if `events_received` is exactly what was sent. Any other
  2xx is `Ambiguous`: sent again, and Meta drops the copy by its event id.
- To give up a good event. What is unknown never does, nor does a proxy's page.

Rejected: "every 4xx that is not listed is the event's fault" (a new code killed a day's events within seconds).
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from conversion_relay.meta.batch import Sized
from conversion_relay.meta.blame import blamed
from conversion_relay.meta.headers import parse, pause, rest
from conversion_relay.meta.told import told

# https://developers.facebook.com/docs/graph-api/overview/rate-limiting#error-codes
THROTTLE_CODES = frozenset({4, 17, 32, 341, 613, *range(80000, 80015)})
# https://developers.facebook.com/docs/graph-api/guides/error-handling#errorcodes
TOKEN_CODES = frozenset({102, 104, 190, 2500})
PERMISSION_CODES = frozenset({3, 10, 294, *range(200, 300)})
GATEWAY_LOST_IT = (502, 504, 520, 524, 598, 599)
"""A gateway (52x: Cloudflare's) got no answer from the server behind it; that server may have taken the events."""
TRANSIENT_CODES = frozenset({1, 2, 21009})
NOT_THIS_DATASET = frozenset({(100, 33), (803, None)})
"""The dataset does not exist, or this token may not write to it."""
POLICY_BLOCK = 368
"""Meta blocks the account for a violation of its policies; a person must act."""
PAYLOAD_CODE = 100
PAYLOAD_SUBCODES = frozenset(
    2_804_000 + last for last in (1, 3, 7, 8, 9, 10, 16, 17, 19, 36, 43, 48, 50, 63, 66, 72, 87, 116)
)
"""Recorded from Meta's answers to bad events; all of them with code 100 and HTTP 400. Left out on purpose: 2804118 and
2804132 (the dataset is not linked to the WhatsApp account), which a person mends and no event can help."""
TITLE, SENTENCE = 200, 600
"""Characters that are kept of what Meta says."""
SCHEMA_ERROR = 2804019
"""The generic one; its text holds the JSON path of what Meta did not like."""


class Request(msgspec.Struct, frozen=True):
    """What `transport.send` puts on the wire. Its repr hides the token."""

    url: str
    headers: dict[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Request(url={self.url!r}, {len(self.body)} bytes)"


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What Meta said, as it is kept for `explain`. None of it can name a person or hold a token (`told.py`)."""

    status: int | None = None
    code: int | None = None
    subcode: int | None = None
    title: str | None = None
    fbtrace_id: str | None = None
    sentence: str | None = None
    """`error_user_msg`: what is wrong and how to mend it, in the language of the token's owner."""
    field: str | None = None
    """The member that Meta complains about, such as `custom_data.currency`."""
    index: int | None = None
    """The event that it complains about, by its place in the request, from 0."""

    @property
    def is_metas(self) -> bool:
        """What has neither code nor trace may be any proxy's page, and tells nothing of the token."""
        return self.code is not None or self.fbtrace_id is not None


class Accepted(msgspec.Struct, frozen=True):
    """Meta took every event of the request."""

    said: Said
    pause: float = 0.0
    """Seconds to send nothing, since a limit of Meta's is near."""


class Refused(msgspec.Struct, frozen=True):
    """Something in the batch is wrong, and it is about an event. Nothing of the batch was taken.

    `index`: which event, or None. `path`: the member, such as ("custom_data", "currency"), or empty."""

    said: Said
    index: int | None = None
    path: tuple[str, ...] = ()

    @property
    def is_about_time(self) -> bool:
        """Meta does not like when it happened. Which clock is wrong is not known: an hour later it may be liked."""
        return self.said.subcode == SCHEMA_ERROR and self.path[:1] == ("event_time",)


class TooLarge(msgspec.Struct, frozen=True):
    """HTTP 413. A batch is parted; an event that is alone waits, since the limit may be a proxy's on the way."""

    said: Said


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
    of_version: bool = False  # Meta does not serve the version that was asked (`versions.is_of_version`)


class Unlisted(msgspec.Struct, frozen=True):
    """An error that we do not know. It is taken for the dataset's trouble or Meta's, never for an event's fault."""

    said: Said


class Unreachable(msgspec.Struct, frozen=True):
    """No answer about the events: no connection, a timeout, or an error on Meta's side.

    `sent`: whether Meta may have taken the events all the same. An error that Meta itself answered with says no."""

    why: str
    sent: bool
    said: Said = Said()


class Ambiguous(msgspec.Struct, frozen=True):
    """A 2xx that does not say that all events were taken. They are sent again, byte for byte."""

    why: str
    said: Said = Said()


Outcome = Accepted | Refused | TooLarge | Throttled | Unauthorized | Misconfigured | Unlisted | Unreachable | Ambiguous


def build_request(
    batch: Sequence[Sized],
    *,
    url: str,
    version: str,
    dataset: str,
    token: str,
    app_secret: str | None = None,
    test_event_code: str | None = None,
) -> Request:
    """One POST of sealed events. Their bytes are joined, not encoded again, so every attempt sends the same bytes; and
    joined once, since each copy of a megabyte costs more than everything else that is done here.

    The token travels in a header and its proof in the body; in the query every proxy on the way would write both into
    its access log.
    """
    head, tail = b'{"data":[', b"]"
    if app_secret:
        tail += b',"appsecret_proof":' + msgspec.json.encode(appsecret_proof(token, app_secret))
    if test_event_code:
        tail += b',"test_event_code":' + msgspec.json.encode(test_event_code)
    bodies = [event.body for event in batch] or [b""]
    bodies[0] = head + bodies[0]
    bodies[-1] += tail + b"}"
    return Request(
        url=f"{url}/{version}/{dataset}/events",
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        body=b",".join(bodies),
    )


# https://developers.facebook.com/docs/graph-api/guides/secure-requests
def appsecret_proof(token: str, app_secret: str) -> str:
    """Shows Meta that who sends the token also has the app's secret.

    >>> appsecret_proof("token", "secret")[:16]
    'e941110e3d2bfe82'
    """
    return hmac.digest(app_secret.encode(), token.encode(), "sha256").hex()


def read_response(status: int, headers: Mapping[str, str], body: bytes, sent: int, now: float) -> Outcome:
    """What Meta said to a request of `sent` events. Total: any status, headers and bytes give an outcome.

    `headers` have lower-case names; `now` in Unix seconds, to read a Retry-After that is a date.
    """
    answer = parse(body)
    error = answer.get("error")
    if isinstance(error, dict):
        return _read_error(status, headers, error, now)
    # "If the payload is valid a 2xx is returned": https://developers.facebook.com/docs/marketing-api/conversions-api/support
    if 200 <= status < 300:
        return _read_success(status, answer, headers, sent)
    return _by_status(status, headers, Said(status=status), now)


def _read_success(status: int, answer: Mapping[str, Any], headers: Mapping[str, str], sent: int) -> Outcome:
    said = Said(status=status, fbtrace_id=_text(answer.get("fbtrace_id")))
    received = answer.get("events_received")
    if type(received) is not int:
        return Ambiguous(f"unreadable_{status}", said)
    if received != sent:
        return Ambiguous("short_count" if received < sent else "long_count", said)
    return Accepted(said, rest(headers))


def _by_status(status: int, headers: Mapping[str, str], said: Said, now: float) -> Outcome:
    if 200 <= status < 300:
        return Ambiguous(f"unreadable_{status}", said)
    if status == 429:
        return Throttled(said, pause(headers, now))
    if status >= 500 or status == 408:
        return Unreachable(f"http_{status}", sent=status in GATEWAY_LOST_IT, said=said)
    if status == 413:
        return TooLarge(said)
    if 300 <= status < 400 or status == 404:
        return Misconfigured(said)
    if status == 401:
        return Unauthorized(said)
    return Unlisted(said)


def _read_error(status: int, headers: Mapping[str, str], error: Mapping[str, Any], now: float) -> Outcome:
    code, subcode = _integer(error.get("code")), _integer(error.get("error_subcode"))
    said = Said(
        status=status,
        code=code,
        subcode=subcode,
        title=told(error.get("error_user_title"), TITLE) or told(error.get("message"), TITLE),
        fbtrace_id=_text(error.get("fbtrace_id")),
        sentence=told(error.get("error_user_msg"), SENTENCE),
    )
    if code in THROTTLE_CODES:
        return Throttled(said, pause(headers, now))
    if code in TOKEN_CODES:
        return Unauthorized(said)
    if code in PERMISSION_CODES or code == POLICY_BLOCK or (code, subcode) in NOT_THIS_DATASET or code == 803:
        return Misconfigured(said)
    if _is_about_access(error):
        return Misconfigured(said)
    if code in TRANSIENT_CODES or error.get("is_transient") in (True, "true"):
        return Unreachable(f"code_{code}", sent=False, said=said)
    if code == PAYLOAD_CODE and status == 400 and (subcode in PAYLOAD_SUBCODES or error.get("error_subcode") is None):
        index, path = blamed(error)
        return Refused(msgspec.structs.replace(said, field=_named(path), index=index), index, path)
    return _by_status(status, headers, said, now) if code is None else Unlisted(said)


def _is_about_access(error: Mapping[str, Any]) -> bool:
    """Code 100 without a subcode stands for bad events, and for calls that may not be made."""
    message = error.get("message")
    is_about_proof = isinstance(message, str) and "appsecret_proof" in message[:500]
    return is_about_proof or error.get("type") == "GraphMethodException"


def _integer(value: object) -> int | None:
    return value if type(value) is int and abs(value) < 2**31 else None


def _text(value: object, most: int = 200) -> str | None:
    """A code of Meta's, short and printable: it is shown in terminals, logs and pages."""
    return "".join(c for c in value[:most] if c.isprintable()) if isinstance(value, str) else None


def _named(path: Sequence[str]) -> str | None:
    """As a reader writes it. What is no plain name may be a value, and is not kept."""
    return ".".join(path) if path and all(part.isidentifier() and part.isascii() for part in path) else None
