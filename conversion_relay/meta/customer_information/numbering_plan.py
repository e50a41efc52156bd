"""Landline and mobile numbers as people dial them at home, known by one expression of their country.

What could go wrong: libphonenumber reads such a number as any of eleven kinds, some of them twice, and asks again what
its answer would be read as. That takes three times as long as all else that is done to an event, and most shops keep
their customers' numbers just so.

The rule: the library's own tables say what may stand before a national number (its trunk prefix), and how landlines and
mobiles look behind it. A number that has this shape and no other reading is whole with its calling code. For every
other one nothing is said, and the library is asked (`phone.py`). `test_numbering_plan.py` compares the two, region by
region. Territories that share another's calling code have no plan here.
"""

import re
from functools import cache
from typing import Any, NamedTuple

from conversion_relay.meta.customer_information.tables.calling_codes import (
    CALLING_CODES,
    SAID_WITHOUT_TRUNK,
    TRUNK_PREFIXES,
)

_LONGEST_DIALLED = 20
"""Digits: E.164 has 15, and what is dialled before them at home has five at most."""


class _Plan(NamedTuple):
    """Expressions over digits, all but `trunk` and `abroad` of a number without its trunk prefix."""

    code: str
    begins_with_0: bool
    """People write it with its trunk prefix, a 0."""
    abroad: re.Pattern[str]
    """What is dialled before the number of another country."""
    trunk: re.Pattern[str] | None
    any_kind: re.Pattern[str]
    usual: re.Pattern[str]
    """Landlines and mobiles."""


def begins_with_0(country: str) -> bool:
    """Whether national numbers are written with a 0 in front, the trunk prefix, in this country."""
    return TRUNK_PREFIXES.get(country, "0") == "0" and country not in SAID_WITHOUT_TRUNK


def without_trunk_zero(digits: bytes) -> bytes:
    """An international number without the 0 that is dialled at home, which many write behind the calling code.

    >>> without_trunk_zero(b"49015123456789"), without_trunk_zero(b"390612345678")
    (b'4915123456789', b'390612345678')
    """
    for size in (2, 3):
        if digits[size : size + 1] == b"0" and digits[:size] in _codes_before_0():
            return digits[:size] + digits[size + 1 :]
    return digits


@cache
def _codes_before_0() -> frozenset[bytes]:
    """Calling codes behind which no number begins with a 0; in Italy, Gabon and the Congo some do."""
    others = {code for country, code in CALLING_CODES.items() if not begins_with_0(country)} | {"241", "242"}
    return frozenset(code.encode() for code in CALLING_CODES.values() if code not in others)


def whole_number(digits: str, country: str) -> str | None:
    """`digits` of a national number with its calling code; None where it takes more to say, as it always does without
    the library (extra `phone`).

    >>> whole_number("01724334412", "de"), whole_number("4917243", "de")
    ('491724334412', None)
    """
    plan = _plan(country) if country in CALLING_CODES and len(digits) <= _LONGEST_DIALLED else None
    if plan is None or (plan.begins_with_0 and digits[:1] != "0") or plan.abroad.match(digits):
        return None
    national = digits
    if plan.trunk and (before := plan.trunk.match(digits)):
        if before.re.groups and before[before.re.groups]:
            return None  # a prefix that puts another one in its place
        national = digits[before.end() :]
    whole = plan.code + national
    if national[:1] == "0" or not plan.usual.fullmatch(national):
        return None
    if plan.begins_with_0:
        return whole
    # Without a 0, whoever reads it again must find the same. (No plan has numbers today that look like whole ones.)
    is_read_otherwise = plan.any_kind.fullmatch(whole) or (plan.trunk and plan.trunk.match(national))
    return None if is_read_otherwise else whole


@cache
def libphonenumber() -> Any:
    """The library `phonenumbers`, or None where the extra `phone` is not installed."""
    try:
        import phonenumbers
    except ImportError:
        return None
    return phonenumbers


@cache
def _plan(country: str) -> _Plan | None:
    """None where the library has no plan of this country's own."""
    library = libphonenumber()
    if library is None:
        return None
    region = country.upper()
    code = CALLING_CODES[country]
    if library.COUNTRY_CODE_TO_REGION_CODE.get(int(code), ("",))[0] != region:
        return None
    plan = library.PhoneMetadata.metadata_for_region(region, None)
    usual = [_of_lengths(kind) for kind in (plan.mobile, plan.fixed_line) if kind and kind.national_number_pattern]
    if not usual or not plan.international_prefix:
        return None
    first_digits = f"(?={plan.leading_digits})" if plan.leading_digits else ""  # the others are its territories'
    prefix, general = plan.national_prefix_for_parsing, plan.general_desc
    return _Plan(
        code,
        begins_with_0(country),
        re.compile(plan.international_prefix),
        re.compile(prefix) if prefix else None,
        re.compile(general.national_number_pattern),
        re.compile(f"{first_digits}(?={_of_lengths(general)}\\Z)(?:{'|'.join(usual)})"),
    )


def _of_lengths(kind: Any) -> str:
    lengths = "|".join(f"[0-9]{{{length}}}" for length in sorted(kind.possible_length) if length > 0)
    pattern = f"(?:{kind.national_number_pattern})"
    return f"(?:(?=(?:{lengths})\\Z){pattern})" if lengths else pattern
