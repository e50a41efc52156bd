"""From any JSON value to an `Event`: what is certain is read, what is uncertain is left out and told.

A clean event never comes here: `reading.read_event` decodes it in one step. This is the way of all others: numbers that
went through a spreadsheet (`zip: 94035.0`), PHP's empty array where an object belongs, `null` in lists, other programs'
names (`phoneNumber`), objects as JSON text.

What could go wrong: an event is lost for a member that nobody needs, or worse, a member is read as something that it
was not. The rules:

- An optional member never costs its event. Whatever its type, it is read, or left out with a reason.
- Three members are refused with the remedy instead, since to leave them out would change what the event says: its name,
  where it happened (`action_source`), and when (`event_time`; a wrong moment wins or loses an attribution).
- A visitor's wish is never lost. What cannot be read in `opt_out`, `gpc` and `data_processing_options` counts as the
  strictest that it could have meant. An unreadable `consent`, a name that is nearly one of these, and a "no" by another
  program's name (`ad_storage`, `do_not_sell`) are refused (`wishes.py`).
- An id that is too long keeps its meaning: its digest stands for it, so that two copies are still known as one.

Total: raises nothing. Linear: each member is looked at once, and at most MOST_MEMBERS of an object are.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import msgspec

from conversion_relay.event import ActionSource, Event, EventAsRead, Rejection, UserData
from conversion_relay.intake.flattened import is_numbered, unflattened
from conversion_relay.intake.mending import kept_apart, whole_text
from conversion_relay.intake.moment import read_moment
from conversion_relay.intake.printable import printable_name
from conversion_relay.intake.spellings import EVENT_MEMBERS, PERSON_MEMBERS, spelling
from conversion_relay.intake.values import LeftOut, object_in, one_text
from conversion_relay.intake.wishes import passed_over, read_wish

MOST_MEMBERS = 1_000
"""Of an event, of its `user_data`; custom properties are counted by `reading`."""
LONGEST_ID, LONGEST_URL, LONGEST_TEXT = 256, 8_192, 1_024
TRACKING = ("advertiser_tracking_enabled", "application_tracking_enabled")
NO_SUCH_MEMBER = "no such member here"
_WISHES = ("consent", "gpc", "optout", "dataprocessingoptions", "dataprocessingoptionscountry")
_WISHES_BEGIN = frozenset(wish[:2] for wish in _WISHES)
_WISHES_END = frozenset(wish[-3:] for wish in _WISHES)
_NO_WISHES = frozenset({"content", "contents", "context", "contenttype"})
_MOST_COMPARED, _MOST_HINTS = 50, 5
_HINTED = [known for known, member in EVENT_MEMBERS.items() if member != "pixel"]
"""`pixel_id`, which many senders write beside an event, is Meta's number; `pixel` is the answer to another question."""


class Refused(Exception):
    """This member refuses the event; the argument is the Rejection."""


def read_members(document: object) -> Event | Rejection:
    """One event from a decoded JSON value; `EventAsRead` where something was left out.

    >>> event = read_members({"event_name": "Lead", "user_data": {"phoneNumber": "+16505551212", "shoe": 43}, "x": 1})
    >>> event.user_data, event.left_out
    (UserData(phone), (('user_data.shoe', 'no such member here'), ('x', 'no such member here')))
    """
    if not isinstance(document, dict):
        return _NOT_AN_EVENT
    if len(document) > MOST_MEMBERS:
        return _TOO_MANY
    document = unflattened(document)
    told: list[tuple[str, str]] = []
    members: dict[str, Any] = {}
    app_flags: dict[str, Any] = {}
    try:
        for name, value in document.items():
            member = name if name in _READERS else EVENT_MEMBERS.get(spelling(str(name)))
            if name in TRACKING:
                app_flags[name] = value
            elif member is None:
                if remedy := passed_over(spelling(str(name)), value):
                    raise Refused(Rejection("unknown_field", printable_name(str(name)), remedy))
                _unknown(str(name), told)
            elif value is not None and (member == name or member not in document) and member not in members:
                _read(member, value, members, told)
    except Refused as refused:
        (rejection,) = refused.args
        assert isinstance(rejection, Rejection)
        return rejection
    if "event_name" not in members:
        others = ", ".join(field for field, why in told[:5] if why.startswith(NO_SUCH_MEMBER))
        message = f"this field is required; not known here: {others}" if others else "this field is required"
        return Rejection("missing_field", "event_name", message)
    if app_flags:  # some SDKs write them beside app_data, where Meta refuses them
        members["app_data"] = app_flags | members.get("app_data", {})
    return EventAsRead(**members, left_out=tuple(told)) if told else Event(**members)


