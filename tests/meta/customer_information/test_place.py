"""Cities, states, zips and countries as address forms of many countries have them."""

import pytest

from conversion_relay.meta.customer_information.hashing import Dropped
from conversion_relay.meta.customer_information.place import (
    ascii_city,
    cut_zip,
    normalize_city,
    normalize_country,
    normalize_state,
    normalize_zip,
)
from conversion_relay.meta.customer_information.tables.countries import ALPHA_2, ALPHA_3
from conversion_relay.meta.customer_information.tables.states import CANADA, UNITED_STATES


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("SAN FRANCISCO", "sanfrancisco"),
        ("Frankfurt (Main)", "frankfurtmain"),
        ("Frankfurt/Oder", "frankfurtoder"),
        ("'s-Hertogenbosch", "shertogenbosch"),
        ("L’Aquila", "laquila"),
        ("København Ø", "københavnø"),
        ("Łódź", "łódź"),
        ("Москва", "москва"),
        ("東京都", "東京都"),
        ("서울", "서울"),
        ("القاهرة", "القاهرة"),
        ("75001 Paris", "paris"),
        ("Paris 🇫🇷", "paris"),
        ("Ho\u0302\u0300 Chi\u0301 Minh", "hồchíminh"),
    ],
)
def test_a_city_is_its_letters(text, normalized):
    assert normalize_city(text) == normalized


@pytest.mark.parametrize(("states", "country"), [(UNITED_STATES, "us"), (CANADA, "ca")])
def test_every_state_and_province_is_its_two_letters(states, country):
    assert {name: normalize_state(name.upper(), country) for name in states} == states
    assert {name: normalize_state(code.upper(), country) for name, code in states.items()} == states


@pytest.mark.parametrize(
    ("text", "country", "normalized"),
    [
        ("new york", None, "ny"),
        ("NEW-YORK", "us", "ny"),
        ("N.Y.", "us", "ny"),
        ("US-NY", "us", "ny"),
        ("District of Columbia", "us", "dc"),
        ("ontario", "ca", "on"),
        ("Ontario", "us", "ontario"),
        ("Georgia", "us", "ga"),
        ("Georgia", "ge", "georgia"),
        ("New South Wales", "au", "newsouthwales"),
        ("NSW", "au", "nsw"),
        ("AU-NSW", "au", "nsw"),
        ("DE-BY", "de", "by"),
        ("Baden-Württemberg", "de", "badenwürttemberg"),
        ("São Paulo", "br", "sãopaulo"),
        ("東京都", "jp", "東京都"),
        ("Московская область", "ru", "московскаяобласть"),
        ("Que\u0301bec", "ca", "qc"),
    ],
)
def test_a_state_is_an_abbreviation_at_home_and_its_name_abroad(text, country, normalized):
    assert normalize_state(text, country) == normalized


@pytest.mark.parametrize(("text", "reason"), [("", "empty"), ("12", "no letters in it"), ("—", "no letters in it")])
def test_a_state_without_letters_is_dropped(text, reason):
    assert normalize_state(text) == Dropped(reason)


@pytest.mark.parametrize("rule", [normalize_city, normalize_state, normalize_zip])
@pytest.mark.parametrize("text", ["null", "Undefined", " NONE ", "n/a"])
def test_what_programs_write_for_no_value_is_no_place(rule, text):
    assert rule(text) == Dropped("a placeholder, not a value")


