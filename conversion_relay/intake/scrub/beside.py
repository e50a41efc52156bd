"""What stands beside a member and decides what its name means: a person, a product, a question and its answer."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from conversion_relay.intake.scrub import words
from conversion_relay.intake.scrub.names import LONGEST_NAME, Name, read_name

MOST_NAMES = 500
"""Different names in one event."""


def is_beside_a_person(members: Mapping[str, Any]) -> bool:
    """Whether the object has a person's other members, and is no product."""
    found = False
    for name in islice(members, MOST_NAMES):
        read = read_name(name) if isinstance(name, str) and len(name) <= LONGEST_NAME else Name()
        if not read.parts.isdisjoint(words.PRODUCT_FACTS):
            return False
        found = found or read.strength == 3
    return found


def offers_a_place(members: Mapping[str, Any]) -> bool:
    return any(
        not read_name(name).parts.isdisjoint(words.TRAVEL)
        for name in islice(members, MOST_NAMES)
        if isinstance(name, str) and len(name) <= LONGEST_NAME
    )


def answers(members: Mapping[str, Any], *, weak: bool = False) -> dict[str, str]:
    """In {"name": "email", "value": ...}: the member that holds the answer, and what kind of a person's it is. `weak`:
    it is of a form that asks for a person, so that a "Name" is a person's."""
    if "currency" in members:
        return {}
    if not _SAID.isdisjoint(members):
        answered, titles = _SAID, _LABELS_AND_TITLES
    elif not _ANSWERS.isdisjoint(members):
        answered, titles = _ANSWERS, words.LABELS
    else:
        return {}
    for name, said in islice(members.items(), MOST_NAMES):
        label = str(name)[:LONGEST_NAME].casefold()
        if label in titles:
            for text in _labels(said):
                read = read_name(text)
                if read.strength >= (1 if weak and label in words.LABELS else 2):
                    return {answer: read.kind for answer in answered if answer in members}
    return {}


def is_a_form(items: Iterable[Any]) -> bool:
    """Whether one of these objects asks for what is a person's: the others are of the same form."""
    return any(type(item) is dict and answers(item) for item in islice(items, MOST_NAMES))


def _labels(said: Any) -> list[str]:
    """A label, or those of the field that the answer is to: {"field": {"title": "Full name"}, "text": ...}."""
    found = [said]
    if isinstance(said, dict):
        found = [text for name, text in islice(said.items(), 20) if str(name)[:20].casefold() in _LABELS_AND_TITLES]
    return [text for text in found if isinstance(text, str) and len(text) <= 64]


def may_be_member(item: object) -> bool:
    """["first_name", "Joe"], as `Object.entries` and lists of parameters write a member."""
    return type(item) is list and len(item) == 2 and type(item[0]) is str


def named_in_pair(value: object) -> str | None:
    """The kind of ["first_name", "Joe"]."""
    if isinstance(value, list) and may_be_member(value):
        read = read_name(value[0][:LONGEST_NAME])
        return read.kind if read.strength >= 2 and says_something(value[1]) else None
    return None


def says_something(value: object) -> bool:
    """True and False name nobody, and neither does nothing."""
    return not isinstance(value, bool) and value not in ("", [], {})


_ANSWERS = words.ANSWERS | {"string_value", "stringValue", "Value"}
_SAID = words.SAID | {"string_value", "stringValue"}
_LABELS_AND_TITLES = words.LABELS | words.TITLES
