"""An event in which everything has its common shape, sealed in few steps: the quick way of the door (`accept.py`).

What could go wrong: a door of nine steps, each a few functions, costs four times what it takes to decode, hash and
encode an event, and finds nothing in most of them.

The rule: what can be asked of all at once is asked at once. Id, URLs and match keys are joined, a line each, and read
by one expression; `custom_data` is judged as JSON. Where a line has no common shape the careful function is asked about
that line alone. An event with a member that few have, or a `custom_data` that needs a change, goes the careful way.

Nothing is decided here: each shape is a part of what the careful twin takes as it is (`scrub/url.py`, `event_id.py`,
`customer_information/common.py`, `free_form.py`, `meta/validate.py`), and `test_at_a_look.py` compares the two ways
event by event. Rejected: to write the JSON by hand (half a microsecond less, and one more thing to trust).
"""

import re
from typing import Any

import msgspec

from conversion_relay.event import Event, UserData
from conversion_relay.event_id import ENDS_OF_NOTHING, names_no_event
from conversion_relay.intake.common_event import CommonEvent
from conversion_relay.intake.custom_data import Clean, Known, plain_number
from conversion_relay.intake.free_form import has_few_members, plain
from conversion_relay.intake.match_keys import VISITOR, match_keys_of, visitor_of
from conversion_relay.intake.request_facts import NO_FACTS, RequestFacts
from conversion_relay.intake.scrub import LONGEST_TEXT, PAGE, Removed, scrub_event_id, scrub_page
from conversion_relay.meta.click_id import may_bring_click
from conversion_relay.meta.customer_information import (
    CURRENCY_EXPONENTS,
    LINES,
    CommonKeys,
    DroppedKey,
    known_country,
    known_keys,
    line,
)
from conversion_relay.meta.event_kinds import MARGIN_SECONDS, is_plain_name
from conversion_relay.meta.validate import DAY, WITHOUT_RULES, are_too_broad
from conversion_relay.personal_data import has_zeros, is_quiet_json

_UNSET = msgspec.UNSET


class Common(msgspec.Struct, omit_defaults=True):
    """Meta's JSON of an event that has no members but these."""

    event_name: str
    event_time: int
    event_id: str
    action_source: str
    user_data: CommonKeys | dict[str, Any]
    custom_data: msgspec.Raw | msgspec.UnsetType
    event_source_url: str | msgspec.UnsetType = _UNSET
    referrer_url: str | msgspec.UnsetType = _UNSET
    data_processing_options: list[str] | msgspec.UnsetType = _UNSET
    opt_out: bool | msgspec.UnsetType = _UNSET


def at_a_look(
    event: Event, facts: RequestFacts, default_country: str | None, now: float, *, is_browser: bool
) -> tuple[Common, list[DroppedKey | Removed]] | None:
    """What `prepare` would make of this event where no rule has anything to say to it; None where it must be asked.

    For a sender who may send it, and a visitor who did not decline.
    """
    when, name, event_id = event.event_time, event.event_name, event.event_id
    given: Any = event.user_data
    if not (event_id and type(when) is int and now - _OLDEST < when <= now and _is_common(event)):
        return None
    custom = _custom_data(event.custom_data, name)
    if custom is None:
        return None
    url, referrer = event.event_source_url, event.referrer_url
    visitor = given.client_ip_address, given.client_user_agent, given.fbc, given.fbp
    keys_given = _KEYS - _all_of(given).count(None)
    if facts is not NO_FACTS or (url and may_bring_click(url)) or (referrer and may_bring_click(referrer)):
        if event.action_source == "website":
            url, referrer = url or facts.url, referrer or facts.referrer
        keys_given += visitor.count(None)
        visitor = visitor_of(event, facts, when, is_browser=is_browser, now=now)
        keys_given -= visitor.count(None)
    address, agent, fbc, fbp = visitor
    country = known_country(default_country) if default_country else None
    lines = (
        *(event_id, url or "", referrer or "", given.em or given.email or "", given.ph or given.phone or ""),
        *(given.zp or given.zip or "", given.external_id or "", address or "", agent or "", fbc or "", fbp or "", ""),
    )
    names = (
        *(given.fn or given.first_name or "", given.ln or given.last_name or ""),
        *(given.ct or given.city or "", given.st or given.state or ""),
    )
    groups, keys, known = _found(lines, names, given.country, country)
    removed: list[Removed] = []
    dropped: list[DroppedKey] = []
    wire = Common(name, when, event_id, event.action_source, _NOBODY, custom)
    if event.opt_out is not None or event.data_processing_options is not None:
        _add_wishes(wire, event)
    known_id, known_url, known_referrer = groups[:3]
    if url:
        wire.event_source_url = _page("event_source_url", url, known_url, removed)
    if referrer:
        wire.referrer_url = _page("referrer_url", referrer, known_referrer, removed)
    if (not known_id or event_id[-1] in ENDS_OF_NOTHING) and not _take_event_id(wire, event_id, removed):
        return None
    if known == keys_given and keys is not None:
        wire.user_data = keys
        if keys.em is keys.ph is keys.external_id is keys.client_ip_address is keys.fbp is keys.fbc:
            return None  # perhaps too broad
    else:
        person = msgspec.to_builtins(given) | {k: v for k, v in zip(VISITOR, visitor, strict=True) if v is not None}
        found_already = None if keys is None else msgspec.to_builtins(keys)
        wire.user_data, dropped = match_keys_of(person, removed, default_country, now=now, known=found_already)
        if are_too_broad(wire.user_data):
            return None
    return wire, [*removed, *dropped] if removed or dropped else _NOTHING