@pytest.mark.parametrize(
    ("text", "country", "normalized"),
    [
        ("94025", "us", "94025"),
        ("94025-1234", "us", "94025"),
        ("94025 1234", "us", "94025"),
        ("940251234", "us", "94025"),
        ("94025-", None, "94025"),
        ("94025.0", None, "94025"),
        ("2134.0", "us", "02134"),
        ("02134", "us", "02134"),
        ("2134", "us", "02134"),
        ("501", "us", "00501"),
        ("94025-1234", "br", "940251234"),
        ("K1A 0B1", "ca", "k1a0b1"),
        ("k1a-0b1", "ca", "k1a0b1"),
        ("SW1A 1AA", "gb", "sw1a1aa"),
        ("1012 AB", "nl", "1012ab"),
        ("L-1009", "lu", "l1009"),
        ("〒１００－０００１", "jp", "1000001"),
        ("110 00", "cz", "11000"),
        ("AX-22100", "ax", "ax22100"),
        ("D02 AF30", "ie", "d02af30"),
        ("٩٤٠٢٥", "sa", "94025"),
        ("०११०००१", "in", "0110001"),
        ("94025\u200e", "us", "94025"),
        ("BFPO 1", "gb", "bfpo1"),
        ("00-001", "pl", "00001"),
    ],
)
def test_a_zip_is_its_letters_and_digits_and_five_digits_in_the_usa(text, country, normalized):
    assert normalize_zip(text, country) == normalized


@pytest.mark.parametrize(
    ("text", "country", "reason"),
    [
        ("", None, "empty"),
        ("\u200b", None, "empty"),
        ("7", None, "fewer than two characters"),
        ("-", "de", "fewer than two characters"),
        ("12", "us", "fewer than two characters"),
        ("🏠", None, "fewer than two characters"),
    ],
)
def test_a_zip_that_is_too_short_is_dropped(text, country, reason):
    assert normalize_zip(text, country) == Dropped(reason)


def test_every_code_of_iso_3166_is_its_two_letters():
    assert {code: normalize_country(f" {code.upper()}.") for code in ALPHA_2} == {code: code for code in ALPHA_2}
    assert {code: normalize_country(code.upper()) for code in ALPHA_3} == ALPHA_3


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("U.S.", "us"),
        ("U.S.A.", "us"),
        ("the United States of America", "us"),
        ("Great Britain", "gb"),
        ("Deutschland", "de"),
        ("ALLEMAGNE", "de"),
        ("Germania", "de"),
        ("Österreich", "at"),
        ("O\u0308sterreich", "at"),
        ("The Netherlands", "nl"),
        ("Holland", "nl"),
        ("Россия", "ru"),
        ("Ελλάδα", "gr"),
        ("日本", "jp"),
        ("中国", "cn"),
        ("대한민국", "kr"),
        ("Česko", "cz"),
        ("Czech Republic", "cz"),
        ("Türkiye", "tr"),
        ("Turkey", "tr"),
        ("Curaçao", "cw"),
        ("Bosnia and Herzegovina", "ba"),
        ("Trinidad & Tobago", "tt"),
        ("Guinea-Bissau", "gw"),
        ("Republic of Moldova", "md"),
        ("\u200fمصر", "eg"),
        ("ＤＥ", "de"),
    ],
)
def test_a_country_is_known_by_the_names_that_people_write(text, code):
    assert normalize_country(text) == code


@pytest.mark.parametrize(
    "text", ["Atlantis", "EU", "Europe", "xx", "zz", "d", "+1", "49", "de-at", "de_DE", "🇩🇪", "null", "n/a", "-"]
)
def test_what_is_no_country_is_dropped(text):
    assert normalize_country(text) == Dropped("no country of ISO 3166-1")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("New York", "newyork"),
        ("ZÜRICH", "zrich"),
        ("Paris 15e", "paris15e"),
        ("15e Paris", None),
        ("Москва", None),
        ("", None),
    ],
)
def test_the_variant_of_a_city_is_what_metas_page_script_hashes(text, kept):
    assert ascii_city(text) == kept


@pytest.mark.parametrize(
    ("text", "kept"), [("1234-567", "1234"), (" AB1 2CD ", "ab1 2cd"), ("1-2", None), ("-", None), ("", None)]
)
def test_the_variant_of_a_zip_ends_at_its_dash(text, kept):
    assert cut_zip(text) == kept
