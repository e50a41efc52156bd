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
    where = f"{path}{found.removesuffix('`')}".removeprefix(".")
    for pattern, reason, message in _SHAPES:
        if named := re.match(pattern, sentence, re.DOTALL):
            name = printable_name(named[1])
            return Rejection(reason, f"{where}.{name}" if where else name, message)
    if sentence.startswith("Invalid enum value"):
        # The one sentence of msgspec's that quotes the value.
        return Rejection("wrong_type", where or "body", CHOICES.get(where.rpartition(".")[2], _NO_CHOICE))
    return Rejection("wrong_type", where or "body", _in_plain_words(sentence))


def _in_plain_words(sentence: str) -> str:
    """
    >>> _in_plain_words("Expected `int | float | null`, got `str`")
    'this must be a number, and is text'
    >>> _in_plain_words("Expected `str` of length <= 100")
    'this must be text of at most 100 characters'
    """
    if kinds := re.fullmatch(r"Expected `([a-z |]+)`, got `([a-z]+)`", sentence):
        wanted = [kind for kind in kinds[1].split(" | ") if kind != "null"]
        named = dict.fromkeys(
            _KINDS.get("float" if kind == "int" and "float" in wanted else kind, kind) for kind in wanted
        )
        return f"this must be {' or '.join(named)}, and is {_KINDS.get(kinds[2], kinds[2])}"
    if longest := re.fullmatch(r"Expected `str` of length <= (\d+)", sentence):
        return f"this must be text of at most {longest[1]} characters"
    return printable_name(sentence)


_SHAPES = (
    (r"Object missing required field `(.*?)`", "missing_field", "this field is required"),
    (r"Object contains unknown field `(.*?)`", "unknown_field", "no such field here; your own go into custom_data"),
)
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_NO_CHOICE = "this field takes certain values only, and this is none of them; see the page for the field"
