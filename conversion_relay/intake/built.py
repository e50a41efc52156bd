"""An event that a program built, read like one that came as JSON.

What could go wrong. A constructor looks at no type: `user_data={"email": ...}`, an id that is a UUID, a value that is
numpy's, an address as bytes. Each of them would fail deep inside, as an AttributeError that names nothing of the
program's, or worse, be hashed as something that it is not.

The rule. The event is made plain and read by its types once more, also one of a class that a program made of ours, or
that `read_event` gave and the program changed. What has a JSON form comes out as `Event` says, what differs from it
goes the way of all foreign JSON (`members.py`), and what has none is refused by its name.
"""

from typing import Any

import msgspec

from conversion_relay.errors import leaves_no_variables
from conversion_relay.event import CustomData, Event, EventAsRead, Rejection
from conversion_relay.intake.members import read_members
from conversion_relay.intake.printable import printable_name
from conversion_relay.personal_data.foreign_types import OCTETS, json_form


@leaves_no_variables
def checked(event: Event) -> Event | Rejection:
    """With the types that `Event` says. Raises nothing.

    >>> checked(Event(event_name="Lead", user_data={"email": "joe@example.com"})).user_data
    UserData(email)
    """
    if type(event) is not Event:
        return _of_another_class(event)
    try:
        custom: object = event.custom_data
        if isinstance(custom, CustomData):
            event = msgspec.structs.replace(event, custom_data=custom.to_wire())
        document = _builtins(event)
        return msgspec.convert(document, Event)
    except (msgspec.ValidationError, UnicodeEncodeError):
        return read_members(document)
    except _NO_JSON:
        return Rejection("unencodable", _without_json(event), f"{_NO_FORM}; send texts, numbers, lists and objects")


def _of_another_class(event: Event) -> Event | Rejection:
    """What `read_event` gave, which the program may have changed since, or of a class of the program's own."""
    read = checked(Event(**{name: getattr(event, name) for name in Event.__struct_fields__}))
    told = event.left_out if isinstance(event, EventAsRead) else ()
    if isinstance(read, Rejection) or not told:
        return read
    also = read.left_out if isinstance(read, EventAsRead) else ()
    members = {name: getattr(read, name) for name in Event.__struct_fields__}
    return EventAsRead(**members, left_out=(*told, *also))


def _builtins(value: object) -> Any:
    return _texts(msgspec.to_builtins(value, builtin_types=OCTETS, enc_hook=json_form))


def _texts(value: Any) -> Any:
    """With each `bytes` as the text that it is in UTF-8, as some databases give it: msgspec would make base64 of it,
    and that would be hashed. Raises UnicodeDecodeError, which is a ValueError."""
    match value:
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode()
        case dict():
            return {name: _texts(one) for name, one in value.items()}
        case list() | tuple():  # JSON knows one kind of list
            return [_texts(one) for one in value]
    return value


def _without_json(event: Event) -> str:
    """The first member of which no JSON can be made."""
    named = [(name, getattr(event, name)) for name in event.__struct_fields__]
    for group in ("custom_data", "user_data"):
        inner: Any = getattr(event, group)
        members = inner.items() if isinstance(inner, dict) else _members(inner)
        named = [(f"{group}.{printable_name(str(name))}", value) for name, value in members] + named
    for path, value in named:
        try:
            _builtins(value)
        except _NO_JSON:
            return path
    return "event"


def _members(group: object) -> list[tuple[str, Any]]:
    return (
        [(name, getattr(group, name)) for name in group.__struct_fields__] if isinstance(group, msgspec.Struct) else []
    )


_NO_JSON = (TypeError, ValueError, OverflowError, RecursionError)
_NO_FORM = "a value has no JSON form"
