"""A notice that was sent as a form: `price=1990&url_params[client_reference_id]=R-1`, as objects.

As PHP reads it (https://www.php.net/manual/en/function.parse-str.php): brackets are places within an object, empty ones
the next place of a list, and of two fields of one name the last counts. What contradicts itself, nests deeper than
DEEPEST or comes after MOST_FIELDS is not read.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from conversion_relay.patterns import seldom

MOST_FIELDS = 2_000
DEEPEST = 6
LONGEST_NAME = 256

_NAME = seldom(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


def fields_of(raw: bytes) -> dict[str, Any]:
    """Every value is a text; a list is an object whose names are its places, which `reading.at` reads alike.

    >>> fields_of(b"a=1+2&b[c][]=x&b[c][]=%C3%A9&a=3")
    {'a': '3', 'b': {'c': {'0': 'x', '1': 'é'}}}
    """
    found: dict[str, Any] = {}
    for name, value in pairs_of(raw):
        if parts := _parts(name.decode("utf-8", "replace")):
            _put(found, parts, value.decode("utf-8", "replace"))
    return found


def pairs_of(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and values as the sender had them.

    >>> list(pairs_of(b"a=1+2&b[]=%C3%A9&c"))
    [(b'a', b'1 2'), (b'b[]', b'\\xc3\\xa9'), (b'c', b'')]
    """
    for field in raw.split(b"&", MOST_FIELDS)[:MOST_FIELDS]:
        name, _, value = field.partition(b"=")
        yield unquote_to_bytes(name.replace(b"+", b" ")), unquote_to_bytes(value.replace(b"+", b" "))


def _parts(name: str) -> list[str]:
    found = _NAME.fullmatch(name) if len(name) <= LONGEST_NAME else None
    parts = [found[1], *re.findall(r"\[([^\[\]]*)\]", found[2])] if found else []
    return parts if len(parts) <= DEEPEST else []


def _put(into: dict[str, Any], parts: list[str], value: str) -> None:
    *before, last = parts
    for part in before:
        below = into.setdefault(part or str(len(into)), {})
        if not isinstance(below, dict):
            return
        into = below
    last = last or str(len(into))
    if not isinstance(into.get(last), dict):
        into[last] = value
