"""`ph`, a phone number: what it becomes before it is hashed, and where it is dropped.

"Remove symbols, letters, and any leading zeros. Phone numbers must include a country code":
https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters#phone

What could go wrong: a digest of a number without its calling code matches nobody, and one with a guessed calling code
may match somebody else. The rule: a number that says that it is international (+ or 00) is taken at its word. A
national number gets the calling code of the event's country, else of RELAY_DEFAULT_COUNTRY; without either its digits
go as they are. What cannot be told apart is dropped: see each `return Dropped(...)` of `normalize_phone`.

The common cases (a plus and enough digits; ten digits in the US or Canada; what `numbering_plan.py` knows of other
countries) are decided by `quick_phone`. The others ask libphonenumber where it is installed (extra `phone`), else a
table of calling codes and trunk prefixes. Not required always: it is 3 MB, and most shops know their customers' numbers
with a plus.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from conversion_relay.meta.customer_information.folding import ascii_digits
from conversion_relay.meta.customer_information.hashing import EMPTY, Dropped, clean
from conversion_relay.meta.customer_information.numbering_plan import (
    begins_with_0,
    libphonenumber,
    whole_number,
    without_trunk_zero,
)
from conversion_relay.meta.customer_information.tables.calling_codes import CALLING_CODES, TRUNK_PREFIXES
from conversion_relay.patterns import seldom

_NOT_DIGITS = re.compile(r"[^0-9]+")
# Of a form in any language, of a telephone that pauses before it dials on (",,12#"), of `tel:`.
_EXTENSION = seldom(
    r"\s*(?:;\s*ext\s*=|[;,]{1,9}|\bext(?:ension|n)?\b|(?<=[\d\s)])x(?=[\s\d.])|(?<=\d)[pw](?=\d)|#"
    r"|\b(?:durchwahl|dw|nebenstelle|apparat|poste|int(?:erno)?|ramal|anexo|toestel|tst|wewn?|klapka|linka|lokal|mell[eé]k"
    r"|anknytning|dahili|доб(?:авочный)?|вн(?:утр)?|εσωτ)\b|内線|分机|分機|내선)\s*[.:]{0,2}\s*\d{1,8}#?\s*$",
    re.IGNORECASE,
)
_SHORTEST, _LONGEST = 7, 15  # E.164; the lower bound is the Node SDK's
_LONGEST_TEXT = 128
"""The rule for extensions looks from every character to the end, which takes the square of the length."""
_SHORTENED = seldom(r"(\d)(?:[.,](\d{1,20}))?[eE]\+?(\d{1,2})", re.ASCII)
_DIGITS_ARE_LOST = Dropped("a spreadsheet shortened it; format the column as text")
_NORTH_AMERICA = frozenset(country for country, code in CALLING_CODES.items() if code == "1")
_NO_NUMBER = Dropped("a phone number has 7 to 15 digits")
_LONGEST_NATIONAL = 10
"""People write a plus before a national number by mistake; with more digits than this it cannot be national."""


def quick_phone(text: str, country: str | None = None) -> bytes | None:
    """A number that is surely international (a plus or 00, too long to be national), or surely a national one.

    >>> quick_phone("001 (650) 555-1212"), quick_phone("(650) 555-1212", "us"), quick_phone("(650) 555-1212")
    (b'16505551212', b'16505551212', None)
    """
    if len(text) > 32 or not text.isascii() or text[-2:] == ".0":
        return None
    sign = "+" if text[:1] == "+" else "00"
    if text.startswith(sign):
        digits = text.removeprefix(sign).encode().translate(None, b" .()-")
        fits = _LONGEST_NATIONAL < len(digits) <= _LONGEST and digits.isdigit() and digits[0] != ord("0")
        return without_trunk_zero(digits) if fits and digits[1:] != digits[:-1] and "(0" not in text else None
    digits = text.encode().translate(None, b" .()-") if country else b""
    if not country or not digits.isdigit() or digits[:2] == b"00":
        return None
    whole = _national(digits.decode(), country)
    return whole.encode() if whole else None


def normalize_phone(text: str, country: str | None = None) -> str | Dropped:
    """The number's digits with its calling code, or Dropped with the reason why this number is not sent.

    `country` (alpha-2, lower case) is used for a national number only; without it the digits go as they are.

    >>> normalize_phone("(650)555-1212", "us"), normalize_phone("+44 (0)20 7946 0958")
    ('16505551212', '442079460958')
    >>> normalize_phone("12345")
    Dropped(reason='a phone number has 7 to 15 digits')
    """
    if len(text) > _LONGEST_TEXT:
        return _NO_NUMBER
    folded = clean(text if text.isascii() else ascii_digits(unicodedata.normalize("NFKC", text)))
    if not folded:
        return EMPTY
    whole_number = _as_written(folded)
    if isinstance(whole_number, Dropped):
        return whole_number
    number = _EXTENSION.sub("", whole_number)
    international = number.lstrip(" (").lower().removeprefix("tel:").lstrip(" (").startswith(("+", "00"))
    digits = _NOT_DIGITS.sub("", number)
    if international and country and _is_national_behind_a_plus(digits, country):
        international = False
    elif international:
        digits = _NOT_DIGITS.sub("", number.replace("(0)", ""))
    if not international and country and (whole := _national(digits, country)):
        return whole
    is_sure = international
    if country and digits and not (international and len(digits) > _LONGEST_NATIONAL):
        digits, is_sure = _with_calling_code(digits, country, international=international)
    digits = digits.lstrip("0")
    if international:
        digits = without_trunk_zero(digits.encode()).decode()
    if not _SHORTEST <= len(digits) <= _LONGEST:
        return _NO_NUMBER
    if len(set(digits)) == 1:
        return Dropped("one digit repeated is nobody's number")
    if country and not is_sure and _read_again(digits, country) != digits:
        return Dropped("too short to tell a national number from an international one")
    return digits


def _is_national_behind_a_plus(digits: str, country: str) -> bool:
    """Digits of a number that says it is international. No calling code begins with 0: a form put a plus before what
    was typed (+0171 5550123). Two zeros are dialled for a plus, and 0 before the country's own code is a slip of it."""
    is_slip = digits[1:2] == "0" or digits[1:].startswith(CALLING_CODES.get(country, ""))
    return digits[:1] == "0" and not is_slip


