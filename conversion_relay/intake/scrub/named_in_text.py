"""Names in a text that is a form, or holds JSON, markup or a program's literal: `first_name=Joe`, `{"phone": "..."}`.

An integration that has one free text puts a whole form into it, and no two write it alike: JSON after a name
(`payload={...}`), in a callback, cut off, in JSON in JSON, a dictionary of JavaScript or Python, XML. So no format is
read here. A name counts where the signs around it make it one: before "=", quoted before a colon, behind an opening
brace before a colon, as a tag, or before a value of PHP's `serialize`. Prose has none of these ("Phone: see below" is
prose). The values are not looked at, beyond that there is one: what a text holds by itself, `personal_data` finds. But
a name of a phone before a colon, or an abbreviation of one, counts with a number behind it: "Rufnummer: 030 123456".

One pass each, and no sign is read by two names: linear in the text.
"""

import re
from itertools import islice

from conversion_relay.intake.scrub.names import read_name
from conversion_relay.patterns import seldom
from conversion_relay.personal_data import plain
from conversion_relay.personal_data.phone import DATE

MOST_MEMBERS = 500
"""Names in one text."""
MOST_COLUMNS = 100
LONGEST_LABEL, MOST_WORDS = 48, 4
"""Of what stands before a number."""


def kind_named(text: str, read: str | None = None) -> str | None:
    """The kind of a person's member that this text names, or None. `read`: the text made plain, where it was already.

    >>> kind_named("first_name=Joe"), kind_named('cb({"phone": "017"})'), kind_named("Phone: see below")
    ('name', 'phone', None)
    >>> kind_named("ring my Handynummer: 0151 2345678"), kind_named("Tel. 030 123456"), kind_named("Size: 1234567")
    ('phone', 'phone', None)
    """
    if _SIGN.search(text) and _has_labelled_number(text, read):
        return "phone"
    has_pairs = "=" in text or "%3" in text
    has_members = "{" in text or "<" in text or "%" in text or "\\" in text
    if not (has_pairs or has_members):
        return _kind_of_columns(text) if "\n" in text else None
    read = plain(text).text if read is None else read
    return (_kind_of_pairs(read) if has_pairs else None) or (_kind_of_members(read) if has_members else None)


def _has_labelled_number(text: str, read: str | None) -> bool:
    """Whether a number stands behind a word for a phone, in any language that `words.py` has."""
    read = plain(text).text if read is None else read
    for found in islice(_NUMBER.finditer(read), MOST_MEMBERS):
        if found[0][0] == "." and not _ABBREVIATED.search(read, max(0, found.start() - 8), found.start()):
            continue
        if DATE.match(found[1]):
            continue
        before = _LABEL_ENDS.split(read[max(0, found.start() - LONGEST_LABEL) : found.start()])[-1].split()
        if before and before[-1].strip(".").casefold() in _SHORT:
            return True
        for size in range(1, min(len(before), MOST_WORDS) + 1):
            label = read_name(" ".join(before[-size:]))
            if label.kind == "phone" and label.strength >= 2:
                return True
    return False


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
# A colon or a dot, also in disguise.
_SIGN = seldom(r"[:.%&\\]|[^\x00-\x7f]")
# Of 7 digits or more. `personal_data.is_quiet` knows how such a text looks.
_NUMBER = seldom(r"(?::\s{0,4}+|\. )\+?\(?([0-9](?:[\s./()\-]{0,3}[0-9]){6,20})(?![0-9])")
_ABBREVIATED = seldom(
    r"(?<![^\W\d_])(?:tel|telef|tlf|tfn|ph|mob|cel|puh|gsm|no|nr|num|тел|моб|τηλ|κιν|โทร)$", re.IGNORECASE
)
_SHORT = frozenset(("ph", "mob", "tlf", "tfn", "cel", "puh", "telp", "sdt", "wa", "τηλ", "κιν", "моб", "โทร"))
"""Too short for names of a member: a mob is one in a game."""
_LABEL_ENDS = seldom(r"[\n\r,;|!?<>()\[\]{}\"=:]")
