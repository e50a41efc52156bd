"""From bytes to events, each by itself: what is wrong with one costs the others nothing.

A body is decoded in two steps: first its outline (an event, an array, Meta's {"data": [...]}), with each event left as
undecoded bytes; then each event alone. A decoder does both for what is well written. What it refuses is taken apart by
`splitting`, brought into JSON's form by `mending`, and read member by member by `members`; each of them is linear, and
bounded by the limits below. A `Rejection` names the field and the rule; a name that came from outside is cut and
cleaned before it is shown (`printable_name`).

Meta's own samples and SDKs also send `data` as JSON text, and each event in it as JSON text; both are read, and so is a
body that is JSON text as a whole. So are JSON lines, as shippers of logs send them.
"""

from typing import Annotated, NamedTuple

import msgspec

from conversion_relay.event import Event, Rejection
from conversion_relay.event_id import holds_person
from conversion_relay.intake.event_document import place_of_error, read_document, too_large
from conversion_relay.intake.flattened import is_numbered
from conversion_relay.intake.members import read_members
from conversion_relay.intake.mending import decode, kept_apart
from conversion_relay.intake.misshapen import wrong_shape
from conversion_relay.intake.naming import named_datasets, page_pixel
from conversion_relay.intake.printable import printable_name
from conversion_relay.intake.splitting import split, split_members
from conversion_relay.intake.wishes_beside import noes, with_noes

MOST_EVENTS = 1_000
MOST_REPORTED = 100
SURELY_FEW = 32_768
"""Bytes in which fewer than MOST_PROPERTIES members fit, as people write them."""
_MOST_COMMAS = 65_536
"""More could part so many elements that to make them is an attack; then `split` counts them first."""
_MOST_IN_A_FILE = 10_000_000


class Submitted(msgspec.Struct, frozen=True):
    """What one request holds; the events are not decoded yet."""

    events: list[msgspec.Raw]
    pixel: tuple[tuple[str, str], ...] = ()
    """(event name, event id) of events that the page's pixel sent without us; they are only counted."""
    hosted_mirror: bool = False
    """The page found Meta's own hosted Conversions API beside its pixel."""
    dataset: str = ""
    datasets: tuple[str, ...] = ()
    """The pixel of the page that these are for, where it has several; all datasets that the caller wants them for."""
    ignored: tuple[str, ...] = ()
    """Names of members beside `data` that nothing here reads."""
    not_passed_on: tuple[str, ...] = ()
    """What beside `data` was read and goes no further, as "member: reason"; it is true of each event."""


class Line(NamedTuple):
    """An event of a file, and the line on which it begins, from 1."""

    number: int
    event: msgspec.Raw


