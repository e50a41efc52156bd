"""From bytes to events. What has a wrong shape is refused by field, and each event by itself.

A body is decoded in two steps: first its outline (an event, an array, Meta's {"data": [...]}), with each event left as
undecoded bytes; then each event alone. So one bad event among a thousand costs the others nothing. A `Rejection`
names the field and the rule; a name that came from outside is cut and cleaned before it is shown (`printable_name`).
"""

import re
from typing import Annotated, get_args

import msgspec

from conversion_relay.event import ActionSource, Event, Rejection
from conversion_relay.event_id import holds_person

MOST_EVENTS = 1_000
MOST_REPORTED = 100


class Submitted(msgspec.Struct, frozen=True):
    """What one request holds; the events are not decoded yet."""

    events: list[msgspec.Raw]
    pixel: tuple[tuple[str, str], ...] = ()
    """(event name, event id) of events that the page's pixel sent without us; they are only counted."""


def read_body(body: bytes) -> Submitted | Rejection:
    """One event, an array of events, or Meta's own {"data": [...]}.

    Beside `data` a page may report what its pixel sent by itself: {"data": [], "pixel": [["ViewContent", "id"]]}.

    >>> len(read_body(b'{"data": [{"event_name": "Lead"}, {"event_name": "Contact"}]}').events)
    2
    >>> read_body(b'{"data": [], "pixel": [["ViewContent", "a"]]}').pixel
    (('ViewContent', 'a'),)
    >>> read_body(b"[]").reason
    'no_events'
    """
    pixel: tuple[tuple[str, str], ...] | None = None
    start = body.lstrip()[:1]
    try:
        if start == b"[":
            events = _list_decoder.decode(body)
        elif start == b"{":
            members = _members_decoder.decode(body)
            if "data" not in members:
                return Submitted([msgspec.Raw(body)])
            if others := sorted(members.keys() - {"data", "pixel"}):
                return Rejection("unknown_field", printable_name(others[0]), "beside data and pixel nothing is read")
            if "pixel" in members:
                reported = _reported(members["pixel"])
                if isinstance(reported, Rejection):
                    return reported
                pixel = reported
            events = _list_decoder.decode(members["data"])
        else:
            return _NOT_EVENTS
    except msgspec.ValidationError:
        return Rejection("wrong_type", "data", "data is an array of events")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Rejection("unreadable", "body", "the body is not valid JSON in UTF-8")
    if not events and pixel is None:
        return Rejection("no_events", "data", "send at least one event")
    if len(events) > MOST_EVENTS:
        return Rejection("too_many_events", "data", f"send at most {MOST_EVENTS} events in one request")
    return Submitted(events, pixel or ())


def _reported(raw: msgspec.Raw) -> tuple[tuple[str, str], ...] | Rejection:
    """The pairs that can be counted; one that holds an e-mail address or a phone number is left out."""
    try:
        pairs = _pixel_decoder.decode(raw)
    except msgspec.ValidationError as error:
        return wrong_shape(error, "pixel")
    return tuple(pair for pair in pairs if not any(map(holds_person, pair)))


def read_events(body: bytes) -> list[msgspec.Raw] | Rejection:
    """The events of a body in which no pixel report is expected."""
    submitted = read_body(body)
    if isinstance(submitted, Submitted):
        return submitted.events or Rejection("no_events", "data", "send at least one event")
    return submitted


def read_lines(body: bytes) -> list[msgspec.Raw] | Rejection:
    """The same for a file, which may also be JSON lines (one event a line) and hold any number of events."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) > 1 and all(_is_json(line) for line in lines):
        return [msgspec.Raw(line) for line in lines]
    if body.lstrip()[:1] == b"[":
        try:
            return _list_decoder.decode(body) or Rejection("no_events", "data", "send at least one event")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Rejection("unreadable", "body", "the file is not valid JSON in UTF-8")
    return read_events(body)


def read_event(raw: msgspec.Raw | bytes) -> Event | Rejection:
    """One event, or what is wrong with its shape.

    >>> read_event(b'{"user_data": {}}')
    Rejection(reason='missing_field', field='event_name', message='this field is required')
    >>> read_event(b'{"event_name": "Lead", "user_data": {"mail": "x"}}').field
    'user_data.mail'
    """
    try:
        return _event_decoder.decode(raw)
    except msgspec.ValidationError as error:
        return wrong_shape(error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Rejection("unreadable", "body", "the event is not valid JSON in UTF-8")


def wrong_shape(error: msgspec.ValidationError, path: str = "") -> Rejection:
    """msgspec's sentence as a reason, the field's path (below `path`), and a message without the value."""
    sentence = str(error)
    found = re.search(r" - at `\$\.?(.*)`$", sentence)
    where = ".".join(part for part in (path, found[1] if found else "") if part)
    for pattern, reason, message in _SHAPES:
        if named := re.match(pattern, sentence, re.DOTALL):
            name = printable_name(named[1])
            return Rejection(reason, f"{where}.{name}" if where else name, message)
    if sentence.startswith("Invalid enum value"):
        # The one sentence of msgspec's that quotes the value.
        return Rejection("wrong_type", where or "body", _CHOICES.get(where.rpartition(".")[2], _NO_CHOICE))
    return Rejection("wrong_type", where or "body", printable_name(sentence.partition(" - at ")[0]))


_SHAPES = (
    (r"Object missing required field `(.*?)`", "missing_field", "this field is required"),
    (r"Object contains unknown field `(.*?)`", "unknown_field", "no such field here; your own go into custom_data"),
)

_CHOICES = {
    "action_source": f"send one of {', '.join(get_args(ActionSource))}",
    "consent": "send one of granted, denied",
}
_NO_CHOICE = "this field takes certain values only, and this is none of them; see the page for the field"


def printable_name(text: str) -> str:
    """A name from outside, fit to be shown: at most 100 printable characters, "..." if it holds a person or none."""
    clean = "".join(c for c in text[:1_000] if c.isprintable())[:100]
    return "..." if not clean or "@" in clean or holds_person(text[:1_000]) else clean


def _is_json(line: bytes) -> bool:
    try:
        _raw_decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return line.lstrip()[:1] == b"{"


_event_decoder = msgspec.json.Decoder(Event)
_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_members_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_pixel_decoder = msgspec.json.Decoder(Annotated[list[tuple[_Name, _Id]], msgspec.Meta(max_length=MOST_REPORTED)])
_raw_decoder = msgspec.json.Decoder(msgspec.Raw)
_NOT_EVENTS = Rejection("unreadable", "body", 'send JSON: an event, an array of events, or {"data": [...]}')
