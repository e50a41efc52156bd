"""The door: a submission comes in with a person in it, a sealed event goes out without one.

After `accept` no code can see an e-mail address or a phone number: outbox, logs, dashboard and dead letters hold
only what it returns. The steps: who may send this, consent, click ids, event id, normalise and hash, validate.
"""

import math
from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from conversion_relay import click_id, consent, event_id
from conversion_relay.customer_information import DroppedKey, match_keys
from conversion_relay.customer_information.network import normalize_client_ip_address
from conversion_relay.event import PUBLIC_EVENT_NAMES, Event, SealedEvent, UserData
from conversion_relay.validate import errors, expiry

Sender = Literal["browser", "backend"]
"""A browser may say what it saw; a backend (API key, verified webhook, own code) may also say what was earned."""

QUERY_KEYS = frozenset({"fbclid", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id"})
"""What of a URL's query leaves: everything else may name a person or open their account."""
CLOCK_SKEW = 300
"""Seconds that a sender's clock may run ahead; such a time is taken for now."""
DEEPEST = 32


class RequestFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a door knows about the visitor's own request, whatever the framework."""

    client_ip_address: str | None = None
    client_user_agent: str | None = None
    fbp: str | None = None
    fbc: str | None = None
    url: str | None = None
    referrer: str | None = None
    origin: str | None = None
    gpc: bool = False


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """An event and who brought it."""

    event: Event
    sender: Sender = "backend"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's choices that the door needs; part of `Settings`."""

    dataset: str
    default_country: str | None = None
    gpc: consent.GpcPolicy = "limited_data_use"
    public_event_names: frozenset[str] = PUBLIC_EVENT_NAMES


class Refused(msgspec.Struct, frozen=True):
    """Not taken: nothing of it was kept. `message` names the rule and the remedy, never the value."""

    reason: str
    field: str
    message: str


def accept(
    submission: Submission, facts: RequestFacts, policy: Policy, *, now: float, entropy: bytes
) -> SealedEvent | Refused:
    """Seal one event. `now` in Unix seconds; `entropy`: 10 random bytes for an id, where the caller gave none."""
    prepared = prepare(submission, facts, policy, now=now, entropy=entropy)
    return prepared if isinstance(prepared, Refused) else _seal(prepared.wire, policy.dataset, now)


class Prepared(NamedTuple):
    """Meta's JSON of an event that is not judged yet, and the match keys that were left out of it."""

    wire: dict[str, Any]
    dropped: list[DroppedKey]


def prepare(
    submission: Submission, facts: RequestFacts, policy: Policy, *, now: float, entropy: bytes
) -> Prepared | Refused:
    """`accept` up to the judgement: who may send it, consent, time, ids, hashing."""
    event = submission.event
    if submission.sender == "browser" and event.event_name not in policy.public_event_names:
        return _REFUSED_NAME
    decision = consent.decide(event.consent, gpc=facts.gpc, policy=policy.gpc)
    if decision is consent.Decision.WITHHOLD:
        return _WITHHELD
    event_time = _event_time(event.event_time, now)
    if event_time is None:
        return _NOT_A_TIME
    if any(_too_deep(getattr(event, name)) for name in _FREE_FORM):
        return _TOO_DEEP
    wire = _wire(event, event_time, facts)
    wire["event_id"] = _event_id(event, now, entropy)
    if decision is consent.Decision.LIMITED_DATA_USE and "data_processing_options" not in wire:
        wire |= {"data_processing_options": ["LDU"], "data_processing_options_country": 0}
        wire["data_processing_options_state"] = 0
    wire["user_data"], dropped = _match_keys(event.user_data, facts, policy, submission.sender, now)
    return Prepared(wire, dropped)


def _seal(wire: dict[str, Any], dataset: str, now: float) -> SealedEvent | Refused:
    if finding := next(errors(wire, now), None):
        return Refused(finding.code, finding.path, f"{finding.message}; {finding.fix}")
    try:
        body = _encoder.encode(wire)
    except (OverflowError, UnicodeEncodeError, TypeError, ValueError):
        return _NOT_JSON
    return SealedEvent(
        dataset=dataset,
        event_name=wire["event_name"],
        event_id=wire["event_id"],
        event_time=wire["event_time"],
        expires_at=expiry(wire["event_time"], wire["action_source"]),
        body=body,
    )


def _wire(event: Event, event_time: int, facts: RequestFacts) -> dict[str, Any]:
    """Meta's JSON without the person and the id; members that say nothing are left out."""
    url, referrer = event.event_source_url, event.referrer_url
    if event.action_source == "website":
        url, referrer = url or facts.url, referrer or facts.referrer
    wire: dict[str, Any] = {
        "event_name": event.event_name,
        "event_time": event_time,
        "action_source": event.action_source,
        "event_source_url": scrub_url(url),
        "referrer_url": scrub_url(referrer),
        "custom_data": _custom_data(event.custom_data),
    }
    for name in _PASSED_ON:
        wire[name] = getattr(event, name)
    for name in _FREE_FORM[1:]:
        wire[name] = _without_personal_data(getattr(event, name))
    return {name: value for name, value in wire.items() if value is not None}


_PASSED_ON = (
    "opt_out",
    "data_processing_options",
    "data_processing_options_country",
    "data_processing_options_state",
    "messaging_channel",
    "customer_segmentation",
    "advanced_measurement_table",
)
_FREE_FORM = ("custom_data", "app_data", "original_event_data", "attribution_data")


def _match_keys(
    user_data: UserData, facts: RequestFacts, policy: Policy, sender: Sender, now: float
) -> tuple[dict[str, object], list[DroppedKey]]:
    """Hashed keys as lists of digests, never-hashed ones as they are; the request fills what the caller left out."""
    given = {name: value for name in _USER_DATA_KEYS if (value := getattr(user_data, name)) is not None}
    visitor = facts.client_ip_address
    if visitor and (sender == "browser" or "client_ip_address" not in given) and _is_public(visitor):
        # A browser does not choose its own address.
        given["client_ip_address"] = visitor
    for name in ("client_user_agent", "fbp", "fbc"):
        if not given.get(name) and getattr(facts, name):
            given[name] = getattr(facts, name)
    fbc = click_id.fbc_from_url(facts.url, now, known=_text_or_none(given.get("fbc")))
    if fbc:
        given["fbc"] = fbc
    return match_keys(given, default_country=policy.default_country, today=_day(int(now // 86_400)))


_USER_DATA_KEYS = UserData.__struct_fields__


def _event_id(event: Event, now: float, entropy: bytes) -> str:
    if event.event_id is None:
        return event_id.uuid7(now, entropy)
    return event_id.without_email(event.event_id)


def _event_time(given: float | None, now: float) -> int | None:
    """Whole Unix seconds; milliseconds are recognised by their size, a clock that runs a little ahead is set right."""
    if given is None:
        return int(now)
    if not math.isfinite(given) or given <= 0 or given > 1e14:
        return None
    seconds = int(given / 1000) if given > 1e11 else int(given)
    return int(now) if now < seconds <= now + CLOCK_SKEW else seconds


def scrub_url(url: str | None) -> str | None:
    """The URL without fragment, credentials and query members off the allow-list; None where none can be read.

    >>> scrub_url("https://u:p@shop.example/thanks?email=joe%40example.com&utm_source=fb&fbclid=AbC#top")
    'https://shop.example/thanks?utm_source=fb&fbclid=AbC'
    >>> scrub_url("https://shop.example/thanks/joe@example.com")
    'https://shop.example/thanks/-'
    """
    if not url or "\x00" in url:
        return None
    try:
        parts = urlsplit(url.strip())
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return None
    if parts.scheme not in ("http", "https", "android-app", "ios-app") or not host:
        return None
    path = parts.path
    if event_id.holds_email(path):
        path = "/".join("-" if event_id.holds_email(segment) else segment for segment in path.split("/"))
    return urlunsplit((parts.scheme, host, path, _query(parts.query), ""))


def _query(query: str) -> str:
    kept = [(k, v) for k, v in parse_qsl(query) if k in QUERY_KEYS and not event_id.holds_email(v)] if query else []
    return urlencode(kept)


def _custom_data(custom_data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Currency in capitals, nothing empty, and no e-mail address in any value or name."""
    if not custom_data:
        return None
    clean: dict[str, Any] = _without_personal_data(custom_data)
    currency = clean.get("currency")
    if isinstance(currency, str):
        clean["currency"] = currency.strip().upper()
    return clean or None


def _without_personal_data(value: Any) -> Any:
    if isinstance(value, str):
        return None if event_id.holds_email(value) else value
    if isinstance(value, dict):
        kept = ((k, _without_personal_data(v)) for k, v in value.items() if not event_id.holds_email(k))
        return {k: v for k, v in kept if v is not None}
    if isinstance(value, list):
        return [kept for item in value if (kept := _without_personal_data(item)) is not None]
    return value


def _too_deep(value: object, left: int = DEEPEST) -> bool:
    """What parses at any depth must also encode at any depth, here and at Meta."""
    if isinstance(value, dict):
        return left == 0 or any(_too_deep(member, left - 1) for member in value.values())
    if isinstance(value, list):
        return left == 0 or any(_too_deep(member, left - 1) for member in value)
    return False


def _is_public(address: str) -> bool:
    return isinstance(normalize_client_ip_address(address), str)


@lru_cache(maxsize=4)
def _day(days_since_1970: int) -> date:
    return date(1970, 1, 1) + timedelta(days=days_since_1970)


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


_encoder = msgspec.json.Encoder()
_REFUSED_NAME = Refused(
    "needs_api_key",
    "event_name",
    "a browser may not send this event; send it from your server with an API key, or let a payment webhook send it",
)
_WITHHELD = Refused("consent_denied", "consent", "the visitor declined; the event was not kept")
_NOT_A_TIME = Refused("not_a_time", "event_time", "event_time is in Unix seconds; send for example 1767225600")
_TOO_DEEP = Refused("too_deep", "custom_data", f"objects may be nested {DEEPEST} levels deep; send flat properties")
_NOT_JSON = Refused("unencodable", "custom_data", "a value has no JSON form; send 64-bit integers and valid Unicode")
