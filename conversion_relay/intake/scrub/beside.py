"""What stands beside a member and decides what its name means: a person, a product, a question and its answer."""

from collections.abc import Mapping
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


def answers(members: Mapping[str, Any]) -> dict[str, str]:
    """In {"name": "email", "value": ...}: the member that holds the answer, and what kind of a person's it is."""
    if "currency" in members or _ANSWERS.isdisjoint(members):
        return {}
    for label, said in islice(members.items(), MOST_NAMES):
        if isinstance(said, str) and len(said) <= 64 and str(label).casefold() in words.LABELS:
            read = read_name(said)
            if read.strength >= 2:
                return {name: read.kind for name in _ANSWERS if name in members}
    return {}


def may_be_member(item: object) -> bool:
    """["first_name", "Joe"], as `Object.entries` and lists of parameters write a member."""
    return type(item) is list and len(item) == 2 and type(item[0]) is str


_ANSWERS = words.ANSWERS | {"string_value", "stringValue", "Value"}
