"""A visitor's "no" that stands beside `data`: it is about each event in it.

What could go wrong. Meta reads `data_processing_options` and `opt_out` in each event, but programs that build a request
write them beside `data`, too, where `test_event_code` stands, and `consent` with them. Passed over, the visitor's "no"
is lost, and the answer is a 202.

The rule. What is a "no" in an event is one beside `data`, by the same names, and is put behind the event's own members:
of two with one name the last is read, and one with its exact name before another spelling. So a "no" holds whatever the
event says, and what an event is refused for, as another program's name for a "no", refuses it here. A "yes" is left
where it stands, and is named as ignored.

Rejected: to decode each event and encode it anew. What is no JSON (`NaN`, half an emoji) would become something else.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from conversion_relay.intake.members import read_options
from conversion_relay.intake.mending import decode
from conversion_relay.intake.spellings import EVENT_MEMBERS, spelling
from conversion_relay.intake.wishes import declines, passed_over, read_wish


class Noes(NamedTuple):
    """`names`: of the members beside `data` that say no. `members`: the same as an event would have them, in JSON."""

    names: frozenset[str]
    members: tuple[bytes, ...]


NO_NOES = Noes(frozenset(), ())


def noes(beside: Mapping[str, msgspec.Raw]) -> Noes:
    """
    >>> noes({"optOut": msgspec.Raw(b"true"), "consent": msgspec.Raw(b'"granted"')})
    Noes(names=frozenset({'optOut'}), members=(b'"opt_out":true',))
    """
    names: set[str] = set()
    found: dict[str, bytes] = {}
    for name, raw in beside.items():
        known = spelling(name)
        member = EVENT_MEMBERS.get(known)
        if member in _READ:
            value, said = _short(raw)
            if _READ[member](said):
                names.add(name)
                # A consent platform's object has a "no" in it; an event would be refused for its shape.
                found[member] = b'"denied"' if member == "consent" and value[:1] == b"{" else value
        elif member is None and "" not in found:  # one of another program's refuses the event
            value, said = _short(raw)
            if passed_over(known, said):
                names.add(name)
                found[""] = msgspec.json.encode(known) + b":" + value
    if _OPTIONS in found:
        for name, raw in beside.items():
            if (member := EVENT_MEMBERS.get(spelling(name))) in _WHERE:
                names.add(name)
                found[member], _ = _short(raw)
    members = (value if not member else f'"{member}":'.encode() + value for member, value in found.items())
    return Noes(frozenset(names), tuple(members))


def with_noes(event: msgspec.Raw, said: Noes) -> msgspec.Raw:
    """The event with them as its last members; what is no object stays as it is, and is refused where it is read.

    >>> bytes(with_noes(msgspec.Raw(b'{"event_name": "Lead"}'), Noes(frozenset({"gpc"}), (b'"gpc":true',))))
    b'{"event_name": "Lead","gpc":true}'
    """
    text = bytes(event).strip()
    if text[:1] != b"{" or text[-1:] != b"}":
        return event
    own = text[1:-1].rstrip(b" \t\r\n,")
    return msgspec.Raw(b"{" + b",".join([*([own] if own.strip() else []), *said.members]) + b"}")


def _short(raw: msgspec.Raw) -> tuple[bytes, object]:
    """The value, which each of a thousand events will have, as JSON and read. What is too long or cannot be read may be
    a "no", and this word is one to each rule."""
    value = bytes(raw)
    if len(value) <= _LONGEST:
        with contextlib.suppress(ValueError, RecursionError):
            return value, decode(value)
    return b'"LDU"', "LDU"


_OPTIONS = "data_processing_options"
_WHERE = (f"{_OPTIONS}_country", f"{_OPTIONS}_state")
_READ: dict[str, Callable[[object], object]] = {
    "consent": declines,
    "gpc": read_wish,
    "opt_out": read_wish,
    _OPTIONS: read_options,
}
_LONGEST = 512