def read_body(body: bytes) -> Submitted | Rejection:
    """One event, an array of events, or Meta's own {"data": [...]}.

    Beside `data` a page may report what its pixel sent by itself: {"data": [], "pixel": [["ViewContent", "id"]]}.

    >>> len(read_body(b'{"data": [{"event_name": "Lead"}, {"event_name": "Contact"}]}').events)
    2
    >>> read_body(b'{"data": [], "pixel": [["ViewContent", "a"]], "upload_tag": "x"}').ignored
    ('upload_tag',)
    >>> read_body(b"[]").reason
    'no_events'
    """
    body = _unwrapped(body)
    start = body.lstrip()[:1]
    if start == b"[":
        beside: dict[str, msgspec.Raw] = {}
        events = _elements(body, MOST_EVENTS)
    elif start == b"{":
        beside = {}
        members = _members(body)
        if members is None:
            lines = _lines(body) if body.count(b"\n") <= 2 * MOST_EVENTS else []
            if not lines:
                return unreadable(body)
            events = [line.event for line in lines]
        elif is_numbered(members):
            events = _elements(body, MOST_EVENTS)
        elif "data" in members and "event_name" not in members:
            beside = members
            events = _elements(_unquoted(beside.pop("data")), MOST_EVENTS)
        else:
            return Submitted([msgspec.Raw(body)])
    else:
        return _NOT_EVENTS
    if events is None:
        return unreadable(body) if start == b"[" else Rejection("wrong_type", "data", "data is an array of events")
    if len(events) > MOST_EVENTS:
        return Rejection("too_many_events", "data", f"send at most {MOST_EVENTS} events in one request")
    pixel = _reported(beside["pixel"]) if "pixel" in beside else None
    if not events and not isinstance(pixel, tuple):  # a wrong report costs no event
        return pixel or Rejection("no_events", "data", "send at least one event")
    named = named_datasets(beside["datasets"]) if "datasets" in beside else ()
    if isinstance(named, Rejection):
        return named
    said_no = noes(beside)
    events = [with_noes(msgspec.Raw(_unquoted(event)), said_no) for event in events] if said_no.members else events
    ignored = tuple(printable_name(name) for name in sorted(beside.keys() - _READ_BESIDE - said_no.names)[:20])
    said = tuple(f"{name}: {why}" for name, why in _NOT_PASSED_ON.items() if beside.get(name, _NULL) != _NULL)
    is_mirrored = beside.get("hosted_mirror") == _TRUE
    reported = pixel if isinstance(pixel, tuple) else ()
    return Submitted(events, reported, is_mirrored, page_pixel(beside.get("dataset", b"")), named, ignored, said)


def _unwrapped(body: bytes) -> bytes:
    """Without a byte order mark, and without the quotes of what was made JSON twice: `json=json.dumps(event)`."""
    body = body.removeprefix(_BYTE_ORDER_MARK)
    return _unquoted(msgspec.Raw(body.strip())) if body.lstrip()[:1] == b'"' else body


def _members(body: bytes) -> dict[str, msgspec.Raw] | None:
    try:
        return _members_decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    found = split_members(body, MOST_EVENTS)
    return None if found is None else {_name(name): msgspec.Raw(value) for name, value in found.items()}


def _name(quoted: bytes) -> str:
    try:
        return str(decode(quoted))
    except (ValueError, RecursionError):
        return "..."


def _elements(text: bytes, most: int) -> list[msgspec.Raw] | None:
    """The elements of an array; one more than `most` at the most. None where it is none. One event stands for a list of
    one, and PHP writes a list with a hole as an object: {"0": ..., "2": ...}."""
    if text.lstrip()[:1] == b"{" and (held := _members(text)):
        return list(held.values()) if is_numbered(held) else [msgspec.Raw(text)] if "event_name" in held else None
    if text.count(b",") <= _MOST_COMMAS:
        try:
            return _list_decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    if text.lstrip()[:1] != b"[" or (found := split(text, most)) is None:
        return None
    return [msgspec.Raw(element) for element in found]


def _unquoted(raw: msgspec.Raw) -> bytes:
    """The array itself where it came as JSON text."""
    text = bytes(raw)
    if text[:1] != b'"':
        return text
    try:
        return kept_apart(str(decode(text))).encode()
    except (ValueError, RecursionError):
        return text


def _reported(raw: msgspec.Raw) -> tuple[tuple[str, str], ...] | Rejection:
    """The pairs that can be counted; one that holds an e-mail address or a phone number is left out."""
    try:
        pairs = _pixel_decoder.decode(raw)
    except msgspec.ValidationError as error:
        return wrong_shape(error, "pixel")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Rejection("unreadable", "pixel", "this is not valid JSON in UTF-8")
    return tuple(pair for pair in pairs if not any(map(holds_person, pair)))


def read_events(body: bytes) -> list[msgspec.Raw] | Rejection:
    """The events of a body in which no pixel report is expected."""
    submitted = read_body(body)
    if isinstance(submitted, Submitted):
        return submitted.events or Rejection("no_events", "data", "send at least one event")
    return submitted


