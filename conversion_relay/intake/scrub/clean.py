"""The quick look: most events hold nothing to take out, and a walk through each would cost more than its hashes.

The names of one site's events are the same from event to event. So the walk remembers names that say nothing of a
person, and a known object costs one comparison of sets. A text is looked at for characters that an address, a number or
a disguise needs. What this finds, `walk.py` judges; it must miss nothing that the walk would take out, so a test
compares the two on any object.
"""

from collections.abc import Mapping
from typing import Any

from conversion_relay.intake.scrub.walk import LONGEST_TEXT, known_names
from conversion_relay.personal_data import is_quiet


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