def _is_common(event: Event) -> bool:
    """Of a common kind, with the members that most events have."""
    return (
        is_plain_name(event.event_name)
        and event.action_source in WITHOUT_RULES
        and (type(event) is CommonEvent or (type(event) is Event and has_few_members(event)))
        and (event.opt_out is None or event.opt_out is False)
        and (event.data_processing_options is None or event.data_processing_options == [])
        and type(event.user_data) is UserData
    )


_Custom = msgspec.Raw | msgspec.UnsetType | None
Names = tuple[Any, Any, Any, Any]
Found = tuple[tuple[str | None, ...], CommonKeys | None, int]


def _found(lines: tuple[Any, ...], names: Names, named: Any, country: str | None) -> Found:
    """The groups of `_EVENT`, the keys that are known, and how many these are."""
    try:
        found = _EVENT.fullmatch("\n".join(lines))
        groups = found.groups() if found else _NOTHING_FOUND  # a line too many
        return groups, *known_keys(groups[3:], names, named, country)
    except (TypeError, AttributeError):  # a list or a number
        fn, ln, ct, st = map(_alone, names)
    try:
        # By several countries nothing can be read at a look, and a list of them has no answer here.
        found = _EVENT.fullmatch("\n".join(map(_alone, lines)))
        groups = found.groups() if found else _NOTHING_FOUND
        return groups, *known_keys(groups[3:], (fn, ln, ct, st), _alone(named) or named, country)
    except (TypeError, AttributeError):
        return _NOTHING_FOUND, None, 0


def _alone(value: Any) -> Any:
    """What stands alone in a list, as SDKs write it, is that value; several have no common shape."""
    if type(value) is not list:
        return value
    return value[0] if len(value) == 1 else ""


def _add_wishes(wire: Common, event: Event) -> None:
    """Customer data platforms write that there is none."""
    if event.opt_out is not None:
        wire.opt_out = False
    if event.data_processing_options is not None:
        wire.data_processing_options = []


def _take_event_id(wire: Common, event_id: str, removed: list[Removed]) -> bool:
    if names_no_event(event_id):
        return False
    wire.event_id = scrubbed = scrub_event_id(event_id, removed)
    return scrubbed.isprintable() and not scrubbed.isspace()


def _page(name: str, url: str, known: str | None, removed: list[Removed]) -> str | msgspec.UnsetType:
    if known and not has_zeros(url) and ".me" not in url.lower():  # with the fragment: what it holds is told of
        return known
    return scrub_page(name, url, removed) or _UNSET


def _custom_data(custom: Known | dict[str, Any] | None, event_name: str) -> _Custom:
    """As JSON; None where more than the currency's case has to change, or a rule of Meta's has something to say."""
    if type(custom) is not Known:
        return _object(custom, event_name)  # type: ignore[arg-type]
    encoded = _encode(custom)
    boxes = 1 + (custom.content_ids is not _UNSET)
    if custom.contents is not _UNSET:
        boxes += 1 + len(custom.contents)
    if len(encoded) == len(b"{}") or len(encoded) > LONGEST_TEXT or not is_quiet_json(encoded, boxes):
        return _object(msgspec.to_builtins(custom), event_name)
    return _judged(custom, encoded, event_name)


def _object(custom: dict[str, Any] | None, event_name: str) -> _Custom:
    """The same of one that may hold anything."""
    if not custom:
        return None if event_name == "Purchase" else _UNSET
    if type(custom) is dict and None in custom.values():  # what many write for what is not there
        return _object({name: value for name, value in custom.items() if value is not None}, event_name)
    is_text = type(custom) is dict and type(custom.get("value")) is str
    if is_text:
        custom = custom | {"value": plain_number(custom["value"])}
    found = plain(custom)
    if found is None:
        return None
    clean, encoded = found
    if is_text and (encoded.find(b'""') >= 0 or encoded.find(b"[]") >= 0):
        return None  # who mends one member tidies the others
    return _judged(clean, encoded, event_name, custom)


def _judged(clean: Clean, encoded: bytes, event_name: str, custom: dict[str, Any] | None = None) -> msgspec.Raw | None:
    """`encoded` by Meta's rules. `custom`: the object that it is of, where that is not `clean` alone."""
    value, currency = clean.value, clean.currency
    if value is _UNSET:
        if currency is not _UNSET or event_name == "Purchase":
            return None
    elif not 0 <= value < 1e300 or currency is _UNSET:
        return None
    elif currency not in CURRENCY_EXPONENTS:
        currency = currency.strip().upper()
        if currency not in CURRENCY_EXPONENTS:
            return None
        changed = {"currency": currency}
        encoded = _encode(msgspec.structs.replace(clean, **changed) if custom is None else custom | changed)
    if clean.predicted_ltv is not _UNSET or clean.net_revenue is not _UNSET or encoded.find(b'"id":""') >= 0:
        return None
    return msgspec.Raw(encoded)


_KEYS = len(UserData.__struct_fields__)
_OLDEST = 7 * DAY - MARGIN_SECONDS
# No zeros that a phone number could begin with, no "wa.me".
_ID = line(r"((?!00)[A-Za-z0-9-]++(?:(?:_(?!00)|\.(?![mM]))[A-Za-z0-9-]*+)*)")
_EVENT = re.compile(_ID + line(PAGE) + line(PAGE) + LINES)
_NOTHING_FOUND: tuple[str | None, ...] = (None,) * _EVENT.groups
_NOBODY = CommonKeys()
_NOTHING: list[DroppedKey | Removed] = []
_all_of = msgspec.structs.astuple
_encode = msgspec.json.Encoder().encode
