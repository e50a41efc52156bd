"""The quick look: most events hold nothing to take out, and a walk through each would cost more than its hashes.

`is_surely_nobodys` looks at the JSON of a whole `custom_data` at once: no sign that an address, a number or a disguise
needs, and no objects or lists but those that Meta names. What it does not take,
`may_hold_personal_data` looks through text by text.

The names of one site's events are the same from event to event. So the walk remembers names that say nothing of a
person, and a known object costs one comparison of sets. A text is looked at for characters that an address, a number or
a disguise needs. What this finds, `walk.py` judges; it must miss nothing that the walk would take out, so a test
compares the two on any object.
"""

import re
from collections.abc import Mapping
from typing import Any

from conversion_relay.event import CustomData
from conversion_relay.intake.scrub.walk import LONGEST_TEXT, known_names
from conversion_relay.personal_data import is_quiet


def is_surely_nobodys(custom: Mapping[str, Any], encoded: bytes, lines: int) -> bool:
    """Whether `without_personal_data` would leave this as it is. `encoded`: its JSON; `lines`: how many objects, all of
    Meta's form, its `contents` have.

    >>> is_surely_nobodys({"value": 5}, b'{"value":5}', 0), is_surely_nobodys({"value": "+"}, b'{"value":"+"}', 0)
    (True, False)
    """
    lists = ("contents" in custom) + ("content_ids" in custom)
    return (
        # Of each object a brace is left, of each list a bracket; a sign more would stand in a text.
        len(encoded.translate(None, _QUIET)) == 1 + lines + lists
        # So would a colon that is not behind the name of a member.
        and encoded.count(b":") == encoded.count(b'":')
        and (_STANDARD.issuperset(custom) or (known_names.issuperset(custom) and encoded.find(b"null") < 0))
        and len(encoded) <= LONGEST_TEXT
        # Not `in`, which tries to read bytes as a number first.
        and (encoded.find(b"00") < 0 or _ZEROS.search(encoded) is None)
        and (lower := encoded.lower()).find(b" dot ") < 0
        and lower.find(b"wa.me") < 0
    )


_STANDARD = frozenset(CustomData.__struct_fields__)
# All of ASCII that can be seen, but what objects and lists begin with and what `personal_data.is_quiet` looks twice at.
_QUIET = bytes(code for code in range(32, 127) if code not in b"{[@%&+\\(<=")
_ZEROS = re.compile(rb"00(?<![A-Za-z0-9]00)(?<![.,+\-]00)[ .\-]{0,2}[1-9]")


def may_hold_personal_data(members: Mapping[str, Any]) -> bool:
    """Whether `without_personal_data` could remove anything. Asked of every event; a false alarm costs a walk."""
    if not known_names.issuperset(members):
        return True
    for value in members.values():
        kind = type(value)
        if kind is str:
            if not is_quiet(value) or len(value) > LONGEST_TEXT:
                return True
        elif kind is dict:
            if may_hold_personal_data(value):
                return True
        elif kind is list:
            if _in_a_list(value):
                return True
        elif value is None:
            return True
    return False


def _in_a_list(items: list[Any]) -> bool:
    """The same of a list."""
    for item in items:
        kind = type(item)
        if kind is dict:
            if may_hold_personal_data(item):
                return True
        elif kind is str:
            if not is_quiet(item) or len(item) > LONGEST_TEXT:
                return True
        elif item is None or (kind is list and _in_a_list(item)):
            return True
    return False
