"""What msgspec says of a value of the wrong shape, as a `Rejection` that never holds the value."""

import re

import msgspec

from conversion_relay.event import Rejection
from conversion_relay.intake.members import CHOICES
from conversion_relay.intake.printable import printable_name


def wrong_shape(error: msgspec.ValidationError, path: str = "") -> Rejection:
    """msgspec's sentence as a reason, the field's path (below `path`), and a message without the value."""
    before, at, found = str(error).rpartition(" - at `$")
    sentence = before if at else found
    found = found if at else ""
    where = ".".join(part for part in (path, found.removesuffix("`").removeprefix(".")) if part)
    for pattern, reason, message in _SHAPES:
        if named := re.match(pattern, sentence, re.DOTALL):
            name = printable_name(named[1])
            return Rejection(reason, f"{where}.{name}" if where else name, message)
    if sentence.startswith("Invalid enum value"):
        # The one sentence of msgspec's that quotes the value.
        return Rejection("wrong_type", where or "body", CHOICES.get(where.rpartition(".")[2], _NO_CHOICE))
    return Rejection("wrong_type", where or "body", printable_name(sentence))


_SHAPES = (
    (r"Object missing required field `(.*?)`", "missing_field", "this field is required"),
    (r"Object contains unknown field `(.*?)`", "unknown_field", "no such field here; your own go into custom_data"),
)
_NO_CHOICE = "this field takes certain values only, and this is none of them; see the page for the field"
