"""Phone numbers in international form, in a plain text (`plain.py`).

Found: +CC and 00CC followed by a number as long as that country has them, with spaces, dots, dashes, slashes,
parentheses and a trunk zero between; and any number behind a word that says so (tel:, wa.me/).

A shop's texts are full of digits, so what looks alike is told apart by its surroundings:
- A plus behind a digit is arithmetic, a time zone or a version: "3+4", "T10:00:00+02:00", "1.2.3+20130313144700".
  Behind a letter and before a space it is a mark: "A+ 2024-10-01".
- A country code decides how many digits follow. That leaves "+1 free month", "+500 points" and "+48.8584+2.2945"
  alone.
- 00 is a prefix only where nothing but white space, an underscore, a slash or a bracket stands before it, and at
  least nine digits behind: "100.00", "10:00", "SKU-0049-1234-5678" and "000012345" are none. Article numbers may
  begin with 00 as well (an EAN of a North American maker does), so `spans(codes=True)` leaves 00 alone; the caller
  knows the name under which the text stands.

A number in national form ("030 123456") is not told from an order number and is not found.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from conversion_relay.patterns import seldom
from conversion_relay.personal_data.calling_codes import NATIONAL_LENGTHS


class PhoneSpan(NamedTuple):
    begin: int
    end: int
    digits: str
    """Country code and subscriber's number, without a trunk zero: the form that Meta hashes."""


def phone_spans(text: str, *, codes: bool = False) -> Iterator[PhoneSpan]:
    """Where numbers stand in a plain text, from left to right. `codes`: it is a code (an EAN, an order's id).

    >>> [span.digits for span in phone_spans("Callback for +1 (650) 555-1212, or 0049 (0)30 123456")]
    ['16505551212', '4930123456']
    >>> list(phone_spans("+48.8584+2.2945 on 2024-10-01T10:00:00+02:00, +1 free month, C++, 100.00 49"))
    []
    """
    if "+" in text:
        for found in _PLUS.finditer(text):
            if not _is_a_mark(text, found) and (span := _numbered(text, found)):
                yield span
    if not codes and "00" in text:
        for found in _ZEROS.finditer(text):
            if not _UUID.match(text, found.start()) and (span := _numbered(text, found, least=9)):
                yield span
    if (":" in text and _BEHIND_A_COLON.search(text)) or "wa.me" in text.lower():
        for found in _LABELLED.finditer(text):
            digits = _DIGITS.sub("", found[1])
            if 7 <= len(digits) <= 15 and not DATE.match(found[1]):
                yield PhoneSpan(found.start(1), found.end(1), digits)


def holds_phone(text: str, *, codes: bool = False) -> bool:
    """Whether a plain text holds a number."""
    return any(phone_spans(text, codes=codes))


def _numbered(text: str, found: re.Match[str], *, least: int = 8) -> PhoneSpan | None:
    """The longest beginning of these digits, whole groups of them, that is a number of a country."""
    number = found[1]
    if DATE.match(number) or (found[0].startswith("+") and _is_a_coordinate(text, found)):
        return None
    if "_" in number and (_DAY_OR_YEAR.search(number) or text[found.start() - 1 : found.start()].isalnum()):
        return None  # a campaign: Women+45_18_30_1234
    begin, best = found.start(1), None
    for group in _GROUP_END.finditer(number):
        written = number[: group.end()]
        digits = _DIGITS.sub("", _TRUNK_ZERO.sub("", written))
        if len(digits) > 16:
            break
        if len(digits) >= least and (normal := _subscriber(digits)):
            best = PhoneSpan(found.start(), begin + group.end(), normal)
    if best is not None and text[best.end : best.end + 1] == ")" and "(" in found[0]:
        return best._replace(end=best.end + 1)
    return best


def _subscriber(digits: str) -> str | None:
    for size in (1, 2, 3):
        lengths = NATIONAL_LENGTHS.get(digits[:size])
        if lengths is not None:
            national = digits[size:]
            if len(national) in lengths:
                return digits if national.strip("0") else None
            # Many write the zero that one dials at home: +49 030 ...
            if national.startswith("0") and len(national) - 1 in lengths and national.strip("0"):
                return digits[:size] + national[1:]
            return None
    return None


def _is_a_mark(text: str, found: re.Match[str]) -> bool:
    """A+ 2024, B2+ 2025: a grade, not the beginning of a number; but 電話は+ 81 is one."""
    before = text[found.start() - 1 : found.start()]
    return before.isalnum() and (before.isdigit() or (found[0][1] == " " and before < "\u0e00"))


def _is_a_coordinate(text: str, found: re.Match[str]) -> bool:
    """One dot, and another signed or comma-parted number behind: +48.8584+2.2945."""
    return _DEGREES.fullmatch(found[1]) is not None and _NEXT_DEGREES.match(text, found.end()) is not None


_BETWEEN = r"[\s./()\-]"
# Thai, Chinese, Japanese and Korean (folded) put no space before or behind a number.
_LETTER = r"[^\W_\u0e00-\u0eff\u1100-\u11ff\u2e80-\uffff]"
_NUMBER = rf"([1-9](?:{_BETWEEN}{{0,3}}[0-9]){{6,20}})(?![0-9])"
# Behind a plus also what stands for a space in an id, a file's name and a list: +31_6_12345678, +33·6·12·34·56·78.
_SPACED = _NUMBER.replace(_BETWEEN, r"[\s./()\-_~·•‧∙⋅]")
_PLUS = seldom(rf"\+[\s.\-(]{{0,2}}(?:00[\s.\-(]{{0,2}})?{_SPACED}")  # +0049 is written, too
# Nothing before it but what parts words; a letter behind it makes it part of a digest or a serial number.
# What stands before is asked behind the zeros, since a search goes by what it begins with.
_ZEROS = seldom(rf"00(?<!{_LETTER}00)(?<![.,+\-]00)(?<![0-9]:00)[\s.\-(]{{0,2}}{_NUMBER}(?!{_LETTER})")
_BEHIND_A_COLON = seldom(r":[/\s]{0,4}\+?\(?[0-9]")
_LABELLED = seldom(
    rf"(?<!{_LETTER})(?:(?:tel|telefono?|telephone|phone|cell|mobile?|mob|handy|fax|sms|callto|whatsapp)\.?:|wa\.me)"
    rf"(?://?)?\s{{0,2}}(\+?\(?[0-9](?:{_BETWEEN}{{0,3}}[0-9]){{6,20}})(?![0-9])",
    re.IGNORECASE,
)
_GROUP_END = seldom(r"[0-9](?![0-9])")
_DIGITS = seldom(r"[^0-9]")
_TRUNK_ZERO = seldom(r"\(0\)")
DATE = seldom(
    r"(?:19|20)[0-9]{2}([-./])[0-9]{1,2}\1[0-9]{1,2}(?![0-9])"
    r"|[0-9]{1,2}([./])[0-9]{1,2}\2(?:19|20)?[0-9]{2}(?![^\W_])(?!\2[0-9])"  # +33.6.12.34.56.78 is none
)
_DAY_OR_YEAR = seldom(r"_20[0-3][0-9](?:[01][0-9](?:[0-3][0-9])?)?(?![0-9])")
_DEGREES = seldom(r"[0-9]{1,3}\.[0-9]+")
_NEXT_DEGREES = seldom(r"\s?[,;]?\s?[+\-]?[0-9]{1,3}\.[0-9]|/")
_UUID = seldom(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-", re.IGNORECASE)
