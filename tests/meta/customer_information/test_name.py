"""Names in the scripts of the world, and what people put into a name's field beside the name."""

import unicodedata

import pytest

from conversion_relay.meta.customer_information.hashing import Dropped
from conversion_relay.meta.customer_information.name import normalize_gender, normalize_name
from conversion_relay.meta.customer_information.place import normalize_state

NAMES = [
    ("MARY", "mary"),
    ("mary ann", "maryann"),
    ("Mary-Ann", "maryann"),
    ("Mary–Ann", "maryann"),
    ("Mary\u00a0Ann", "maryann"),
    ("Mary_Ann", "maryann"),
    ("D'Angelo", "dangelo"),
    ("D’Angelo", "dangelo"),
    ("Dr. Mary Smith, PhD", "drmarysmithphd"),
    ("Mary 👩‍💻", "mary"),
    ("★Mary★", "mary"),
    ("Mary (née Miller)", "marynéemiller"),
    ("Mary2", "mary"),
    ("O&#39;Brien", "obrien"),
    ("O&#x27;Brien", "obrien"),
    ("M&uuml;ller", "müller"),
    ("Mary &amp; Joe", "maryjoe"),
    ("M%C3%BCller", "müller"),
    ("Mary%20Ann", "maryann"),
    (r"M\u00fcller", "müller"),
    ("Marks & Co; Sons", "markscosons"),
    ("M%FCller", "mfcller"),
    ("\u202bMary\u202c", "mary"),
    ("\u200fمريم", "مريم"),
    ("שָׂרָה", unicodedata.normalize("NFC", "שָׂרָה")),
    ("Ñandú", "ñandú"),
    ("Øyvind", "øyvind"),
    ("Þórunn", "þórunn"),
    ("Đặng", "đặng"),
    ("Ştefan", "ştefan"),
    ("Zoë", "zoë"),
    ("Straße", "straße"),
    ("ЁЛКИНА", "ёлкина"),
    ("Ғалымжан", "ғалымжан"),
    ("გიორგი", "გიორგი"),
    ("ՀԱՅԿ", "հայկ"),
    ("प्रिया", "प्रिया"),
    ("สมชาย", "สมชาย"),
    ("佐藤 さくら", "佐藤さくら"),
    ("김 철수", "김철수"),
    ("𠮷野", "𠮷野"),
    ("Nullmann", "nullmann"),
    ("Noneh", "noneh"),
    ("Na", "na"),
    ("Ng", "ng"),
    ("X Æ A-12", "xæa"),
]


@pytest.mark.parametrize(("text", "normalized"), NAMES)
def test_a_name_is_its_letters_in_lower_case(text, normalized):
    assert normalize_name(text) == normalized


@pytest.mark.parametrize("name", ["valéry", "nguyễn", "đặng", "zoë", "정", "ё", "ά", "प्रिया"])
def test_both_forms_of_a_letter_with_a_mark_are_one_name(name):
    decomposed = unicodedata.normalize("NFD", name)
    assert normalize_name(decomposed) == normalize_name(name) == unicodedata.normalize("NFC", name)
    assert normalize_name(decomposed.upper()) == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("text", ["-", "...", "123", "٣٤", "🙂", "♥♥", "＃", "(  )", "\u0301", "_", "+1 650"])
def test_a_name_without_a_letter_is_dropped(text):
    assert normalize_name(text) == Dropped("no letters in it")


@pytest.mark.parametrize("text", ["null", "NULL", " undefined ", "None", "N/A", "n/a"])
def test_what_programs_write_for_no_value_is_no_name(text):
    assert normalize_name(text) == Dropped("a placeholder, not a value")


@pytest.mark.parametrize("text", ["", " ", "\u3000", "\u200b\u200f", "\t"])
def test_a_name_without_a_visible_character_is_empty(text):
    assert normalize_name(text) == Dropped("empty")


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        *[(text, "f") for text in ("F", "f.", " female ", "FEMALE", "Woman", "girl", "Ms", "Ms.", "Mrs.", "Miss")],
        *[(text, "m") for text in ("M", "m.", "male", "MALE", "man", "boy", "Mr", "MR.", "mister", "\u200em")],
    ],
)
def test_a_gender_is_one_letter(text, normalized):
    assert normalize_gender(text) == normalized


@pytest.mark.parametrize(
    "text", ["x", "d", "divers", "other", "non-binary", "0", "1", "♀", "u", "mf", "fe male x", "-"]
)
def test_a_gender_that_meta_does_not_know_is_dropped(text):
    assert normalize_gender(text) == Dropped("Meta takes f or m only")


@pytest.mark.parametrize("text", ["", "  ", "\u200b"])
def test_no_gender_is_empty(text):
    assert normalize_gender(text) == Dropped("empty")


@pytest.mark.parametrize("text", ["M\ufffdller", "Ren\ufffd", "\ufffdlise", "M\ufffd\ufffdller", f"M{chr(0xD83D)}ller"])
def test_a_name_of_another_charset_is_dropped_and_not_hashed_without_its_letter(text):
    assert normalize_name(text) == Dropped("a letter of it was lost; send UTF-8")
    assert normalize_state(text, "de") == Dropped("a letter of it was lost; send UTF-8")


def test_half_an_emoji_behind_a_name_is_no_letter_of_it():
    assert normalize_name("Mary \ufffd") == normalize_name("Mary \ud83d") == "mary"