def _as_written(text: str) -> str | Dropped:
    """Before a program or a spreadsheet made another text of it: %2B1650..., 16505551212.0, 1.6505551212E+10."""
    if "%" in text:
        text = unquote(text)
    if text.endswith(".0") and text.removeprefix("+")[:-2].isdigit():
        return text[:-2]
    if shortened := _SHORTENED.fullmatch(text):
        first, others, exponent = shortened.groups(default="")
        return first + others if int(exponent) == len(others) else _DIGITS_ARE_LOST
    return text


def _national(digits: str, country: str) -> str | None:
    """Most national numbers, whole; None where it takes more to say."""
    if country in _NORTH_AMERICA:
        return _north_american(digits)
    whole = whole_number(digits, country)
    is_number = whole is not None and _SHORTEST <= len(whole) <= _LONGEST and whole[1:] != whole[:-1]
    return whole if is_number else None


# Area code and exchange begin with 2 to 9: https://nanpa.com/numbering
def _north_american(digits: str) -> str | None:
    """Most numbers of the US, Canada and the islands behind +1, decided without the library (100 times as slow)."""
    national = digits[1:] if len(digits) == 11 and digits[0] == "1" else digits
    return f"1{national}" if len(national) == 10 and national[0] > "1" and national[3] > "1" else None


def _read_again(digits: str, country: str) -> str:
    """What these digits are in this country, where nothing says that they are whole."""
    if country in _NORTH_AMERICA and (whole := _north_american(digits)):
        return whole
    return _with_calling_code(digits, country, international=False)[0]


def _with_calling_code(digits: str, country: str, *, international: bool) -> tuple[str, bool]:
    """libphonenumber where it is installed (extra `phone`); else calling code and trunk prefix from a table.

    And whether that is sure: the number said that it is international, or is valid behind a trunk prefix."""
    library = libphonenumber()
    if library is None:
        return (digits if international else _by_table(digits, country)), international
    abroad = f"+{digits.lstrip('0')}"
    if international and _is(library.is_possible_number, _parse(library, abroad, None)):
        return digits, True
    at_home = _parse(library, digits, country.upper())
    whole = f"{at_home.country_code}{library.national_significant_number(at_home)}" if at_home is not None else digits
    national = _is(library.is_valid_number, at_home)
    is_said_with_0 = begins_with_0(country)
    if national and (not is_said_with_0 or digits[0] == "0"):
        return whole, international or is_said_with_0
    if digits[0] != "0" and _is(library.is_valid_number, _parse(library, abroad, None)):
        return digits, international
    possible = not international and _is(library.is_possible_number, at_home)
    return (whole if national or possible else digits), international


def _parse(library: Any, number: str, region: str | None) -> Any:
    try:
        return library.parse(number, region)
    except library.NumberParseException:
        return None


def _is(kind: Callable[[Any], bool], number: Any) -> bool:
    return number is not None and kind(number)


def _by_table(digits: str, country: str) -> str:
    code = CALLING_CODES.get(country)
    if code is None:
        return digits
    if country in ("us", "ca") and digits.startswith("011"):
        return digits[3:]
    trunk = TRUNK_PREFIXES.get(country, "0")
    if trunk and digits.startswith((trunk, "0")) and not digits.startswith(code):
        return code + digits.removeprefix(trunk).lstrip("0")  # 8 029 in Belarus, 0 612 in Lithuania
    if digits.startswith(code) and len(digits) > len(code) + 8:
        return digits
    return code + digits
