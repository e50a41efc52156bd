"""Phone numbers as people type them, with and without a country; also without libphonenumber."""

import datetime
import random
import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.meta.customer_information import match_keys, phone
from conversion_relay.meta.customer_information.hashing import Dropped, digest
from conversion_relay.meta.customer_information.phone import normalize_phone

TOO_SHORT_OR_LONG = Dropped("a phone number has 7 to 15 digits")
REPEATED = Dropped("one digit repeated is nobody's number")

INTERNATIONAL = [
    ("+16505551212", "16505551212"),
    ("+1 (650) 555-1212", "16505551212"),
    ("+1.650.555.1212", "16505551212"),
    ("+1/650/555/1212", "16505551212"),
    ("001 650 555 1212", "16505551212"),
    ("(+1) 650 555 1212", "16505551212"),
    ("tel:+1-650-555-1212", "16505551212"),
    ("TEL: +1 650 555 1212", "16505551212"),
    ("+44 (0) 20 7946 0958", "442079460958"),
    ("+44 20 7946 0958 x12", "442079460958"),
    ("+44 20 7946 0958 ext 12", "442079460958"),
    ("+44 20 7946 0958;ext=12", "442079460958"),
    ("+44 20 7946 0958 extension: 12", "442079460958"),
    ("+1 650-555-1212,,123#", "16505551212"),
    ("+1 650 555 1212p12", "16505551212"),
    *(("+7 495 123-45-67 доб. 12", "74951234567"), ("+81 3-1234-5678 内線12", "81312345678")),
    *((f"+33 1 23 45 67 89 {word} 12", "33123456789") for word in ("poste", "Ramal", "int.", "DW", "wew.", "dahili:")),
    ("+44 20 7946 0958 #12", "442079460958"),
    ("+49 30 1234567 Durchwahl 89", "49301234567"),
    ("+49\u2011170\u20111234567", "491701234567"),
    ("+49 170 123 45 67", "491701234567"),
    ("\u202a+49 170 1234567\u202c", "491701234567"),
    ("＋４９　１７０　１２３４５６７", "491701234567"),
    ("+۹۸ ۲۱ ۱۲۳۴ ۵۶۷۸", "982112345678"),
    ("+९१ ९८७६५ ४३२१०", "919876543210"),
    ("+299 123456", "299123456"),
    ("+49 0151 23456789", "4915123456789"),
    ("+44 07700 900123", "447700900123"),
    ("0061 0412 345 678", "61412345678"),
    ("+972 050-123-4567", "972501234567"),
    ("+39 06 1234 5678", "390612345678"),
    ("+241 06 03 12 34", "24106031234"),
    ("+225 01 23 45 67 89", "2250123456789"),
    ("+683 4002", "6834002"),
    ("+123456789012345", "123456789012345"),
]


@pytest.mark.parametrize("country", [None, "de", "us", "jp"])
@pytest.mark.parametrize(("text", "digits"), [row for row in INTERNATIONAL if len(row[1]) > 10])
def test_an_international_number_is_the_same_from_any_country(text, digits, country):
    assert normalize_phone(text, country) == digits


@pytest.mark.parametrize(("text", "digits"), INTERNATIONAL)
def test_an_international_number_is_its_digits(text, digits):
    assert normalize_phone(text) == digits


AS_PROGRAMS_LEAVE_THEM = [
    ("16505551212.0", "16505551212"),
    ("+16505551212.0", "16505551212"),
    ("1.6505551212E+10", "16505551212"),
    ("%2B16505551212", "16505551212"),
    ("%2B1%20650%20555-1212", "16505551212"),
    ("1.65056E+10", Dropped("a spreadsheet shortened it; format the column as text")),
    ("1,65056E+10", Dropped("a spreadsheet shortened it; format the column as text")),
]


@pytest.mark.parametrize("country", [None, "us", "de"])
@pytest.mark.parametrize(("text", "digits"), AS_PROGRAMS_LEAVE_THEM)
def test_a_number_that_a_program_made_another_text_of_is_read_or_dropped(text, digits, country):
    assert normalize_phone(text, country) == digits
    keys, _ = match_keys({"ph": text}, default_country=country, today=datetime.date(2026, 1, 1))
    assert keys.get("ph") == (None if isinstance(digits, Dropped) else [digest(digits)])


