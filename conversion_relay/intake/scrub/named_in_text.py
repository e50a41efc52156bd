"""Names in a text that is a form, or holds JSON, markup or a program's literal: `first_name=Joe`, `{"phone": "..."}`.

An integration that has one free text puts a whole form into it, and no two write it alike: JSON after a name
(`payload={...}`), in a callback, cut off, in JSON in JSON, a dictionary of JavaScript or Python, XML. So no format is
read here. A name counts where the signs around it make it one: before "=", quoted before a colon, behind an opening
brace before a colon, as a tag, or before a value of PHP's `serialize`. Prose has none of these ("Phone: see below" is
prose). The values are not looked at, beyond that there is one: what a text holds by itself, `personal_data` finds.

One pass each, and no sign is read by two names: linear in the text.
"""

from itertools import islice

from conversion_relay.intake.scrub.names import read_name
from conversion_relay.patterns import seldom
from conversion_relay.personal_data import plain

MOST_MEMBERS = 500
"""Names in one text."""
MOST_COLUMNS = 100


def kind_named(text: str, read: str | None = None) -> str | None:
    """The kind of a person's member that this text names, or None. `read`: the text made plain, where it was already.

    >>> kind_named("first_name=Joe"), kind_named('cb({"phone": "017"})'), kind_named("Phone: see below")
    ('name', 'phone', None)
    """
    has_pairs = "=" in text or "%3" in text
    has_members = "{" in text or "<" in text or "%" in text or "\\" in text
    if not (has_pairs or has_members):
        return _kind_of_columns(text) if "\n" in text else None
    read = plain(text).text if read is None else read
    return (_kind_of_pairs(read) if has_pairs else None) or (_kind_of_members(read) if has_members else None)


def _kind_of_columns(text: str) -> str | None:
    """A table: two names of a person's members in its first line, and as many columns in its second."""
    head, row, *_ = *text.strip().split("\n", 2), ""
    for sign in "\t;,|":
        columns = head.split(sign)[:MOST_COLUMNS]
        if len(columns) > 1 and len(columns) <= len(row.split(sign)[:MOST_COLUMNS]):
            read = [read_name(column.strip(" \"'\r")[:64]) for column in columns]
            kinds = [name.kind for name in read if name.strength >= 2]
            return kinds[0] if len(kinds) > 1 else None
    return None


def _kind_of_pairs(text: str) -> str | None:
    for pair in _pairs(text):
        for name in pair.rstrip("=").split("=")[:-1]:  # utm_content=first_name=Joe
            if 0 < len(name) <= 64:
                read = read_name(name)
                if read.strength == 3 or (read.strength == 2 and read.kind not in ("city", "gender")):
                    return read.kind
    return None


def _pairs(text: str) -> list[str]:
    for sign in "?#;\n\t ":
        text = text.replace(sign, "&")
    return text.split("&")


def _kind_of_members(text: str) -> str | None:
    if not ('"' in text or "'" in text or "{" in text or "<" in text):
        return None
    for found in islice(_MEMBER.finditer(text.replace("\\", "")), MOST_MEMBERS):
        read = read_name(found[1].strip())
        if read.strength == 3:
            return read.kind
    return None


_NOTHING = r"(?!\"\"|''|null|true|false|None|True|False|undefined|\[\s{0,9}\]|[,}\]]|$)"
_MEMBER = seldom(
    r"[\"'{<]\s{0,9}+([^\W\d][\w.\- ]{0,63}+)"
    rf"(?:[\"']?\s{{0,9}}+:\s{{0,9}}+{_NOTHING}|>(?![\s<]|$)|\";(?:s:[1-9][0-9]{{0,5}}+:\"|[id]:[1-9]))"
)
