"""A text as a person would read it, so that one rule finds what ten spellings hide.

An address is rarely hidden on purpose. It comes out of a URL that was encoded twice (%2540), out of a template that
escaped HTML (&#64;), out of JSON in JSON (\\u0040), or from a keyboard that writes full-width letters. So every text is
read as all of them at once, round after round, until nothing changes.

What could go wrong, and the rule against it:
- Each round undoes one layer, and a text may have as many layers as its sender likes. `%25` repeated is one layer here,
  and after ROUNDS the text is `Plain.settled = False`; who asks then treats it as if it held a person.
- `unicodedata.normalize` sorts combining marks by insertion: quadratic in a run of them. So characters are normalised
  one by one and their marks left out (NFKD), which no rule of ours needs.
"""

import re
import unicodedata
from typing import NamedTuple
from urllib.parse import unquote, unquote_to_bytes

from conversion_relay.patterns import seldom

ROUNDS = 5


class Plain(NamedTuple):
    text: str
    settled: bool
    """False: still encoded after ROUNDS."""


def plain(text: str) -> Plain:
    r"""The text without its disguises. For looking, never for sending: accents and backslashes are gone.

    >>> plain("joe%2540example.com").text, plain("joe&#64;example&period;com").text, plain("ｊｏｅ＠example。com").text
    ('joe@example.com', 'joe@example.com', 'joe@example.com')
    """
    if _is_plain(text):
        return Plain(text, True)
    for _ in range(ROUNDS):
        before, text = text, _one_layer(text)
        if text == before or _is_plain(text):
            return Plain(text, True)
    return Plain(text, _is_plain(text) or _one_layer(text) == text)


def _is_plain(text: str) -> bool:
    return text.isascii() and "%" not in text and "&" not in text and "\\" not in text


def folded(text: str) -> str:
    """Compatibility forms, accents, letters of no width and foreign digits as plain letters and digits.

    >>> folded("Pre\u0301nom"), folded("\u0661\u0662"), folded("ＡＢ\u200bＣ"), folded("płeć")
    ('Prenom', '12', 'ABC', 'plec')
    """
    return text if text.isascii() else _FOREIGN.sub(_fold_all, text)


def unquoted(text: str) -> str:
    """`urllib.parse.unquote`, which looks for what is not ASCII before it does the same."""
    return unquote_to_bytes(text).decode("utf-8", "replace") if text.isascii() else unquote(text)


def without_entities(text: str) -> str:
    """HTML's `&#64;` and the like as the characters that they mean.

    >>> without_entities("joe&#64;example.com?a=1&amp;b=2")
    'joe@example.com?a=1&b=2'
    """
    return _ENTITY.sub(_character, text)


def _one_layer(text: str) -> str:
    if "%" in text:
        text = _PERCENTS.sub("%", text)
        if "+" in text and "%2b" in text.lower():
            text = _FORM_SPACE.sub(" ", text)
        text = unquoted(text)
    if "&" in text:
        text = without_entities(text)
    if "\\" in text or "%u" in text:
        text = _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text).replace("\\", "")
    return folded(text)


# Most of a text is ASCII, and `translate` would ask for each letter of it.
_FOREIGN = seldom(r"[^\x00-\x7f]+")
# All of %25%25..., %2525... at once: a layer each would be a round each.
_PERCENTS = seldom(r"%(?:25)+")
# In a form's encoding a plus is %2B, and a plus within a number is a space: ?q=%2B1+%28650%29+555+1212.
_FORM_SPACE = seldom(r"(?<=[0-9)])\+(?=[0-9(]|%28)|(?<=%29)\+(?=[0-9(]|%28)")
_ESCAPE = seldom(r"[\\%]u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})")
_NAMED = {
    "amp": "&",
    "commat": "@",
    "period": ".",
    "plus": "+",
    "lpar": "(",
    "rpar": ")",
    "lowbar": "_",
    "hyphen": "-",
    "percnt": "%",
    "quot": '"',
    "apos": "'",
    "colon": ":",
    "equals": "=",
    "nbsp": " ",
    "shy": "",
    "zwnj": "",
    "zwj": "",
    "lt": "<",
    "gt": ">",
}
_ENTITY = seldom(rf"&(?:#([0-9]{{1,10}})|#[xX]([0-9A-Fa-f]{{1,8}})|({'|'.join(_NAMED)}));?")


def _character(found: re.Match[str]) -> str:
    if found[3]:
        return _NAMED[found[3]]
    code = int(found[1]) if found[1] else int(found[2], 16)
    return chr(code) if code <= 0x10FFFF else ""


class _Folds(dict[int, str]):
    """Character by character, remembered; foreign text cannot make it grow without end."""

    def __missing__(self, code: int) -> str:
        if len(self) >= 16_384:
            self.clear()
        self[code] = fold = _fold(chr(code))
        return fold


def _fold(character: str) -> str:
    if character in _ALIKE:
        return _ALIKE[character]
    if unicodedata.category(character) == "Pd":
        return "-"
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    letters = unicodedata.normalize("NFKD", character)
    return "".join(c for c in letters if unicodedata.category(c) not in ("Mn", "Mc", "Me", "Cf"))


_ALIKE = {
    "\u3002": ".",  # the ideographic full stop, which domain names take for a dot: RFC 3490, 3.1
    "\uff61": ".",
    "\u2212": "-",
    "\u2795": "+",
    "\u30fb": "\u30fb",
    "ł": "l",
    "Ł": "L",
    "ø": "o",
    "Ø": "O",
    "đ": "d",
    "Đ": "D",
    "ı": "i",
}
_folds = _Folds()


def _fold_all(found: re.Match[str]) -> str:
    return found[0].translate(_folds)
