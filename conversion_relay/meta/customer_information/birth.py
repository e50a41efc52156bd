"""`db` and the SDKs' parts of it (`doby`, `dobm`, `dobd`).

"We accept the YYYYMMDD format accommodating a range of month, day and year combinations":
https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters
"""

import datetime
import re

from conversion_relay.meta.customer_information.folding import ascii_digits, whole_number_of
from conversion_relay.meta.customer_information.hashing import EMPTY, Dropped, clean
from conversion_relay.patterns import seldom

_NOT_A_DATE = Dropped("no date of birth in it")
_ISO_DATE_TIME = seldom(r"(\d{4}-\d{2}-\d{2})[T ]\d{2}:?\d{2}.*", re.DOTALL)
_LETTER = seldom(r"[^\W\d_]")
_NUMBERS = seldom(r"\d+", re.ASCII)
# What forms write beside the field: "(dd-mm-yyyy)", "TT.MM.JJJJ", "jj/mm/aaaa". Its order is that of the date.
_HINT = seldom(
    r"\(?\b(dd?|mm?|tt?|jj?|yyyy|jjjj|aaaa)[-./ ](dd?|mm?|tt?)[-./ ](dd?|yyyy|jjjj|aaaa|yy)\b\)?", re.IGNORECASE
)
_LABEL = seldom(r"\b(?:born|dob|date|of|birth|birthday|birthdate|is|verified|geb|geboren)\b[.:]?", re.IGNORECASE)
_LONGEST = 80
# A day that each month has, in a year that is over by any clock that is set.
_COMMON = seldom(
    r"(?:19[0-9]{2}|20[01][0-9])(?:(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])|-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]))"
)
_DASHES = str.maketrans("‐‑‒–—―−⁄∕／", "-------///")


def quick_birth_date(text: str, _: object = None) -> bytes | None:
    """
    >>> quick_birth_date("1990-12-01"), quick_birth_date("19901201"), quick_birth_date("2/16/1997")
    (b'19901201', b'19901201', None)
    """
    return text.replace("-", "").encode() if _COMMON.fullmatch(text) else None


def normalize_birth_date(text: str, today: datetime.date) -> str | Dropped:
    """A four-digit year; a number above 12 is the day; else in the order that the form says, or month first, as Meta
    reads it.

    >>> today = datetime.date(2026, 11, 23)
    >>> normalize_birth_date("2/16/1997", today), normalize_birth_date("31-12-1990", today)
    ('19970216', '19901231')
    >>> normalize_birth_date("5.3.1995 (dd.mm.yyyy)", today), normalize_birth_date("5/3/1995", today)
    ('19950305', '19950503')
    >>> normalize_birth_date("2001-02-29", today)
    Dropped(reason='no date of birth in it')
    """
    if len(text) > _LONGEST:
        return _NOT_A_DATE
    text = whole_number_of(ascii_digits(clean(text)).translate(_DASHES))
    if not text:
        return EMPTY
    hint = _HINT.search(text)
    if hint:
        text = text[: hint.start()] + text[hint.end() :]
    text = _LABEL.sub("", text).strip()
    if iso := _ISO_DATE_TIME.fullmatch(text):
        text = iso[1]
    if len(text) > 40 or _names_a_month(text):
        return _NOT_A_DATE
    numbers = _NUMBERS.findall(text)
    if len(numbers) == 1 and len(numbers[0]) == 8:
        number = numbers[0]
        return _date(number[:4], number[4:6], number[6:], today)
    if len(numbers) != 3 or [len(n) == 4 for n in numbers].count(True) != 1 or any(len(n) > 4 for n in numbers):
        return _NOT_A_DATE
    year = next(n for n in numbers if len(n) == 4)
    first, second = [n for n in numbers if len(n) != 4]
    day_first = hint is not None and hint[1][0].lower() in "dtj" and hint[2][0].lower() == "m"
    if int(first) > 12 or (day_first and int(second) <= 12):
        return _date(year, second, first, today)
    return _date(year, first, second, today)


def _names_a_month(text: str) -> bool:
    """CJK writes its separators as letters. (One class of the regular expression would take 5 ms to compile.)"""
    letters = (found[0] for found in _LETTER.finditer(text))
    return any(not ("\u2e80" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7af") for letter in letters)


def _date(year: str, month: str, day: str, today: datetime.date) -> str | Dropped:
    try:
        date = datetime.date(int(year), int(month), int(day))
    except ValueError:
        return _NOT_A_DATE
    return date.strftime("%Y%m%d") if date.year >= 1900 and date <= today else _NOT_A_DATE


def normalize_birth_day(text: str) -> str | Dropped:
    """
    >>> normalize_birth_day("2")
    '02'
    """
    return _between(text, 1, 31, 2)


def normalize_birth_month(text: str) -> str | Dropped:
    """
    >>> normalize_birth_month("7"), normalize_birth_month("13")
    ('07', Dropped(reason='out of range'))
    """
    return _between(text, 1, 12, 2)


def normalize_birth_year(text: str, today: datetime.date) -> str | Dropped:
    """
    >>> today = datetime.date(2026, 11, 23)
    >>> normalize_birth_year("1997", today), normalize_birth_year("97", today)
    ('1997', Dropped(reason='out of range'))
    """
    return _between(text, 1900, today.year, 4)


def _between(text: str, low: int, high: int, width: int) -> str | Dropped:
    number = ascii_digits(clean(text[:_LONGEST]))
    if not number:
        return EMPTY
    if not re.fullmatch(r"\d{1,4}", number, re.ASCII) or not low <= int(number) <= high:
        return Dropped("out of range")
    return f"{int(number):0{width}}"
