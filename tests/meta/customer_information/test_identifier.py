"""Ids: an external id of any form, and Meta's own ids, which are passed on byte by byte or not at all."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conversion_relay.meta.customer_information.hashing import PLACEHOLDER, Dropped
from conversion_relay.meta.customer_information.identifier import (
    normalize_external_id,
    normalize_fbc,
    normalize_fbp,
    normalize_lead_id,
    normalize_madid,
    normalize_number,
    normalize_verbatim,
    quick_fbc,
    quick_fbp,
)
from conversion_relay.meta.customer_information.nothing import is_nothing


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("42", "42"),
        ("0042", "0042"),
        ("USER-42", "user-42"),
        ("user@example.com", "user@example.com"),
        ("a b\tc\nd\u00a0e\u3000f", "abcdef"),
        ("{6B29FC40-CA47-1067-B31D-00DD010662DA}", "{6b29fc40-ca47-1067-b31d-00dd010662da}"),
        ("gid://shopify/Customer/1234", "gid://shopify/customer/1234"),
        ("ÄÖÜ", "äöü"),
        ("Клиент 7", "клиент7"),
        ("客户７", "客户７"),
        ("\ufeff42\u200b", "42"),
        ("🙂", "🙂"),
        ("d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e"),
    ],
)
def test_an_external_id_is_lowered_and_loses_its_white_space_only(text, normalized):
    assert normalize_external_id(text) == normalized


def test_both_forms_of_an_accent_are_one_external_id():
    assert normalize_external_id(unicodedata.normalize("NFD", "andré")) == "andré"


@pytest.mark.parametrize("text", ["andr\ufffd", "\ud83d1", "1 \ud83e", "\udce97"])
def test_an_external_id_that_lost_a_letter_joins_no_two_people(text):
    """Each lost letter is written alike, so the digests of two people were one."""
    assert normalize_external_id(text) == Dropped("a letter of it was lost; send UTF-8")


FBC = [
    "fb.1.1554763741205.IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk",
    "fb.0.1554763741205.a",
    "fb.2.1554763741205.A-_z",
    "fb.12.1554763741205.A",
    "fb.1.1554763741205.A.AQICAQMC",
    "fb.1.1554763741205.A.AQ",
    "fb.1.1554763741205." + "A" * 500,
]


@pytest.mark.parametrize("text", FBC)
def test_an_fbc_is_passed_on_byte_by_byte(text):
    assert normalize_fbc(text) == normalize_fbc(f" {text}\n") == text


NOT_FBC = [
    "IwAR2F4",
    "fb.1.1554763741205",
    "fb.1.1554763741205.",
    "fb.1.1554763741205.a b",
    "fb.1.1554763741205.a/b",
    "fb.1.1554763741205.a%20b",
    "fb.1.1554763741205.é",
    "fb.1.1554763741205.A.AQI",
    "fb.1.1554763741205.A.AQICAQMC.x",
    "fb.1.155476374120.A",
    "fb.1.15547637412050.A",
    "fb..1554763741205.A",
    "fb.123.1554763741205.A",
    "fb.-1.1554763741205.A",
    "fb.1.١٥٥٤٧٦٣٧٤١٢٠٥.A",
    "FB.1.1554763741205.A",
    "fbc.1.1554763741205.A",
    "fb.1.1554763741205." + "A" * 501,
    "fb.1.1554763741205.A; Path=/",
    "fb.1.1554763741205.A\r\nSet-Cookie: x",
    "null",
    "undefined",
]


@pytest.mark.parametrize("text", NOT_FBC)
def test_what_is_no_fbc_is_dropped_and_not_repaired(text):
    assert normalize_fbc(text) == Dropped("not fb.<index>.<milliseconds>.<click id>")


@pytest.mark.parametrize(
    "text",
    ["fb.1.1596403881668.1116446470", "fb.0.1596403881668.0", "fb.1.1596403881668.123456789123456789.AQYCAQMA"],
)
def test_an_fbp_is_passed_on_byte_by_byte(text):
    assert normalize_fbp(f"\t{text} ") == text


@pytest.mark.parametrize(
    "text",
    [
        "1116446470",
        "fb.1.1596403881.1116446470",
        "fb.1.1596403881668." + "1" * 65,
        "fb.1.1596403881668.1116446470.x",
        "fb.1.1596403881668.1 2",
        "GA1.1.1596403881668.1116446470",
    ],
)
def test_what_is_no_fbp_is_dropped(text):
    assert normalize_fbp(text) == Dropped("not fb.<index>.<milliseconds>.<number>")


@pytest.mark.parametrize("rule", [normalize_fbp, normalize_fbc, quick_fbp, quick_fbc])
@pytest.mark.parametrize("nothing", ["undefined", "null", "None", "NaN"])
def test_a_browser_id_or_a_click_that_a_program_built_of_nothing_is_nobodys(rule, nothing):
    assert rule(f"fb.1.1596403881668.{nothing}") in (None, PLACEHOLDER)


@pytest.mark.parametrize("digits", [15, 16, 17])
def test_a_lead_id_has_15_to_17_digits(digits):
    assert normalize_lead_id("1" * digits) == "1" * digits


@pytest.mark.parametrize("text", ["1" * 14, "1" * 18, "0" + "1" * 15, "l:" + "1" * 15, "1" * 15 + ".0", "١" * 15, "-1"])
def test_what_is_no_lead_id_is_dropped(text):
    assert normalize_lead_id(text) == Dropped("a lead id has 15 to 17 digits")


@pytest.mark.parametrize("text", ["1", "9" * 19])
def test_a_login_id_is_a_number_of_up_to_19_digits(text):
    assert normalize_number(text) == text


def test_a_login_id_that_a_table_made_a_float_of_is_read_while_a_float_holds_all_its_digits():
    assert normalize_number("9" * 15 + ".0") == "9" * 15 and isinstance(normalize_number("9" * 16 + ".0"), Dropped)


@pytest.mark.parametrize("text", ["0", "01", "-1", "1.5", "9" * 20, "1e3", "१", "joe"])
def test_what_is_no_login_id_is_dropped(text):
    assert normalize_number(text) == Dropped("not a number")


@pytest.mark.parametrize("text", ["AEBE52E7-03EE-455A-B3C4-E57283966239", " aebe52e7-03ee-455a-b3c4-e57283966239 "])
def test_a_mobile_advertiser_id_is_lowered(text):
    assert normalize_madid(text) == "aebe52e7-03ee-455a-b3c4-e57283966239"


@pytest.mark.parametrize(
    "text", ["aebe52e703ee455ab3c4e57283966239", "aebe52e7-03ee-455a-b3c4-e5728396623", "g" * 36, "{aebe52e7}", "idfa"]
)
def test_a_mobile_advertiser_id_is_a_uuid_with_its_dashes(text):
    assert normalize_madid(text) == Dropped("a mobile advertiser id is a UUID")


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=1_024))
@example("NAN")
def test_an_id_that_only_meta_understands_is_passed_on_as_it_came(text):
    """Or it is a word for nothing, which is no id of anybody."""
    assert normalize_verbatim(text) == (PLACEHOLDER if is_nothing(text) else text)


@pytest.mark.parametrize("text", ["a" * 1_025, "a\nb", "a\x00", "\u202eabc", "a\x7f"])
def test_an_id_that_is_too_long_or_not_printable_is_dropped(text):
    assert normalize_verbatim(text) == Dropped("too long or not printable")


RULES = [normalize_external_id, normalize_fbc, normalize_fbp, normalize_lead_id, normalize_number, normalize_madid]


@pytest.mark.parametrize("rule", [*RULES, normalize_verbatim])
@pytest.mark.parametrize("text", ["", " ", "\t\r\n"])
def test_an_id_without_a_character_is_empty(rule, text):
    assert rule(text) == Dropped("empty")
