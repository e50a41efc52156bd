"""The door: a submission comes in with a person in it, a sealed event goes out without one.

After `accept` no code can see an e-mail address or a phone number: outbox, logs, dashboard and dead letters hold
only what it returns. The steps, and why they stand in this order:

1. Who may send this. A browser needs no key, so it may not say that money moved. First, because it costs nothing and
   the answer must not depend on what else is in the event.
2. Consent. Before anything of the person is looked at: of a visitor who declined not even a finding is made.
3. The time, since click ids, birth dates and validation need to know when. What is no time is refused here.
4. Free objects and URLs are scrubbed of e-mail addresses, before anything can quote them.
5. The event id: the caller's own, with an e-mail address in it replaced by its digest; else a new UUID.
6. Match keys: the request fills in what the caller left out (address, user agent, click), then all are normalised and
   hashed. Here the person ends; a value that cannot be used is dropped with a reason and never costs the event.
7. Validation, last: it judges the finished JSON, the same that will be sent (`meta/validate.py`).

`prepare` is steps 1 to 6, so that `examine` can list every finding. Rejected: to hash at sending (the file would hold
persons), and to validate first (a rule could then judge another text than the one that is sent).
"""

from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Literal

import msgspec

from conversion_relay import event_id
from conversion_relay.event import PUBLIC_EVENT_NAMES, Event, EventAsRead, Rejection, SealedEvent
from conversion_relay.intake import consent
from conversion_relay.intake.custom_data import tidy
from conversion_relay.intake.members import NOT_A_TIME
from conversion_relay.intake.mending import DEEPEST, Tell, is_too_deep, mended
from conversion_relay.intake.moment import read_moment
from conversion_relay.intake.options import complete_app_data, complete_options
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.intake.scrub import may_hold_personal_data, scrub_url, without_personal_data
from conversion_relay.meta import click_id
from conversion_relay.meta.customer_information import DroppedKey, match_keys
from conversion_relay.meta.customer_information.network import normalize_client_ip_address
from conversion_relay.meta.validate import CLOCK_SKEW, errors, expiry

Sender = Literal["browser", "backend"]
"""A browser may say what was seen. A backend (API key, verified webhook, own code) may also say what was paid."""


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """An event and who brought it."""

    event: Event
    sender: Sender = "backend"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's choices that the door needs; `Settings.policy` makes it for one dataset."""

    dataset: str
    default_country: str | None = None
    variants: bool = False
    gpc: consent.GpcPolicy = "limited_data_use"
    silence: consent.SilencePolicy = "send"
    public_event_names: frozenset[str] = PUBLIC_EVENT_NAMES


class Acceptance(msgspec.Struct, frozen=True):
    """The door's answer to an event it takes."""

    event: SealedEvent
    dropped: tuple[str, ...] = ()
    """What was left out or completed, as "field: reason"; told to the caller, never stored."""


def accept(
    submission: Submission, facts: RequestFacts, policy: Policy, *, now: float, entropy: bytes
) -> Acceptance | Rejection:
    """Seal one event, or say why not. Raises nothing.

    `now` in Unix seconds; `entropy`: 10 random bytes for the event id, used where the caller gave none.

    >>> from conversion_relay.event import UserData
    >>> event = Event(event_name="Lead", event_id="lead-1", user_data=UserData(email="joe@example.com"))
    >>> answer = accept(Submission(event=event), RequestFacts(), Policy(dataset="1"), now=1.7e9, entropy=bytes(10))
    >>> answer.event.event_id, b"joe" in answer.event.body
    ('lead-1', False)
    """
    prepared = prepare(submission, facts, policy, now=now, entropy=entropy)
    if isinstance(prepared, Rejection):
        return prepared
    granted = (submission.event.consent or facts.consent) == "granted"
    return _seal(prepared, policy.dataset, now, granted=granted)


Prepared = tuple[dict[str, Any], list[DroppedKey]]
"""Meta's JSON of an event that is not judged yet, and what was left out of it: a match key by its own name, anything
else by its path."""


