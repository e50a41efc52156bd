"""Digits of any script as 0-9, and the letters by which a place is looked up."""

import unicodedata

import pytest

from conversion_relay.meta.customer_information.folding import ascii_digits, name_key


@pytest.mark.parametrize(
    ("text", "digits"),
    [("٠١٢٣٤٥٦٧٨٩", "0123456789"), ("０９", "09"), ("१२a", "12a"), ("²", "²"), ("Ⅳ", "Ⅳ"), ("x1", "x1"), ("", "")],
)
def test_decimal_digits_of_any_script_are_read_and_nothing_else_is(text, digits):
    assert ascii_digits(text) == digits


@pytest.mark.parametrize("text", ["Île-de-France", "ILE DE FRANCE", unicodedata.normalize("NFD", "île de france")])
def test_a_name_has_one_key_in_the_tables_however_it_is_written(text):
    assert name_key(text) == "iledefrance"


@pytest.mark.parametrize(
    ("text", "key"), [("ＤＥ", "de"), ("Ⅳ", "iv"), ("東京", "東京"), ("St. Gallen 9000", "stgallen"), ("", "")]
)
def test_a_key_has_letters_only_of_any_script(text, key):
    assert name_key(text) == key
