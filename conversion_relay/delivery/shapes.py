"""What events have in common, so that a mistake of a whole form or template is found as one.

A site's mistake is rarely one odd event: a template forgets a member, an app stamps its events in milliseconds, a feed
writes a price as a text. All events of that origin are refused, and hardly any other. So two events have one *shape*
when they look as if one piece of code had made them. A shape holds names, types and templates, never a value that a
visitor gave. Which events share a shape decides who is tried together (`isolation.py`); it never decides that an event
is bad.

An *offence* is narrower: a property of one event that explains Meta's complaint. Either one of our own rules finds a
member missing whose absence has that very subcode, or Meta names a member and the event does not have it. Where Meta
refused one event for an offence, and then refuses a request in which every event has it, for the same reason, it is
about each of them.

Everything here is total: a body may be any JSON, and a page may be any text.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from conversion_relay.meta.headers import parse
from conversion_relay.meta.validate import errors

Shape = tuple[object, ...]
Offence = tuple[object, ...]
_AGES = (-60.0, 3_600.0, 86_400.0, 7 * 86_400.0)
_LONGEST_SEGMENT = 24
_MOST_SEGMENTS = 4
_MOST_ITEMS = 20
_LONGEST_PREFIX = 20


def shape(body: bytes, now: float) -> Shape:
    """Of a sealed event; events of one shape are equal here and have the same hash."""
    looks, event_time = _looks(body)
    return (*looks, _age(event_time, now))


@lru_cache(maxsize=1_000)  # as many as a claim holds: parting them asks again before each call
def _looks(body: bytes) -> tuple[Shape, object]:
    """What does not change with time, and the event's time."""
    event = parse(body)
    custom = event.get("custom_data")
    custom = custom if isinstance(custom, dict) else {}
    user = event.get("user_data")
    looks = (
        _text(event.get("event_name")),
        _text(event.get("action_source")),
        frozenset(event),
        frozenset(user) if isinstance(user, dict) else None,
        frozenset((key, type(value).__name__) for key, value in custom.items()),
        _item_keys(custom.get("contents")),
        page(_text(event.get("event_source_url"))),
        _prefix(_text(event.get("event_id"))),
    )
    return looks, event.get("event_time")


def page(url: str) -> str:
    """Host and path, without what differs from one product to the next.

    >>> page("https://shop.example/en/products/4711-blue-shirt?utm_source=x")
    'shop.example/en/products/*'
    """
    try:
        parts = urlsplit(url[:2_000])
    except ValueError:
        return ""
    segments = parts.path.strip("/").split("/")[:_MOST_SEGMENTS]
    return "/".join([parts.netloc.lower()[:255], *("*" if _is_value(segment) else segment for segment in segments)])


def offence(body: bytes, subcode: int | None, path: tuple[str, ...], now: float) -> Offence | None:
    """What in this event explains the complaint, beyond doubt; None for most."""
    event = parse(body)
    if path and _is_missing(event, path):
        return "Meta names it", path, shape(body, now)
    if subcode is None:
        return None
    missing = [
        found.path for found in _findings(event, now) if (found.subcode, found.code) == (subcode, "missing_field")
    ]
    return ("our rule", missing[0]) if missing else None


def _findings(event: dict[str, Any], now: float) -> list[Any]:
    try:
        return errors(event, now)
    except (KeyError, TypeError, AttributeError, ValueError):
        return []  # no event that our door would have let in


def _is_missing(event: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    """Whether the last member of the path is not there, in an object that is; what stands in a list is not asked."""
    place: object = event
    for name in path[:-1]:
        place = place.get(name) if isinstance(place, dict) else None
    return isinstance(place, dict) and place.get(path[-1]) in (None, "")


def _is_value(segment: str) -> bool:
    return len(segment) > _LONGEST_SEGMENT or any(c.isdigit() for c in segment)


def _prefix(event_id: str) -> str:
    """What a site writes before its ids: "contact" of "contact_4711"."""
    for i, c in enumerate(event_id[: _LONGEST_PREFIX + 1]):
        if c in "_-.:":
            return event_id[:i]
        if not (c.isascii() and c.isalpha()):
            return ""
    return ""


def _item_keys(contents: object) -> object:
    items = contents[:_MOST_ITEMS] if isinstance(contents, list) else ()
    return frozenset(key for item in items if isinstance(item, dict) for key in item), type(contents).__name__


def _age(event_time: object, now: float) -> int:
    if type(event_time) is not int:
        return -1
    return sum(now - min(max(event_time, -(2**53)), 2**53) > age for age in _AGES)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
