"""What in a text would tell who somebody is: an e-mail address or a phone number, also in disguise.

In comes any text, out comes what it holds (`held`) or where (`spans`); nothing here removes anything. `intake/scrub`
decides what becomes of a text that holds one, `event_id` writes a digest in its place. This room knows nobody; every
scan is linear in its text: a foreign text of a megabyte of "a", "@", "+1" or combining marks costs what it weighs.

plain.py          a text as a person reads it: %2540, &#64;, a full-width @ and letters of no width are undone
email.py          an address, from its @ to both sides, at most 64 characters before it and 255 after
phone.py          a number in international form
calling_codes.py  which countries there are, and how long their numbers

The rules for a reader who does not read code stand in docs/privacy.md.
"""

import re
from typing import Literal

from conversion_relay.patterns import seldom
from conversion_relay.personal_data.email import email_spans, holds_email, spelled_out
from conversion_relay.personal_data.phone import holds_phone, phone_spans
from conversion_relay.personal_data.plain import ROUNDS, Plain, folded, plain, unquoted, without_entities

__all__ = [
    "ROUNDS",
    "Held",
    "email_spans",
    "folded",
    "has_zeros",
    "held",
    "held_in",
    "is_quiet",
    "is_quiet_json",
    "phone_spans",
    "plain",
    "spelled_out",
    "unquoted",
    "without_entities",
]

Held = Literal["email", "phone", "encoded"]
"""`encoded`: a text that is still encoded after so many rounds could hold anything."""


def held(text: str, *, codes: bool = False) -> Held | None:
    """What of a person this text holds. `codes`: it is a code, such as an EAN or an order's id; see `phone.py`.

    >>> held("joe%2540example.com"), held("Callback for +1 (650) 555-1212"), held("price @ 3.50, 2024-10-01")
    ('email', 'phone', None)
    """
    if is_quiet(text) or (text, codes) in _harmless:
        return None
    found = held_in(plain(text), codes=codes)
    if found is None and len(text) < 512:
        if len(_harmless) >= MOST_HARMLESS:
            _harmless.clear()
        _harmless.add((text, codes))
    return found


def held_in(seen: Plain, *, codes: bool = False) -> Held | None:
    """The same of a text that was made plain already; for a caller who looks for more in it."""
    if not seen.settled:
        return "encoded"
    if holds_email(seen.text):
        return "email"
    return "phone" if holds_phone(seen.text, codes=codes) else None


def is_quiet(text: str) -> bool:
    """Whether nothing in this text needs a closer look. Most texts are; a false alarm costs the look, no more.

    >>> is_quiet("Töpfern für Anfänger (2 Tage), A/C: 10/10"), is_quiet("joe (at) home"), is_quiet("0049 30 1234567")
    (True, False, False)
    """
    if not text.isascii():
        if _LOUD.search(text) or _DOT.search(text) or _WA_ME.search(text):
            return False
    elif signs := text.encode().translate(None, _WORDS):
        if signs.translate(None, b" .(/:&") or (b"&" in signs and _ENTITY.search(text)):
            return False
        if (b" " in signs and " dot " in text.lower()) or (b"." in signs and "wa.me" in text.lower()):
            return False
    else:
        return not has_zeros(text)
    if ("(" in text and _BRACKET.search(text)) or (":" in text and _LABEL.search(text)):
        return False
    return not has_zeros(text) and not (". " in text and _ABBREVIATED.search(text))


def is_quiet_json(encoded: bytes, boxes: int) -> bool:
    """Whether every text in this JSON is quiet, asked of all at once. `boxes`: how many objects and lists it holds; a
    bracket more stands in a text.

    >>> is_quiet_json(b'{"a":"50 (2 days)","b":[1.5]}', 2), is_quiet_json(b'{"a":"{","b":1.5}', 1)
    (True, False)
    """
    signs = encoded.translate(None, _QUIET_JSON)
    if len(signs) != boxes:
        if len(signs.translate(None, b"&(")) != boxes:
            return False
        if (b"&" in signs and _ENTITY_JSON.search(encoded)) or (b"(" in signs and _BRACKET_JSON.search(encoded)):
            return False
    if encoded.count(b":") != encoded.count(b'":'):  # a colon that is not behind a name
        return False
    # Not `in`, which tries to read bytes as a number first.
    if encoded.find(b"00") >= 0 and _ZEROS_JSON.search(encoded):
        return False
    if encoded.find(b". ") >= 0 and _ABBREVIATED_JSON.search(encoded):
        return False
    lower = encoded.lower()
    if lower.find(b" dot ") >= 0 or lower.find(b"wa.me") >= 0:
        return False
    if encoded.isascii():
        return True
    text = encoded.decode()
    return not (_FOREIGN.search(text) or _DOT.search(text) or _WA_ME.search(text))


