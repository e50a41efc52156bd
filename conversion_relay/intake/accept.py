"""The door: a submission comes in with a person in it, a sealed event goes out without one.

After `accept` no code can see an e-mail address or a phone number: outbox, logs, dashboard and dead letters hold
only what it returns. The steps, and why they stand in this order:

1. Who may send this. A browser needs no key, so it may not say that money moved. First, because it costs nothing and
   the answer must not depend on what else is in the event.
2. Consent. Before anything of the person is looked at: of a visitor who declined not even a finding is made.
3. The time, since click ids, birth dates and validation need to know when. What is no time is refused here.
4. Every other text of the event is scrubbed of persons, before anything can quote it (`intake/scrub`): free objects
   (`free_form`), URLs, and members that would be sent as they are.
5. The event id: the caller's own, with a person in it replaced by a digest; else a new UUID.
6. Match keys: the request fills in what the caller left out (address, user agent, click), then all are normalised and
   hashed. Here the person ends; a value that cannot be used is dropped with a reason and never costs the event.
7. Validation, last: it judges the finished JSON, the same that will be sent (`meta/validate.py`).

`prepare` is steps 1 to 6, so that `examine` can list every finding. Rejected: to hash at sending (the file would hold
persons), and to validate first (a rule could then judge another text than the one that is sent).
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec

from conversion_relay import event_id as event_ids
from conversion_relay.errors import leaves_no_variables
from conversion_relay.event import PUBLIC_EVENT_NAMES, ActionSource, Event, EventAsRead, Rejection, SealedEvent
from conversion_relay.intake import consent
from conversion_relay.intake.at_a_look import Common, at_a_look
from conversion_relay.intake.common_event import as_event
from conversion_relay.intake.free_form import free_members
from conversion_relay.intake.match_keys import VISITOR, match_keys_of, visitor_of
from conversion_relay.intake.members import NOT_A_TIME
from conversion_relay.intake.mending import DEEPEST, Tell
from conversion_relay.intake.moment import event_time_of
from conversion_relay.intake.options import complete_channel, complete_options
from conversion_relay.intake.page_money import WrongMoney, without_wrong_money
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.intake.scrub import Removed, scrub_event_id, scrub_page
from conversion_relay.meta.customer_information import DroppedKey
from conversion_relay.meta.validate import errors, expiry

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
    max_value: float | None = None
    """The most money that a page may report in one event."""


class Acceptance(msgspec.Struct, frozen=True):
    """The door's answer to an event it takes."""

    event: SealedEvent
    dropped: tuple[str, ...] = ()
    """What was left out or completed, as "path: reason"; told to the caller, never stored."""
    removed: tuple[tuple[str, str], ...] = ()
    """What of `dropped` was personal data, as (member of the event, kind); for counting."""
    wrong_money: tuple[str, ...] = ()
    """What of `dropped` was a page's amount or currency that cannot be read, by the rule's code; for counting."""


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
    event = submission.event
    is_browser = submission.sender == "browser"
    said = event.consent or facts.consent
    if (
        # No more than a part of what `consent_decision` answers with SEND.
        (said == "granted" or (said is None and policy.silence == "send"))
        and not (event.gpc or facts.gpc)
        and not policy.variants
        and not (is_browser and event.event_name not in policy.public_event_names)
        and not (is_browser and policy.max_value is not None and event.custom_data)
    ):
        look = at_a_look(event, facts, policy.default_country, now, is_browser=is_browser)
        if look is not None:
            wire, dropped = look
            named = wire.event_name, wire.event_id, wire.event_time, wire.action_source
            return _sealed(wire, *named, dropped, policy.dataset, said)
    prepared = prepare(submission, facts, policy, now=now, entropy=entropy)
    if isinstance(prepared, Rejection):
        return prepared
    if is_browser and policy.max_value is not None and _is_above(prepared[0], policy.max_value):
        return _TOO_MUCH
    return _judged(prepared, policy.dataset, said, now)