def prepare(
    submission: Submission, facts: RequestFacts, policy: Policy, *, now: float, entropy: bytes
) -> Prepared | Rejection:
    """Steps 1 to 6 of the module's docstring: everything but the judgement."""
    event = submission.event
    if submission.sender == "browser" and event.event_name not in policy.public_event_names:
        return _REFUSED_NAME
    decision = consent_decision(event, facts, policy)
    if decision is consent.Decision.WITHHOLD:
        is_silent = (event.consent or facts.consent) is None
        return _SILENT if is_silent and policy.silence == "withhold" else _WITHHELD
    limited = decision is consent.Decision.LIMITED_DATA_USE
    event_time = _event_time(event.event_time, now)
    if event_time is None:
        return NOT_A_TIME
    told = [DroppedKey(*what) for what in event.left_out] if type(event) is EventAsRead else []

    def tell(path: str, reason: str) -> None:
        told.append(DroppedKey(path, reason))

    try:
        wire: dict[str, Any] = msgspec.to_builtins(event)
        person = wire.pop("user_data", {})
        free_form = {name: wire[name] for name in _FREE_FORM if name in wire}
        # Most events hold nothing to remove. One search over the encoded bytes tells, and a walk is saved.
        encoded = _encode(free_form) if free_form else b""
    except RecursionError:
        return _TOO_DEEP
    except (OverflowError, UnicodeEncodeError, TypeError, ValueError):
        return _NOT_JSON
    if encoded.count(b"{") + encoded.count(b"[") > DEEPEST and is_too_deep(free_form):
        return _TOO_DEEP
    if b"null" in encoded:  # what NaN and Infinity become
        free_form = {name: mended(value, name, tell) for name, value in free_form.items()}
        encoded = _encoder.encode(free_form)
        wire |= free_form
    if may_hold_personal_data(encoded):
        wire |= without_personal_data(free_form)
    _complete(wire, event, event_time, facts, tell)
    wire["event_id"] = _event_id(event, now, entropy)
    if limited and "data_processing_options" not in wire:
        wire |= {"data_processing_options": ["LDU"], "data_processing_options_country": 0}
        wire["data_processing_options_state"] = 0
    if "data_processing_options" in wire:
        complete_options(wire, tell)
    if "app_data" in wire:
        complete_app_data(wire)
    wire["user_data"], dropped = _match_keys(person, event, facts, policy, submission.sender, now)
    return wire, [*dropped, *told] if told else dropped


def _encode(free_form: dict[str, Any]) -> bytes:
    try:
        return _encoder.encode(free_form)
    except (OverflowError, UnicodeEncodeError):
        return _TO_BE_MENDED


def consent_decision(event: Event, facts: RequestFacts, policy: Policy) -> consent.Decision:
    """The event's own word counts, else what the visitor said before. GPC counts as a header and as a member."""
    said, gpc = event.consent or facts.consent, facts.gpc or bool(event.gpc)
    if said is None and not gpc and policy.silence == "send":
        return consent.Decision.SEND
    return consent.decision(said, gpc=gpc, policy=policy.gpc, silence=policy.silence)


def _seal(prepared: Prepared, dataset: str, now: float, *, granted: bool) -> Acceptance | Rejection:
    wire, dropped = prepared
    if found := errors(wire, now):
        finding = found[0]
        return Rejection(finding.code, finding.path, f"{finding.message}; {finding.fix}")
    try:
        body = _encoder.encode(wire)
    except (OverflowError, UnicodeEncodeError, TypeError, ValueError):
        return _NOT_JSON
    event = SealedEvent(
        dataset=dataset,
        event_name=wire["event_name"],
        event_id=wire["event_id"],
        event_time=wire["event_time"],
        expires_at=expiry(wire["event_time"], wire["action_source"]),
        body=body,
        consent="granted" if granted else None,
    )
    return Acceptance(event, tuple(f"{field}: {reason}" for field, reason in dropped) if dropped else ())


_OURS = ("consent", "gpc", "pixel", "left_out")
"""Members of an event that are for the relay and never sent to Meta."""
_FREE_FORM = ("custom_data", "app_data", "original_event_data", "attribution_data")


def _complete(wire: dict[str, Any], event: Event, event_time: int, facts: RequestFacts, tell: Tell) -> None:
    """Fills in time, URL and referrer; brings them and the currency into Meta's form; leaves out empty members."""
    for name in _OURS:
        wire.pop(name, None)
    wire["event_time"] = event_time
    wire["action_source"] = event.action_source
    url, referrer = event.event_source_url, event.referrer_url
    if event.action_source == "website":
        url, referrer = url or facts.url, referrer or facts.referrer
    if url or event.event_source_url is not None:
        _set(wire, "event_source_url", scrub_url(url))
    if referrer or event.referrer_url is not None:
        _set(wire, "referrer_url", scrub_url(referrer))
    custom_data = wire.get("custom_data")
    if custom_data:
        tidy(custom_data, tell)
        currency = custom_data.get("currency")
        if isinstance(currency, str):
            custom_data["currency"] = currency.strip().upper()
    else:
        wire.pop("custom_data", None)