def read_lines(body: bytes) -> list[Line] | Rejection:
    """The same for a file, which may also be JSON lines (one event a line) and hold any number of events.

    A line that is cut off, or no JSON at all, is an event that `read_event` refuses; the others are read.

    >>> [line.number for line in read_lines(b'{"event_name": "Lead"}\\n\\n{"event_name": "Le')]
    [1, 3]
    """
    body = _in_utf_8(body)
    if body.lstrip()[:1] == b"[":
        return _lines_of_array(body)
    if _members(body) is None and (lines := _lines(body)):
        return lines
    events = read_events(body)
    return events if isinstance(events, Rejection) else [Line(1, event) for event in events]


def _lines(body: bytes) -> list[Line]:
    """JSON lines: several, of which at least half are whole objects. Empty for what is none."""
    lines = [Line(n, msgspec.Raw(line)) for n, line in enumerate(body.splitlines(), 1) if line.strip()]
    texts = (bytes(line.event).strip() for line in lines)
    one_each = sum(text[:1] == b"{" and text[-1:] == b"}" and len(text) > 2 for text in texts)
    return lines if len(lines) > 1 and 2 * one_each >= len(lines) else []


def _lines_of_array(body: bytes) -> list[Line] | Rejection:
    events = _elements(body, _MOST_IN_A_FILE)
    if events is None:
        return unreadable(body)
    lines, at, number = [], 0, 1
    for event in events:
        text = bytes(event)
        begin = body.find(text, at) if text else at
        number += body.count(b"\n", at, begin)
        lines.append(Line(number, event))
        number, at = number + text.count(b"\n"), begin + len(text)
    return lines or Rejection("no_events", "data", "send at least one event")


def _in_utf_8(body: bytes) -> bytes:
    """A byte order mark says the charset; PowerShell writes UTF-16 with one."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace").encode("utf-8", "replace")
    return body.removeprefix(_BYTE_ORDER_MARK)


def read_event(raw: msgspec.Raw | bytes) -> Event | Rejection:
    """One event, or what is wrong with it. What was left out is in `EventAsRead.left_out`.

    >>> read_event(b'{"user_data": {}}')
    Rejection(reason='missing_field', field='event_name', message='this field is required')
    >>> read_event(b'{"event_name": "Lead", "user_data": {"shoe": "x"}}').left_out
    (('user_data.shoe', 'no such member here'),)
    """
    try:
        event = EVENT.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_as_written(bytes(raw))
    return event if memoryview(raw).nbytes <= SURELY_FEW else too_large(bytes(raw)) or event


def _read_as_written(raw: bytes) -> Event | Rejection:
    """The long way, for what is not written as Meta's page says."""
    document = read_document(raw)
    return document if isinstance(document, Rejection) else read_members(document)


def unreadable(body: bytes) -> Rejection:
    """Says where the JSON of a whole body ends to be JSON, as far as it is known."""
    place = place_of_error(body)
    if place is None:  # `split` has bounds
        place = ", or holds too much for one request: send it in parts"
    return Rejection("unreadable", "body", f"the body is not valid JSON in UTF-8{place}")


# A code or an agent would have to be kept with each event until it is sent; to say so is better than a silence.
_NOT_PASSED_ON = {
    "test_event_code": "not passed on; META_TEST_EVENT_CODE is the code of everything that is sent",
    "partner_agent": "not passed on to Meta",
}
_READ_BESIDE = frozenset({"pixel", "hosted_mirror", "dataset", "datasets", *_NOT_PASSED_ON})
_NULL, _TRUE = msgspec.Raw(b"null"), msgspec.Raw(b"true")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
EVENT = msgspec.json.Decoder(Event)
_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_members_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_pixel_decoder = msgspec.json.Decoder(Annotated[list[tuple[_Name, _Id]], msgspec.Meta(max_length=MOST_REPORTED)])
_NOT_EVENTS = Rejection("unreadable", "body", 'send JSON in UTF-8: an event, an array of events, or {"data": [...]}')
