"""The quick look: most events hold nothing to take out, and a walk through each would cost more than its hashes.

`is_surely_nobodys` looks at the JSON of a whole `custom_data` at once: no sign that an address, a number or a disguise
needs in any text, and no name that could say something of a person. What it does not take,
`may_hold_personal_data` looks through text by text.

The names of one site's events are the same from event to event. So the walk remembers names that say nothing of a
person, and a known object costs one comparison of sets. A text is looked at for characters that an address, a number or
a disguise needs. Where it has them, as the URL of a page has, the walk's question is asked of that text alone. What
this finds, `walk.py` judges; it must miss nothing that the walk would take out, so a test compares the two on any
object.
"""

from collections.abc import Mapping
from typing import Any

from conversion_relay.event import CustomData
from conversion_relay.intake.mending import fits_64_bits
from conversion_relay.intake.scrub.beside import may_be_member
from conversion_relay.intake.scrub.encoded_text import looks_encoded
from conversion_relay.intake.scrub.names import read_name
from conversion_relay.intake.scrub.walk import LONGEST_TEXT, kind_inside, known_names
from conversion_relay.personal_data import held_in, is_quiet, is_quiet_json, plain


def is_surely_nobodys(custom: Mapping[str, Any], encoded: bytes, lines: int) -> bool:
    """Whether `without_personal_data` would leave this as it is. `encoded`: its JSON; `lines`: how many objects, all of
    Meta's form, its `contents` have.

    >>> is_surely_nobodys({"value": 5}, b'{"value":5}', 0), is_surely_nobodys({"value": "+"}, b'{"value":"+"}', 0)
    (True, False)
    """
    if len(encoded) > LONGEST_TEXT or encoded.find(b"null") >= 0:
        return False
    if _STANDARD.issuperset(custom):
        boxes = 1 + lines + ("contents" in custom) + ("content_ids" in custom)
    else:
        boxes = _boxes(custom, MOST_NESTED) if type(custom) is dict else 0
    return boxes > 0 and is_quiet_json(encoded, boxes)


MOST_NESTED = 6
"""Objects and lists in each other, for the look at a whole; what is nested deeper is walked through."""
_STANDARD = frozenset(CustomData.__struct_fields__)


def _boxes(held: dict[str, Any] | list[Any], deepest: int) -> int:
    """How many objects and lists this is, with all in it; 0 where a name is not known, too many are nested, or a number
    is too large to be sent."""
    is_object = type(held) is dict
    if not deepest or (is_object and not known_names.issuperset(held)):
        return 0
    boxes = 1
    for value in held.values() if isinstance(held, dict) else held:
        if type(value) is str:
            if is_object and looks_encoded(value):
                return 0
        elif type(value) is dict or type(value) is list:
            if not is_object and may_be_member(value):
                return 0
            inner = _boxes(value, deepest - 1)
            if not inner:
                return 0
            boxes += inner
        elif type(value) is int and not fits_64_bits(value):
            return 0
    return boxes


def may_hold_personal_data(members: Mapping[str, Any], *, closely: bool = False) -> bool:
    """Whether `without_personal_data` could remove anything. Asked of every event; a false alarm costs a walk.

    `closely`: all texts together are no longer than MOST_LOOKED_AT, so that none of them is too many for the walk.

    >>> page = {"event_url": "https://shop.example/?utm_source=fb"}
    >>> known_names.add("event_url"); may_hold_personal_data(page), may_hold_personal_data(page, closely=True)
    (True, False)
    """
    if not known_names.issuperset(members):
        return True
    for name, value in members.items():
        kind = type(value)
        if kind is str:
            if len(value) > LONGEST_TEXT or looks_encoded(value):
                return True
            if not is_quiet(value) and not (closely and _is_nobodys(value, name)):
                return True
        elif kind is dict:
            if may_hold_personal_data(value, closely=closely):
                return True
        elif kind is list:
            if _in_a_list(value, name, closely):
                return True
        elif value is None:
            return True
    return False


def _in_a_list(items: list[Any], name: str, closely: bool) -> bool:
    """The same of a list with this name."""
    for item in items:
        kind = type(item)
        if kind is dict:
            if may_hold_personal_data(item, closely=closely):
                return True
        elif kind is str:
            if len(item) > LONGEST_TEXT or not (is_quiet(item) or (closely and _is_nobodys(item, name))):
                return True
        elif item is None or (kind is list and (may_be_member(item) or _in_a_list(item, name, closely))):
            return True
    return False


def _is_nobodys(text: str, name: str) -> bool:
    """What the walk asks of a text. `name`: of the member that it is, or is in a list of."""
    seen = plain(text)
    return held_in(seen, codes=read_name(name).is_code) is None and kind_inside(text, seen.text) is None
