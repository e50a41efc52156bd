"""A national number that one expression knows is what libphonenumber, asked with all care, would have made of it."""

import random
from collections.abc import Iterator

import phonenumbers
import pytest

from conversion_relay.meta.customer_information import phone
from conversion_relay.meta.customer_information.hashing import Dropped
from conversion_relay.meta.customer_information.numbering_plan import without_trunk_zero
from conversion_relay.meta.customer_information.phone import normalize_phone, quick_phone
from conversion_relay.meta.customer_information.tables.calling_codes import CALLING_CODES

LEFT_TO_THE_LIBRARY = {"AR", "BJ", "CG", "CI", "GA", "SH"}
"""A mobile number there gains a digit abroad, or begins with a 0 that is no prefix."""


def dialled(region: str, draw: random.Random) -> Iterator[str]:
    """As somebody types numbers there: of any kind, with mistakes, and behind what may stand before a number."""
    for _ in range(60):
        example = phonenumbers.example_number_for_type(region, draw.choice((0, 1, 1, draw.randrange(11))))
        digits = list(phonenumbers.national_significant_number(example) if example else str(draw.randrange(10**11)))
        for _ in range(draw.choice((0, 0, 1, 2, 4))):
            digits[draw.randrange(len(digits))] = draw.choice("0123456789")
        if draw.random() < 0.2:
            digits.insert(draw.randrange(len(digits)), draw.choice("0123456789"))
        before = draw.choice(
            ["", "0", "0", "0", "8", "1", "00", "90", f"0{draw.randrange(10)}", CALLING_CODES[region.lower()]]
        )
        yield before + "".join(digits)[draw.random() < 0.1 :]


def carefully(text: str, country: str) -> str | Dropped:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phone, "whole_number", lambda digits, country: None)
        return normalize_phone(text, country)


@pytest.mark.parametrize("first", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
def test_a_number_that_is_known_at_a_look_is_what_the_library_makes_of_it(first):
    for region in sorted(name for name in phonenumbers.SUPPORTED_REGIONS if name[0] == first):
        country, draw = region.lower(), random.Random(region)
        for text in dialled(region, draw):
            if (whole := quick_phone(text, country)) is not None:
                assert whole.decode() == carefully(text, country) == normalize_phone(text, country), (text, country)


def test_what_people_write_at_home_is_known_nearly_everywhere():
    own_plans = {regions[0] for regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.values() if regions[0].isalpha()}
    unknown = set()
    for region in own_plans:
        mobile = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        written = phonenumbers.format_number(mobile, phonenumbers.PhoneNumberFormat.NATIONAL)
        if quick_phone(written, region.lower()) is None:
            unknown.add(region)
    assert unknown <= LEFT_TO_THE_LIBRARY


@pytest.mark.parametrize(
    ("text", "country", "whole"),
    [
        ("0151 23456789", "de", b"4915123456789"),
        ("07400 123456", "gb", b"447400123456"),
        ("06 12 34 56 78", "fr", b"33612345678"),
        ("(050) 234-5678", "il", b"972502345678"),
        ("512 345 678", "pl", b"48512345678"),
        ("0049 151 23456789", "de", b"4915123456789"),  # says that it is international
        ("00 151 23456789", "us", b"15123456789"),
        ("0049 (0)151 23456789", "de", None),
        ("000 151 23456789", "de", None),
        ("(00) 49 151 23456789", "de", None),
        ("151 23456789", "de", None),  # perhaps a 0 is missing, perhaps it is another country's
        ("48 512 345 678", "pl", None),  # perhaps whole
        ("8 (871) 125-95-87", "ru", None),  # read again, its first 8 would be a prefix
        ("07400 123456", None, None),
        ("07400 123456", "zz", None),
        ("0" * 32, "de", None),
    ],
)
def test_a_national_number_is_known_where_it_has_one_reading(text, country, whole):
    assert quick_phone(text, country) == whole


def test_a_zero_behind_a_calling_code_is_left_out_where_no_number_begins_with_one():
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in range(11):
            if example := phonenumbers.example_number_for_type(region, kind):
                national = phonenumbers.national_significant_number(example)
                code = str(example.country_code)
                assert without_trunk_zero(f"{code}{national}".encode()).decode() == f"{code}{national}"
                dialled = without_trunk_zero(f"{code}0{national}".encode()).decode()
                library = phonenumbers.parse(f"+{code}0{national}")
                as_read = f"{code}{phonenumbers.national_significant_number(library)}"
                assert dialled in (f"{code}0{national}", as_read), (region, national)