Dropped = DroppedKey | Removed | WrongMoney
Prepared = tuple[dict[str, Any], list[Dropped]]
"""Meta's JSON of an event that is not judged yet, and what was left out of it: a match key by its own name, anything
else by its path."""


@leaves_no_variables
def prepare(
    submission: Submission, facts: RequestFacts, policy: Policy, *, now: float, entropy: bytes
) -> Prepared | Rejection:
    """Steps 1 to 6 of the module's docstring: everything but the judgement."""
    event = _trimmed(as_event(submission.event))
    is_browser = submission.sender == "browser"
    if is_browser and event.event_name not in policy.public_event_names:
        return _REFUSED_NAME
    decision = consent_decision(event, facts, policy)
    if decision is consent.Decision.WITHHOLD:
        is_silent = (event.consent or facts.consent) is None
        return _SILENT if is_silent and policy.silence == "withhold" else _WITHHELD
    limited = decision is consent.Decision.LIMITED_DATA_USE
    event_time = event_time_of(event.event_time, now, is_browser=is_browser)
    if event_time is None:
        return NOT_A_TIME
    if event.action_source not in _ACTION_SOURCES:
        return _NO_SUCH_SOURCE
    told: list[Dropped] = [DroppedKey(*what) for what in event.left_out] if type(event) is EventAsRead else []

    def tell(path: str, reason: str) -> None:
        told.append(DroppedKey(path, reason))

    try:
        wire, removed = free_members(event, tell)
        if is_browser and "custom_data" in wire:
            wire["custom_data"], wrong = without_wrong_money(wire["custom_data"], event.event_name)
            told += wrong
        person: dict[str, Any] = msgspec.to_builtins(event.user_data)
    except RecursionError:
        return _TOO_DEEP
    except (OverflowError, UnicodeEncodeError, TypeError, ValueError):
        return _NOT_JSON
    _complete(wire, event, event_time, facts, removed)
    wire["event_id"] = _event_id(event.event_id, removed, tell) or event_ids.uuid7(now, entropy)
    if limited and not wire.get("data_processing_options"):  # an empty list is what platforms write everywhere
        wire |= {"data_processing_options": ["LDU"], "data_processing_options_country": 0}
        wire["data_processing_options_state"] = 0
    if "data_processing_options" in wire:
        complete_options(wire, tell)
    if "messaging_channel" in wire:
        complete_channel(wire, tell)
    visitor = visitor_of(event, facts, event_time, is_browser=is_browser, now=now)
    person |= {name: value for name, value in zip(VISITOR, visitor, strict=True) if value is not None}
    wire["user_data"], dropped = match_keys_of(
        person, removed, policy.default_country, now=now, variants=policy.variants
    )
    return wire, [*removed, *dropped, *told]


def _trimmed(event: Event) -> Event:
    """Without the blanks that a table or a template left around the name: to Meta " Purchase" is no Purchase."""
    name = event.event_name.strip() if isinstance(event.event_name, str) else ""
    return event if name in ("", event.event_name) else msgspec.structs.replace(event, event_name=name)


def _event_id(given: str | None, removed: list[Removed], tell: Tell) -> str | None:
    """As it is kept; None where the event needs an id of its own."""
    if given is not None and event_ids.names_no_event(given):
        tell("event_id", _NO_ID)
        return None
    return None if given is None else scrub_event_id(given, removed)


def consent_decision(event: Event, facts: RequestFacts, policy: Policy) -> consent.Decision:
    """The event's own word counts, else what the visitor said before. GPC counts as a header and as a member."""
    said, gpc = event.consent or facts.consent, facts.gpc or bool(event.gpc)
    if said is None and not gpc and policy.silence == "send":
        return consent.Decision.SEND
    return consent.decision(said, gpc=gpc, policy=policy.gpc, silence=policy.silence)