def test_a_float_of_a_national_number_is_that_number():
    assert normalize_phone("6505551212.0", "us") == "16505551212"


NATIONAL = [
    ("321 6617773", "co", "573216617773"),
    ("3005551212", "co", "573005551212"),
    ("0123456789", "ci", "2250123456789"),
    ("01 92 91 79 71", "bj", "2290192917971"),
    ("0549 942937", "sm", "3780549942937"),
    ("8 029 400-72-04", "by", "375294007204"),
    ("(0-612) 83405", "lt", "37061283405"),
    ("63 01 23 45", "td", "23563012345"),
    ("(876) 555-1212", "jm", "18765551212"),
    ("(649) 231-1234", "tc", "16492311234"),
    ("(670) 234-5678", "mp", "16702345678"),
    ("(787) 234-5678", "pr", "17872345678"),
    ("0170 1234567", "de", "491701234567"),
    ("030/1234567", "de", "49301234567"),
    ("(030) 123 45-67", "de", "49301234567"),
    ("06 12 34 56 78", "fr", "33612345678"),
    ("020 7946 0958", "gb", "442079460958"),
    ("0664 1234567", "at", "436641234567"),
    ("079 123 45 67", "ch", "41791234567"),
    ("06 1234 5678", "nl", "31612345678"),
    ("0412 345 678", "au", "61412345678"),
    ("090-1234-5678", "jp", "819012345678"),
    ("010-1234-5678", "kr", "821012345678"),
    ("312 345 6789", "it", "393123456789"),
    ("612 34 56 78", "es", "34612345678"),
    ("512 345 678", "pl", "48512345678"),
    ("8 912 345-67-89", "ru", "79123456789"),
    ("06 20 123 4567", "hu", "36201234567"),
    ("9876543210", "in", "919876543210"),
    ("11 91234-5678", "br", "5511912345678"),
    ("13812345678", "cn", "8613812345678"),
    ("6505551212", "us", "16505551212"),
    ("1 650 555 1212", "us", "16505551212"),
    ("(416) 555-0123 x4", "ca", "14165550123"),
    ("011 49 170 1234567", "us", "491701234567"),
]
BEHIND_A_PLUS = [
    ("+0171 5550123", "de", "491715550123"),
    ("+07911 123456", "gb", "447911123456"),
    ("+06 12 34 56 78", "fr", "33612345678"),
    ("%2B090-1234-5678", "jp", "819012345678"),
    ("+(0)171 5550123", "de", "491715550123"),
    ("+0 49 171 5550123", "de", "491715550123"),
    ("+0049 171 5550123", "de", "491715550123"),
    ("+001 (650) 555-1212", "de", "16505551212"),
]


@pytest.mark.parametrize(("text", "country", "digits"), BEHIND_A_PLUS)
def test_a_plus_that_a_form_put_before_a_national_number_makes_it_no_number_of_another_country(text, country, digits):
    assert normalize_phone(text, country) == digits
    keys, _ = match_keys({"ph": text, "country": country}, today=datetime.date(2026, 1, 1))
    assert keys["ph"] == [digest(digits)]


@pytest.mark.parametrize(("text", "country", "digits"), NATIONAL)
def test_a_national_number_gets_the_calling_code_of_the_events_country(text, country, digits):
    assert normalize_phone(text, country) == digits


@pytest.mark.parametrize(("text", "country", "digits"), NATIONAL)
def test_a_number_that_is_whole_is_not_given_its_calling_code_again(text, country, digits):
    assert normalize_phone(digits, country) == digits
    assert normalize_phone(f"+{digits}", country) == digits


@pytest.mark.parametrize(
    ("text", "digits"),
    [("0170 1234567", "1701234567"), ("650 555 1212", "6505551212"), ("491701234567", "491701234567")],
)
def test_without_a_country_the_digits_go_without_their_leading_zeros(text, digits):
    assert normalize_phone(text) == digits