def _read(member: str, value: object, members: dict[str, Any], told: list[tuple[str, str]]) -> None:
    try:
        read = _user_data(value, told) if member == "user_data" else _READERS[member](value)
    except LeftOut as why:
        told.append((member, str(why)))
        return
    if read is not None:
        members[member] = read


def _unknown(name: str, told: list[tuple[str, str]]) -> None:
    """Left out, unless it may be a visitor's wish with a letter wrong."""
    from difflib import get_close_matches  # only an event that is misspelt pays for its import

    shown, known = printable_name(name), spelling(name)
    # To compare names closely takes long; most share neither beginning nor end with a wish.
    if (known[:2] in _WISHES_BEGIN or known[-3:] in _WISHES_END) and known not in _NO_WISHES:
        if len(told) > _MOST_COMPARED:
            raise Refused(_TOO_MANY)
        if near := get_close_matches(known, _WISHES, 1, 0.85):
            message = f"no such field here; is {EVENT_MEMBERS[near[0]]} meant? a visitor's wish is not guessed"
            raise Refused(Rejection("unknown_field", shown, message))
    meant = get_close_matches(known, _HINTED, 1, 0.8) if len(told) < _MOST_HINTS else ()
    told.append((shown, f"{NO_SUCH_MEMBER}; is {EVENT_MEMBERS[meant[0]]} meant?" if meant else NO_SUCH_MEMBER))


def _user_data(given: object, told: list[tuple[str, str]]) -> UserData:
    """Its values may have any type: `match_keys` reads them, and drops with a reason what it cannot read."""
    keys: dict[str, Any] = {}
    _take_keys(object_in(given) or {}, "user_data", keys, told)
    return UserData(**keys)


def _take_keys(given: Mapping[str, Any], path: str, keys: dict[str, Any], told: list[tuple[str, str]]) -> None:
    if len(given) > MOST_MEMBERS:
        raise Refused(_TOO_MANY)
    for name, value in given.items():
        key = name if name in _KEYS else PERSON_MEMBERS.get(spelling(str(name)))
        if key is not None:
            several = list(value.values()) if isinstance(value, dict) and is_numbered(value) else value
            keys[key] = _together(keys.get(key), several)
        elif spelling(str(name)) == "address" and path == "user_data" and isinstance(value, dict | list):
            for address in value[:100] if isinstance(value, list) else [value]:
                if isinstance(address, dict):
                    _take_keys(address, "user_data.address", keys, told)
        else:
            told.append((f"{path}.{printable_name(str(name))}", NO_SUCH_MEMBER))


def _together(one: Any, other: Any) -> Any:
    """Both values of a key that came by two names."""
    if one is None:
        return other
    return [*(one if isinstance(one, list) else [one]), *(other if isinstance(other, list) else [other])]


def _text(longest: int) -> Callable[[object], str | None]:
    def read(given: object) -> str | None:
        text = one_text(given)
        if len(text) > longest:
            raise LeftOut(f"longer than {longest} characters")
        return text or None

    return read


def read_event_id(given: object) -> str | None:
    """A shop's number is a text; what is too long to keep stands as its digest. Raises LeftOut.

    >>> read_event_id(7.0), read_event_id("kurs-\\udce9")
    ('7', 'kurs-\\\\udce9')
    """
    text = one_text(given, kept_apart)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if len(text) > LONGEST_ID else text or None