def _judged(prepared: Prepared, dataset: str, said: str | None, now: float) -> Acceptance | Rejection:
    wire, dropped = prepared
    if found := errors(wire, now):
        finding = found[0]
        message = f"{finding.message}; {finding.fix}"
        if dropped and finding.path == "user_data":  # nobody is left in it, perhaps for a name that is misspelt
            message += f"; left out: {', '.join(one.field for one in dropped[:5])}"
        elif why := next((one.reason for one in dropped if one.field == finding.path), None):
            message += f"; what came was left out: {why}"
        return Rejection(finding.code, finding.path, message)
    named = wire["event_name"], wire["event_id"], wire["event_time"], wire["action_source"]
    return _sealed(wire, *named, dropped, dataset, said)


def _sealed(
    wire: dict[str, Any] | Common,
    name: str,
    event_id: str,
    event_time: int,
    action_source: str,
    dropped: Sequence[Dropped],
    dataset: str,
    said: str | None,
) -> Acceptance | Rejection:
    try:
        body = _encoder.encode(wire)
    except (OverflowError, UnicodeEncodeError, TypeError, ValueError):
        return _NOT_JSON
    event = SealedEvent(
        dataset=dataset,
        event_name=name,
        event_id=event_id,
        event_time=event_time,
        expires_at=expiry(event_time, action_source),
        body=body,
        consent="granted" if said == "granted" else None,
    )
    if not dropped:
        return Acceptance(event)
    told = tuple(f"{one.field}: {one.reason}" for one in dropped)
    removed = tuple(one.counted for one in dropped if isinstance(one, Removed) and one.kind)
    return Acceptance(event, told, removed, tuple({one.code: 1 for one in dropped if isinstance(one, WrongMoney)}))


def _complete(wire: dict[str, Any], event: Event, event_time: int, facts: RequestFacts, removed: list[Removed]) -> None:
    """Fills in time, URL and referrer, and scrubs both."""
    wire["event_time"] = event_time
    wire["action_source"] = event.action_source
    url, referrer = event.event_source_url, event.referrer_url
    if event.action_source == "website":
        url, referrer = url or facts.url, referrer or facts.referrer
    if url or event.event_source_url is not None:
        _set(wire, "event_source_url", scrub_page("event_source_url", url, removed))
    if referrer or event.referrer_url is not None:
        _set(wire, "referrer_url", scrub_page("referrer_url", referrer, removed))


def _is_above(wire: dict[str, Any], most: float) -> bool:
    amounts = [(wire.get("custom_data") or {}).get(name) for name in _AMOUNTS]
    return any(isinstance(amount, int | float) and amount > most for amount in amounts)


def _set(wire: dict[str, Any], name: str, value: Any) -> None:
    if value:
        wire[name] = value
    else:
        wire.pop(name, None)


_encoder = msgspec.json.Encoder()
_REFUSED_NAME = Rejection(
    "needs_api_key",
    "event_name",
    "a browser may not send this event; send it from your server with an API key, or let a payment webhook send it",
)
_NO_ID = "a word for nothing or an unfilled template, which all visitors would share; the event got an id of its own"
_AMOUNTS = ("value", "predicted_ltv", "net_revenue")
_TOO_MUCH = Rejection(
    "value_too_high",
    "custom_data.value",
    "this is more than a page may report here (RELAY_MAX_VALUE); let a payment webhook or your server send it",
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
_ACTION_SOURCES = frozenset(get_args(ActionSource))
_NO_SUCH_SOURCE = Rejection("wrong_type", "action_source", f"send one of {', '.join(get_args(ActionSource))}")
_TOO_DEEP = Rejection("too_deep", "custom_data", f"objects may be nested {DEEPEST} levels deep; send flat properties")
_NOT_JSON = Rejection("unencodable", "custom_data", "a value has no JSON form; send 64-bit integers and valid Unicode")