@pytest.mark.parametrize(
    ("text", "country", "reason"),
    [
        ("123456", None, TOO_SHORT_OR_LONG),
        ("+123456", None, TOO_SHORT_OR_LONG),
        ("0000123456", None, TOO_SHORT_OR_LONG),
        ("+1234567890123456", None, TOO_SHORT_OR_LONG),
        ("+1 650 555 1212 / +1 650 555 1213", None, TOO_SHORT_OR_LONG),
        ("call me", None, TOO_SHORT_OR_LONG),
        ("mary@example.com", "us", TOO_SHORT_OR_LONG),
        ("110", "de", TOO_SHORT_OR_LONG),
        ("911", "us", TOO_SHORT_OR_LONG),
        ("📞", None, TOO_SHORT_OR_LONG),
        ("+", "de", TOO_SHORT_OR_LONG),
        ("()", None, TOO_SHORT_OR_LONG),
        ("n/a", None, TOO_SHORT_OR_LONG),
        ("1111111111", None, REPEATED),
        ("+99999999999", None, REPEATED),
        ("00 777 777 777", None, REPEATED),
        ("", None, Dropped("empty")),
        (" \u200b\u200e", "de", Dropped("empty")),
    ],
)
def test_what_can_be_no_number_is_dropped_with_the_reason(text, country, reason):
    assert normalize_phone(text, country) == reason


# The table drops a number that is dialled out of the USA with 011, and where whole numbers are hardly longer.
NATIONAL_WITHOUT_LIBRARY = [row for row in NATIONAL if not row[0].startswith("011") and row[1] not in ("lt", "td")]


@pytest.fixture
def no_library(monkeypatch):
    """As where the extra `phone` is not installed."""
    monkeypatch.setattr(phone, "libphonenumber", lambda: None)
    monkeypatch.setattr(phone, "whole_number", lambda digits, country: None)


@pytest.mark.parametrize(("text", "country", "digits"), NATIONAL_WITHOUT_LIBRARY + BEHIND_A_PLUS)
@pytest.mark.usefixtures("no_library")
def test_the_table_alone_gives_the_same_calling_code(text, country, digits):
    assert normalize_phone(text, country) == digits


@given(st.text(max_size=40), st.sampled_from([None, "us", "de", "it", "br", "zz"]))
def test_any_text_is_digits_of_a_length_that_can_be_dialled_or_dropped(text, country):
    result = normalize_phone(text, country)
    if not isinstance(result, Dropped):
        assert result.isascii() and result.isdigit() and 7 <= len(result) <= 15 and result[0] != "0"


def like_one_of(region: str, draw: random.Random) -> str:
    """A number of this region with some digits changed, as somebody types it there."""
    example = phonenumbers.example_number_for_type(region, draw.randrange(4))
    digits = list(phonenumbers.national_significant_number(example) if example else "".join(draw.choices("0123456789")))
    for _ in range(draw.randrange(4)):
        digits[draw.randrange(len(digits))] = draw.choice("0123456789")
    number = draw.choice(["0", "0", "", "8", "1"]) + "".join(digits)
    return re.sub("^00+", "0", number)  # 00 says that it is international


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_number_that_its_trunk_prefix_tells_is_read_the_same_when_it_is_whole(region):
    """So nothing has to ask a second time whether it was a national one."""
    country = region.lower()
    draw = random.Random(region)
    for text in [*(like_one_of(region, draw) for _ in range(12)), "02415150123"]:
        whole = normalize_phone(text, country)
        assert isinstance(whole, Dropped) or normalize_phone(whole, country) == whole, text


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_real_number_with_a_plus_stays_what_it_is(region):
    for number in filter(None, (phonenumbers.example_number_for_type(region, kind) for kind in range(4))):
        whole = f"{number.country_code}{phonenumbers.national_significant_number(number)}"
        assert normalize_phone(f"+{whole}", region.lower()) == whole


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_a_plus_before_a_trunk_zero_changes_nothing(region):
    draw, code = random.Random(region), str(phonenumbers.country_code_for_region(region))
    for typed in (like_one_of(region, draw) for _ in range(12)):
        if typed[0] == "0" and not typed[1:].startswith(("0", code)):
            assert normalize_phone(f"+{typed}", region.lower()) == normalize_phone(typed, region.lower()), typed
