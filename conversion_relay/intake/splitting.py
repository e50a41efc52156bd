"""Takes a JSON array or object apart into its elements where a decoder refuses the whole of it.

What could go wrong: a decoder stops at the first token that is no JSON. One event of a thousand with half an emoji
(`\\ud83d`, what JSON.stringify writes of a text that was cut) or a `NaN` would cost the other 999. The other danger is
the cure: a scanner in Python over bytes that somebody chose to be slow.

The rule: an element ends where brackets and strings say so, whatever stands between them. One regular expression runs
from bracket to bracket, over whole strings, without ever going back (possessive quantifiers), so the work is linear in
the bytes. It is bounded too: by `most_elements`, by MOST_BRACKETS, since each bracket costs a step in Python,
by MOST_QUOTES and by MOST_BYTES.

Rejected: `json.JSONDecoder.raw_decode` from element to element (it cannot say where a broken element ends), and to
replace bad tokens in the whole body first (a text may hold what looks like one).
"""

import re

from conversion_relay.patterns import seldom

MOST_BRACKETS = 24_000
"""A thousand events with a dozen objects and lists each have as many."""
MOST_QUOTES = 240_000
"""... and with sixty members each, as many of these."""
MOST_BYTES = 2 * 1_048_576
"""Of a body that has to be taken apart: half of the largest that is taken."""

# From here over everything that is no bracket, and over whole strings; then a bracket, or a comma that parts elements.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_AT_THE_TOP = seldom(rb'[^"\[\]{},]*+(?:' + _STRING + rb'[^"\[\]{},]*+)*+([\[\]{},])', re.DOTALL)
_BELOW = seldom(rb'[^"\[\]{}]*+(?:' + _STRING + rb'[^"\[\]{}]*+)*+([\[\]{}])', re.DOTALL)
_MEMBER = seldom(rb"\s*+(" + _STRING + rb")\s*+:", re.DOTALL)


def split(text: bytes, most_elements: int) -> list[bytes] | None:
    """The elements of the array or object in `text`, trimmed; None where its end cannot be found.

    It stops at one element more than `most_elements`, so that the caller can tell that there are too many. A comma
    before the end parts nothing.

    >>> split(b'[{"a": NaN}, {"b": "]"}]', 10)
    [b'{"a": NaN}', b'{"b": "]"}']
    >>> split(b"[0, 0, 0, 0", 2)
    [b'0', b'0', b'0']
    >>> split(b'[{"a": 1}', 10) is None
    True
    """
    if len(text) > MOST_BYTES:
        return None
    start = len(text) - len(text.lstrip())
    if text[start : start + 1] not in (b"[", b"{") or text.count(b'"') > MOST_QUOTES:
        return None
    elements: list[bytes] = []
    depth, begin, at = 1, start + 1, start + 1
    for _ in range(MOST_BRACKETS):
        found = (_AT_THE_TOP if depth == 1 else _BELOW).match(text, at)
        if found is None:
            return None
        at, mark = found.end(), found[1]
        if mark in b"[{":
            depth += 1
            continue
        if mark in b"]}":
            depth -= 1
        if depth > 1 or (depth == 1 and mark != b","):
            continue
        element = text[begin : at - 1].strip()
        if element or mark == b",":
            elements.append(element)
        if len(elements) > most_elements:
            return elements
        if depth == 0:
            return None if text[at:].strip() else elements
        begin = at
    return None


def split_members(text: bytes, most_members: int) -> dict[bytes, bytes] | None:
    """The members of the object in `text`, each name as it is quoted there; None where it is no object to its end.

    >>> split_members(b'{"data": [NaN], "b": 1}', 10)
    {b'"data"': b'[NaN]', b'"b"': b'1'}
    """
    if text.lstrip()[:1] != b"{" or (elements := split(text, most_members)) is None or len(elements) > most_members:
        return None
    members: dict[bytes, bytes] = {}
    for element in elements:
        if (named := _MEMBER.match(element)) is None:
            return None
        members[named[1]] = element[named.end() :].strip()
    return members