def has_zeros(text: str) -> bool:
    """Whether a phone number could begin with 00 here.

    >>> has_zeros("/0049301234567"), has_zeros("ord-000000042")
    (True, False)
    """
    return "00" in text and _ZEROS.search(text) is not None


# Everything but ASCII that disguises nothing: letters that fold to one letter, signs that fold to no other, and of
# those that do the dashes and the ellipsis of names and campaigns. An address needs an @ beside them, a number its
# beginning: behind 00 a dash is looked for, and three dots are one too many there.
_DASHES = "–—"
_LETTERS = (
    "§©ª®°º×÷À-ÖØ-öø-ıĴ-ľŁ-ňŊ-žΈ-ώА-яЀ-ҁҊ-ӿẠ-ỹא-תء-غف-يぁ-ゖァ-ヺー々一-鿿가-힣’“”„«»€"
    f"{_DASHES}…•→☀-⛿✅✓✔✨❤\U0001f300-\U0001f64f\U0001f680-\U0001f6ff\U0001f900-\U0001f9ff"
)
_WORDS = bytes(code for code in range(33, 127) if code not in b"@%&+\\<[{=.(/:")
# A class of 30,000 letters takes 2 to 4 ms to compile; plain ASCII needs none of them.
_FOREIGN = seldom(rf"[^ -~{_LETTERS}]")
_LOUD = seldom(rf"[^ -~{_LETTERS}]|[@%+\\<\[{{=]|&(?:[#A-Za-z]|[^ -~])")
_ENTITY = re.compile("&[#A-Za-z]")
# What of these the rules of email.py and phone.py could begin with, as it stands or with other letters folded.
_DOT = re.compile(r" (?:[dD]|[^ -~])(?:[oO]|[^ -~])(?:[tT]|[^ -~]) ")
_BRACKET = re.compile(r"\(\s{0,2}(?:[adpADP]|[^ -~])")
_DIGITS_BEHIND = rf"\+?\(?[0-9][0-9\s./()\-{_DASHES}]{{5}}"
_LABEL = re.compile(rf":[/\s]{{0,4}}{_DIGITS_BEHIND}")
_ABBREVIATED = seldom(rf"\. (?<![0-9]\. ){_DIGITS_BEHIND}")
_WA_ME = re.compile(r"\.(?:[mM]|[^ -~])(?:[eE]|[^ -~])[/\s+(0-9]")
_ZEROS = re.compile(rf"00(?<![A-Za-z0-9]00)(?<![.,+\-]00)[\s.\-({_DASHES}]{{0,2}}[1-9]")
# The same of JSON: all of UTF-8 but the ASCII that is looked at twice or cannot be seen.
_QUIET_JSON = bytes(code for code in range(32, 256) if code not in b"{[@%&+\\(<=\x7f")
_ENTITY_JSON = re.compile(rb"&[#A-Za-z\x80-\xff]")
_BRACKET_JSON = re.compile(rb"\( {0,2}[adpADP\x80-\xff]")
_ABBREVIATED_JSON = seldom(rb"\. (?<![0-9]\. )\+?\(?[0-9](?:[0-9 ./()-]|\xe2\x80[\x93\x94]){5}")
_ZEROS_JSON = re.compile(rb"00(?<![A-Za-z0-9]00)(?<![.,+\-]00)(?:[ .\-(]|\xe2\x80[\x93\x94]){0,2}[1-9]")
# The text of one user agent comes a thousand times, and so does the name of one course. Only what holds nobody is
# remembered, so that the memory is no list of persons.
_harmless: set[tuple[str, bool]] = set()
MOST_HARMLESS = 2_048
