"""Everything that is wrong with a document that somebody means as an event: for `conversion-relay validate`.

The door stops at the first reason to refuse, and mends what it can. `examine` lists everything at once, in two views:
the document as it stands (`_as_it_stands`: what the relay would mend and Meta would not take), and the event that the
door would make of it (`_as_sealed`). A member with a wrong shape is told and left out, so that the rest can be judged.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

import msgspec

from conversion_relay.event import CustomData, Event, Rejection, UserData
from conversion_relay.intake.accept import Policy, Submission, prepare
from conversion_relay.intake.custom_data import plain_number
from conversion_relay.intake.event_document import read_document
from conversion_relay.intake.free_form import NOT_FREE
from conversion_relay.intake.members import NOT_A_TIME, read_members
from conversion_relay.intake.misshapen import wrong_shape
from conversion_relay.intake.moment import read_moment
from conversion_relay.intake.page_money import WrongMoney
from conversion_relay.intake.printable import printable_name
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.intake.scrub import Removed, scrub_event_id, scrub_url, without_personal_data
from conversion_relay.intake.spellings import EVENT_MEMBERS, PERSON_MEMBERS, spelling
from conversion_relay.intake.wishes import passed_over
from conversion_relay.meta.advice import advise
from conversion_relay.meta.customer_information import READABLE_NAMES, DroppedKey
from conversion_relay.meta.finding import PAGES, Finding, worst_first
from conversion_relay.meta.validate import as_it_stands, errors

_SERVER_EVENT = f"{PAGES}/parameters/server-event"
_CUSTOMER_INFORMATION = f"{PAGES}/parameters/customer-information-parameters"
_MILLISECONDS_FROM = 1e11
_NOT_HERE = "no such field here; properties of your own go into custom_data"


def examine(document: object, policy: Policy, now: float) -> list[Finding]:
    """All findings, errors first; none of them shows a value. `now` in Unix seconds.

    >>> document = {"event_name": "Lead", "event_time": 1700000000000, "user_data": {"mail": 1}}
    >>> [(finding.code, finding.path) for finding in examine(document, Policy(dataset="1"), 1.7e9)][:3]
    [('unknown_field', 'user_data.mail'), ('milliseconds', 'event_time'), ('too_broad', 'user_data')]
    """
    if not isinstance(document, dict):
        return [_finding("wrong_type", "event", "an event is a JSON object", 'send {"event_name": ...}')]
    document, findings = _in_metas_names(document)
    findings += [*_shape(document), *_as_it_stands(document)]
    findings += _as_sealed(_readable_part(document), policy, now)
    # What is wrong as it stands is often wrong when sealed, too. The first is kept: it knows the caller's own names.
    told: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        told.setdefault((finding.code, finding.path), finding)
    return worst_first(told.values())


def examine_bytes(raw: bytes, policy: Policy, now: float) -> list[Finding]:
    """The same for an event as it stands in a file; it may be too large, written in another charset, or no JSON.

    >>> [finding.code for finding in examine_bytes(b'{"event_name": "Le', Policy(dataset="1"), 1.7e9)]
    ['unreadable']
    """
    document = read_document(raw)
    if isinstance(document, Rejection):
        what, _, fix = document.message.partition("; ")
        otherwise = "mend the file" if document.reason == "unreadable" else "leave out what Meta does not use"
        return [Finding(document.reason, "event", "error", what, fix or otherwise, "")]
    return worst_first([*_as_written(raw), *examine(document, policy, now)])


def _as_written(raw: bytes) -> Iterator[Finding]:
    """What a strict reader of JSON, such as Meta's, would not read. Half of a surrogate pair is no such thing."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        fix = "save the file in UTF-8; the relay replaces each letter that it cannot read"
        yield Finding("not_utf_8", "event", "error", "this is written in another charset than UTF-8", fix, "")
    if _holds_no_number(raw):
        message, fix = "NaN and Infinity are no JSON", "send a number or null; the relay leaves it out"
        yield Finding("not_a_number", "event", "error", message, fix, "")


def _holds_no_number(raw: bytes) -> bool:
    try:
        msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        found: list[str] = []
        json.loads(raw.decode("utf-8", "replace"), parse_constant=found.append, parse_int=len)
        return bool(found)
    return False