def _set(wire: dict[str, Any], name: str, value: str | None) -> None:
    if value:
        wire[name] = value
    else:
        wire.pop(name, None)


def _match_keys(
    given: dict[str, Any], event: Event, facts: RequestFacts, policy: Policy, sender: Sender, now: float
) -> tuple[dict[str, object], list[DroppedKey]]:
    """Step 6: the request fills in what the caller left out; then every key is normalised and hashed."""
    visitor = facts.client_ip_address
    if visitor and (sender == "browser" or "client_ip_address" not in given) and _is_public(visitor):
        # What a browser claims about its own address is not believed; a backend passes its visitor's address on.
        given["client_ip_address"] = visitor
    if facts.client_user_agent and not given.get("client_user_agent"):
        given["client_user_agent"] = facts.client_user_agent
    if facts.fbp and not given.get("fbp"):
        given["fbp"] = facts.fbp
    if fbc := _click(given.get("fbc"), event, facts, now):
        given["fbc"] = fbc
    today = _day(int(now // 86_400))
    return match_keys(given, default_country=policy.default_country, today=today, variants=policy.variants)


def _click(given: object, event: Event, facts: RequestFacts, now: float) -> str | None:
    """The newest click: of the event's page, else the request's; else as caller or cookie say; else of the referrer."""
    page, request, referrer = event.event_source_url, facts.url, event.referrer_url or facts.referrer
    if not (given or facts.fbc) and "fbclid" not in f"{page}{request}{referrer}":
        return None
    said = given if isinstance(given, str) else None
    known = click_id.readable(said) or click_id.readable(facts.fbc)
    for url in (page, request):
        if (fbc := click_id.fbc_from_url(url, now, known=known)) and fbc != known:
            return fbc
    return known or click_id.fbc_from_url(referrer, now)


def _event_id(event: Event, now: float, entropy: bytes) -> str:
    if event.event_id is None:
        return event_id.uuid7(now, entropy)
    return event_id.without_email(event.event_id)


def _event_time(given: object, now: float) -> int | None:
    """Whole Unix seconds, or None for what is no time.

    Above 1e11 (the year 5138 in seconds) it can only be milliseconds. A time at most CLOCK_SKEW ahead becomes now.
    """
    if given is None:
        return int(now)
    if type(given) is int and 0 < given <= now:
        return given
    moment = read_moment(given)
    # Written so that NaN is refused too. math.isfinite would raise for an integer that no float can hold.
    if moment is None or not 0 < moment <= 1e14:
        return None
    seconds = int(moment / 1000) if moment > 1e11 else int(moment)
    return int(now) if now < seconds <= now + CLOCK_SKEW else seconds


def _is_public(address: str) -> bool:
    return isinstance(normalize_client_ip_address(address), str)


@lru_cache(maxsize=4)
def _day(days_since_1970: int) -> date:
    return date(1970, 1, 1) + timedelta(days=days_since_1970)


_encoder = msgspec.json.Encoder()
_TO_BE_MENDED = b"[" * (DEEPEST + 1) + b"null"
"""Stands for JSON that could not be written, and sends its objects through every check."""
_REFUSED_NAME = Rejection(
    "needs_api_key",
    "event_name",
    "a browser may not send this event; send it from your server with an API key, or let a payment webhook send it",
)
_WITHHELD = Rejection("consent_denied", "consent", "the visitor declined; the event was not kept")
_SILENT = Rejection(
    "consent_missing",
    "consent",
    'the visitor has not agreed and RELAY_CONSENT is withhold; the event was not kept: send "consent": "granted" once'
    " they do",
)
WITHHELD = frozenset({_WITHHELD.reason, _SILENT.reason})
"""Rejections that are nobody's mistake: the visitor decided. Doors answer them without an error."""
_TOO_DEEP = Rejection("too_deep", "custom_data", f"objects may be nested {DEEPEST} levels deep; send flat properties")
_NOT_JSON = Rejection("unencodable", "custom_data", "a value has no JSON form; send 64-bit integers and valid Unicode")
