"""Objects and lists that a tool for tables or forms wrote flat: `user_data[em]`, `custom_data__value`, {"0": ...}.

Zapier, Make, n8n and forms know no nested objects; PHP writes a list with a hole as an object. What such a name means
is certain where its first part is one of Meta's own objects; every other name stays as it is.
"""

from collections.abc import Mapping
from typing import Any

from conversion_relay.intake.spellings import EVENT_MEMBERS, spelling
from conversion_relay.patterns import seldom

DEEPEST = 6
"""Parts of one name; `custom_data[contents][0][id]` has four."""
_OBJECTS = frozenset({"user_data", "custom_data", "app_data", "original_event_data", "attribution_data"})
_PARTS = seldom(r"\]\[|\[|\]|__|\.")


def unflattened(document: dict[str, Any]) -> dict[str, Any]:
    """The same with its flat names as objects. What an object says by itself counts before a flat name of it.

    >>> unflattened({"event_name": "Lead", "user_data[em][0]": "a", "user_data__fn": "b", "a.b": 1})
    {'event_name': 'Lead', 'a.b': 1, 'user_data': {'em': ['a'], 'fn': 'b'}}
    """
    flat = {name: parts for name in document if (parts := _parts(name))}
    if not flat:
        return document
    whole = {name: value for name, value in document.items() if name not in flat}
    grown: dict[str, Any] = {}
    for name, parts in flat.items():
        _put(grown, parts, document[name])
    for name, members in grown.items():
        own = whole.get(name)
        whole[name] = listed(members) if not isinstance(own, dict) else {**_dict(listed(members)), **own}
    return whole


def _parts(name: object) -> list[str] | None:
    if not isinstance(name, str) or len(name) > 128 or not ("[" in name or "__" in name or "." in name):
        return None
    parts = [part for part in _PARTS.split(name) if part]
    owner = EVENT_MEMBERS.get(spelling(parts[0])) if 1 < len(parts) <= DEEPEST else None
    return [owner, *parts[1:]] if owner in _OBJECTS else None


def _put(into: dict[str, Any], parts: list[str], value: Any) -> None:
    *before, last = parts
    for part in before:
        below = into.setdefault(part, {})
        if not isinstance(below, dict):
            return  # the same name as a value and as an object
        into = below
    into.setdefault(last, value)


def listed(members: Any) -> Any:
    """An object of which all names are places is the list that it was.

    >>> listed({"contents": {"0": {"id": "a"}, "2": {"id": "b"}}})
    {'contents': [{'id': 'a'}, {'id': 'b'}]}
    """
    if not isinstance(members, dict):
        return members
    inner = {name: listed(member) for name, member in members.items()}
    return list(inner.values()) if is_numbered(inner) else inner


def is_numbered(members: Mapping[str, Any]) -> bool:
    """Whether all names are places in a list. A program's dictionary may have names of any type."""
    return bool(members) and all(isinstance(name, str) and name.isdecimal() and len(name) < 7 for name in members)


def _dict(members: Any) -> dict[str, Any]:
    return members if isinstance(members, dict) else {}