def _in_metas_names(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """`eventName` under the name that Meta has for it; the door reads both, Meta one."""
    known = _TYPES[Event].keys()
    found, findings = {name: value for name, value in document.items() if name in known}, []
    for name, value in document.items():
        meant = None if name in known else EVENT_MEMBERS.get(spelling(name))
        if meant is None or meant in found:
            found.setdefault(name, value)
            continue
        found[meant] = value
        message, fix = "Meta has another name for it", f"send it as {meant}; the relay does it by itself"
        findings.append(_finding("other_spelling", printable_name(name), message, fix, subcode=2804019))
    return found, findings


def _shape(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Every unknown name and every wrong type; msgspec alone would stop at the first."""
    if "event_name" not in document:
        yield _finding("missing_field", "event_name", "this field is required", "say what happened, such as Purchase")
    for _, refused in _wrong_members(document, Event, ""):
        yield _refused(refused)
    user_data = document.get("user_data")
    if isinstance(user_data, dict):
        for _, refused in _wrong_members(user_data, UserData, "user_data"):
            yield _finding(
                refused.reason,
                refused.field,
                refused.message,
                _NAMES if refused.reason == "unknown_field" else _VALUES,
                _CUSTOMER_INFORMATION,
            )


def _wrong_members(
    document: Mapping[str, Any], kind: type[msgspec.Struct], path: str
) -> Iterator[tuple[str, Rejection]]:
    """Each member's own name, and what is wrong with it."""
    types = _TYPES[kind]
    for name, value in document.items():
        shown = printable_name(name)
        where = f"{path}.{shown}" if path else shown
        if kind is UserData and name not in types:
            known = PERSON_MEMBERS.get(spelling(name))
            if known is None and not (spelling(name) == "address" and isinstance(value, dict | list)):
                yield name, Rejection("unknown_field", where, "no such match key; it is not sent")
        elif name not in types:
            yield name, Rejection("unknown_field", where, passed_over(spelling(name), value) or _NOT_HERE)
        elif name == "event_time" and isinstance(value, str):
            if read_moment(value) is None:
                yield name, NOT_A_TIME
        elif not (name == "user_data" and isinstance(value, dict)):
            several = kind is UserData and isinstance(value, list)
            try:
                msgspec.convert([one for one in value if one is not None] if several else value, types[name])
            except msgspec.ValidationError as error:
                yield name, wrong_shape(error, where)


def _readable_part(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what has a wrong shape, so that the rest can be judged too."""
    part = {"event_name": "Lead"} | _right_members(document, Event)
    if isinstance(user_data := part.get("user_data"), dict):
        part["user_data"] = _right_members(user_data, UserData)
    return part


def _right_members(document: Mapping[str, Any], kind: type[msgspec.Struct]) -> dict[str, Any]:
    wrong = {name for name, _ in _wrong_members(document, kind, "")}
    return {name: value for name, value in document.items() if name not in wrong}


def _as_it_stands(document: Mapping[str, Any]) -> Iterator[Finding]:
    """What Meta would refuse or take amiss, and the relay mends on the way."""
    yield from _event_time(document.get("event_time"))
    yield from as_it_stands(document)
    yield from _nothing_in_a_list(document.get("user_data"))
    custom = document.get("custom_data")
    value = custom.get("value") if isinstance(custom, dict) else None
    if isinstance(value, str) and plain_number(value) is not None:
        message, fix = "a number sent as text", "send a number; the relay makes it one"
        yield Finding("text_amount", "custom_data.value", "hint", message, fix, f"{PAGES}/parameters/custom-data")
    if isinstance(custom, dict):
        yield from _other_spellings(custom)
    yield from _personal_data(document)
    for name in ("event_source_url", "referrer_url"):
        url = document.get(name)
        if isinstance(url, str) and url and scrub_url(url) != url:
            yield Finding(
                "url_is_cut",
                name,
                "warning",
                "its query, fragment or credentials may name a person or open an account",
                "send it without; the relay keeps utm_* and fbclid alone",
                _SERVER_EVENT,
            )


def _nothing_in_a_list(user_data: object) -> Iterator[Finding]:
    for key, value in user_data.items() if isinstance(user_data, dict) else ():
        if isinstance(value, list) and any(one is None or one == "" for one in value):
            message, fix = "null or an empty text stands in this list", "leave it out; the relay does it by itself"
            path = f"user_data.{printable_name(key)}"
            yield _finding("empty_value", path, message, fix, _CUSTOMER_INFORMATION)


def _other_spellings(custom: Mapping[str, Any]) -> Iterator[Finding]:
    """`contentIds`: to Meta a property of the site's own, since it reads `content_ids` alone."""
    for name in custom:
        meant = _METAS.get(spelling(name))
        if meant is not None and meant != name and meant not in custom:
            message = "Meta reads this under another name; so it is a property of your own"
            fix = f"send it as {meant}; the relay passes on properties of your own as they are"
            where = f"custom_data.{printable_name(name)}"
            yield Finding("other_spelling", where, "warning", message, fix, f"{PAGES}/parameters/custom-data")


def _event_time(event_time: object) -> Iterator[Finding]:
    if event_time is None:
        message, fix = "Meta requires the time of the event", "the relay sets the moment it accepts the event"
        yield _finding("missing_field", "event_time", message, fix, subcode=2804019)
    elif isinstance(event_time, str):
        moment = read_moment(event_time)
        if moment is not None and event_time.isascii() and event_time.isdecimal():
            yield from _event_time(moment)
            message, fix = "a number sent as text", "send a number; the relay makes it one"
            yield Finding("text_time", "event_time", "hint", message, fix, _SERVER_EVENT)
        elif moment is not None:
            message, fix = "Meta reads Unix seconds", "send for example 1767225600; the relay does it by itself"
            yield _finding("not_seconds", "event_time", message, fix, subcode=2804019)
    elif type(event_time) is int or (isinstance(event_time, float) and math.isfinite(event_time)):
        if event_time >= _MILLISECONDS_FROM:
            message, fix = "these are milliseconds, Meta reads seconds", "divide by 1000; the relay does it by itself"
            yield _finding("milliseconds", "event_time", message, fix, subcode=2804019)
        elif isinstance(event_time, float):
            message, fix = "event_time is in whole seconds", "cut the fraction; the relay does it by itself"
            yield _finding("not_whole", "event_time", message, fix, subcode=2804019)


def _personal_data(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Also of a document that the door refuses for another reason."""
    removed: list[Removed] = []
    if isinstance(event_id := document.get("event_id"), str):
        scrub_event_id(event_id, removed)
    free = {name: value for name, value in document.items() if name in _TYPES[Event] and name not in NOT_FREE}
    free.pop("user_data", None)
    yield from map(_removed, [*removed, *without_personal_data(free)[1]])


def _removed(removed: Removed) -> Finding:
    fix = "leave it out; the relay takes it out here, and tells so in `dropped`"
    return Finding("personal_data", removed.field, "warning", removed.reason, fix, _SERVER_EVENT)


def _as_sealed(document: dict[str, Any], policy: Policy, now: float) -> Iterator[Finding]:
    """The same judgement as the door's, over what would be sent."""
    event = read_members(document)
    prepared = (
        event
        if isinstance(event, Rejection)
        else prepare(Submission(event=event), RequestFacts(), policy, now=now, entropy=bytes(10))
    )
    if isinstance(prepared, Rejection):
        yield _refused(prepared)
        return
    wire, dropped = prepared
    yield from (_removed(one) if isinstance(one, Removed) else _dropped(one) for one in dropped)
    yield from errors(wire, now)
    stated = wire if document.get("event_id") else {k: v for k, v in wire.items() if k != "event_id"}
    yield from advise(stated, now)


def _dropped(dropped: DroppedKey | WrongMoney) -> Finding:
    if dropped.field.partition("[")[0] not in _TYPES[UserData]:
        fix = "send what the page describes, or leave it out"
        return Finding("left_out", dropped.field, "warning", dropped.reason, fix, _SERVER_EVENT)
    key = READABLE_NAMES.get(dropped.field.partition("[")[0], dropped.field.partition("[")[0])
    refuses = key == "lead_id"
    return Finding(
        "dropped_value",
        f"user_data.{dropped.field}",
        "error" if refuses else "warning",
        f"this value is not sent: {dropped.reason}",
        "send what the page describes, or leave it out",
        f"{_CUSTOMER_INFORMATION}#{key}",
        2804036 if refuses else None,
    )


def _refused(refused: Rejection) -> Finding:
    """The door says what is wrong and what to do in one sentence."""
    what, _, fix = refused.message.partition("; ")
    return _finding(refused.reason, refused.field, what, fix or "see the page for the field's name and type")


def _finding(
    code: str, path: str, message: str, fix: str, link: str = _SERVER_EVENT, *, subcode: int | None = None
) -> Finding:
    return Finding(code, path, "error", message, fix, link, subcode)


_NAMES = "use Meta's names (em, ph, ...) or the readable ones (email, phone, ...)"
_VALUES = "send text, or a list of texts where the page allows several"
_METAS = {spelling(name): name for name in CustomData.__struct_fields__}
_TYPES: dict[type[msgspec.Struct], dict[str, Any]] = {
    kind: get_type_hints(kind, include_extras=True) for kind in (Event, UserData)
}