def _event_name(given: object) -> str:
    if not isinstance(given, str) or not 1 <= len(given) <= 100:
        raise Refused(_WRONG_NAME)
    if "\ufffd" in whole_text(given):
        raise Refused(_HALF_READ_NAME)
    return given


def _event_time(given: object) -> int | float:
    moment = read_moment(given)
    if moment is None:
        raise Refused(NOT_A_TIME)
    return moment


def _action_source(given: object) -> str:
    if isinstance(given, list) and len(given) == 1:
        (given,) = given
    source = _SOURCES.get(spelling(given)) if isinstance(given, str) else None
    if source is None:
        raise Refused(Rejection("wrong_type", "action_source", CHOICES["action_source"]))
    return source


def read_consent(given: object) -> Literal["granted", "denied"]:
    said = given.strip().lower() if isinstance(given, str) and len(given) < 100 else given
    if said is True or said is False:
        return "granted" if said else "denied"
    if said not in ("granted", "denied"):
        raise Refused(Rejection("wrong_type", "consent", CHOICES["consent"]))
    return "denied" if said == "denied" else "granted"


def _flag(given: object) -> bool | None:
    if given in (True, False, 1, 0, "true", "false", "1", "0"):
        return given in (True, 1, "true", "1")
    raise LeftOut("neither true nor false")


def read_options(given: object) -> list[str]:
    """https://developers.facebook.com/docs/marketing-api/data-processing-options - [] says that there are none."""
    if isinstance(given, str) and given.strip().startswith("["):
        try:
            given = _decoder.decode(given)
        except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
            return ["LDU"]
    if not given:
        return []
    options = given if isinstance(given, list) else [given]
    named = [option.strip() if isinstance(option, str) else "LDU" for option in options if option not in (None, "")]
    return list(dict.fromkeys(named))[:10]


def _whole_number(given: object) -> int | None:
    text = one_text(given).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise LeftOut("no whole number")
    return int(text)


CHOICES = {
    "action_source": f"send one of {', '.join(get_args(ActionSource))}",
    "consent": "send one of granted, denied",
}
NOT_A_TIME = Rejection(
    "not_a_time",
    "event_time",
    "event_time is in Unix seconds, or ISO 8601 with a time zone; send for example 1767225600 or 2026-01-01T00:00:00Z",
)
_NOT_AN_EVENT = Rejection("wrong_type", "body", 'an event is a JSON object; send {"event_name": ...}')
_WRONG_NAME = Rejection("wrong_type", "event_name", "a name is a text of 1 to 100 characters; send for example Lead")
_HALF_READ_NAME = Rejection(
    "wrong_type",
    "event_name",
    "a letter of this name could not be read; send the body in UTF-8, and no text that is cut",
)
_TOO_MANY = Rejection("too_many_members", "body", f"an object may have {MOST_MEMBERS} members; send what Meta uses")
_READERS: dict[str, Callable[[Any], Any]] = {
    "event_name": _event_name,
    "user_data": lambda given: given,
    "event_time": _event_time,
    "event_id": read_event_id,
    "action_source": _action_source,
    "event_source_url": _text(LONGEST_URL),
    "referrer_url": _text(LONGEST_URL),
    "custom_data": object_in,
    "opt_out": read_wish,
    "data_processing_options": read_options,
    "data_processing_options_country": _whole_number,
    "data_processing_options_state": _whole_number,
    "app_data": object_in,
    "original_event_data": object_in,
    "attribution_data": object_in,
    "messaging_channel": _text(LONGEST_TEXT),
    "customer_segmentation": _text(LONGEST_TEXT),
    "advanced_measurement_table": _text(LONGEST_TEXT),
    "consent": read_consent,
    "gpc": read_wish,
    "pixel": _flag,
}
_SOURCES: dict[str, str] = {spelling(source): source for source in get_args(ActionSource)}
_KEYS = frozenset(UserData.__struct_fields__)
_decoder = msgspec.json.Decoder()
