"""The quick rules say what the careful ones say, or nothing; and they do know what most people write."""

import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversion_relay.meta.customer_information import match_keys
from conversion_relay.meta.customer_information.hashing import Dropped
from conversion_relay.meta.customer_information.keys import HASHED, NEVER_HASHED, QUICK, Context, normalize_and_hash

TODAY = datetime.date(2026, 11, 23)
COUNTRIES = st.sampled_from([None, "us", "ca", "gb", "de", "br", "jp"])
COMMON = {
    "em": [" Joe.Smith+x@Example.com", "j_1@mail.example-shop.co.uk"],
    "ph": ["+1 650 555 1212", "+44 (20) 7946-0958", "+4915123456789"],
    "fn": ["Jane", "João", "Anna-Lena", "Łukasz", "O'Brien", "Émilie", "नीरज", "فاطمة", "さくら", "지훈", "Ольга"],
    "ln": ["van der Berg", "Novák", "MÜLLER", "St. John"],
    "ge": ["f", "Male"],
    "db": ["1985-10-01", "19511214"],
    "ct": ["New York", "São Paulo", "Winston-Salem"],
    "st": ["NY", "California", "Bayern"],
    "zp": ["94103", "M5V 2T6", "00950"],
    "country": ["US", "de", "Germany", "GBR"],
    "external_id": ["user-0000042", "123", "2a3c1f9e-8a1b-4c5d-9e7f-001122334455", "joe@example.com"],
    "client_ip_address": [
        "8.8.4.4",
        "172.217.1.1",
        "100.1.2.3",
        "2001:db8::1",
        "2a02:8109:9a40:1d10:0:1:2:3",
        "2600::",
    ],
    "client_user_agent": [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0"
    ],
    "fbc": [
        "fb.1.1554763741205.AbCdEf",
        "fb.1.1554763741205.IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk",
    ],
    "fbp": ["fb.1.1596403881668.1116446470"],
}
ODD = [
    *("null", "NaN", "n/a", "N.A.", "Not Set", "undefined undefined", "{{x}}", "guest", "-1", "0", "", " ", "-", "..."),
    *("+1 (0)650 555 1212", "+11111111111", "(+1) 650 555 1212", "0049301234567", "-+4930123456", "650-555-1212"),
    *("CA-ON", "us-ny", "10001-1234", "2134", "U.S.", "UK", "us ", "u s", "İstanbul", "e\u0301", "ÅK", "ﬁ", "ﾊ", "÷"),
    *("10.0.0.1", "100.64.0.1", "172.16.0.1", "192.168.1.1", "169.254.1.1", "127.0.0.1", "0.1.2.3", "240.1.1.1"),
    *("08.8.4.4", "8.8.4", "256.1.1.1", "8.8.4.4.5", "::1", "2001:db8", "2001:db8:::1", "1:2:3:4:5:6:7:8", "fe80::1"),
    *("2001:1:2:3:4:5:6:7:8", "2001:1:2:3:4:5:6::", "2001:1:2:3:4:5:6::8", "2001:1:2:3:4:5:6:7::", "2001::1::2"),
    *("fb.1.1554763741205.null", "fb.1.1554763741.AbC", "fb.1.1554763741205.AbC.AQIC"),
    *("hash(user_agent) in the browser",),
    *("a" * 31, "a" * 32, "a" * 64, "d41d8cd98f00b204e9800998ecf8427e", "A" * 300),
    *("x (y) {z} of a browser 1.0 of mine",),
    *("Mozilla/5.0 (X11) ]] and more of it, really", "joe@example.com\n"),
    *("1985-1001", "198510-01", "1985-02-29", "1985-13-01", "1899-01-01", "٢٠٢٠0101", "1985-10-01 ", "19850100"),
    *("ΟΔΥΣΣΕΥΣ", "ς", "का", "ा", "क\u093c", "が\u3099", "か\u3099", "ᄀ\u1161", "ー", "فَ", "ֱא", "ѐ", "Ѐ", "ΐ", "҃а"),
    *("joe@-example.com", "joe@example.com.", "j@e.c0m"),
]  # fmt: skip
WRITTEN = st.sampled_from([text for texts in COMMON.values() for text in texts] + ODD)
ALPHABETS = st.text("abcéñ àΣσςώЖжёЀא בתعف يぁがーァ一鿿가힣क ख़िा्ंٱ\u064e\u3099\u1161\u0300\u05b1'.-", max_size=8)
LETTERS = ALPHABETS | st.text("abzABZ019 .,'-_+@:()/ßéÉøØłıİŉſⅣ٣\u0301\u200b京ÅK", max_size=12)
TEXTS = WRITTEN | st.text(max_size=40) | st.tuples(LETTERS, WRITTEN, LETTERS).map("".join) | LETTERS
TEXTS |= WRITTEN.flatmap(lambda text: st.permutations(text).map("".join)) | WRITTEN.map(str.swapcase)
HEX = st.text("0123456789abcdef:", max_size=40).map(lambda text: f"2001:{text}")


def careful(key: str, text: str, country: str | None) -> bytes | str | None:
    if key in NEVER_HASHED:
        plain = NEVER_HASHED[key](text)
        return None if isinstance(plain, Dropped) else plain
    hashed = normalize_and_hash(key, text, Context(country, TODAY))
    return None if isinstance(hashed, Dropped) else hashed[0].encode()


@pytest.mark.parametrize("key", QUICK)
@settings(max_examples=300)
@given(text=TEXTS | HEX, country=COUNTRIES)
@example(text="2001:1:2:3:4:5:6:7::", country=None)
def test_where_a_quick_rule_answers_it_answers_what_the_careful_rule_does(key, text, country):
    quick = QUICK[key](text, country)
    assert quick is None or quick == careful(key, text, country)


@pytest.mark.parametrize("key", QUICK)
@pytest.mark.parametrize("country", [None, "us", "ca", "gb"])
def test_so_it_is_with_every_shape_that_is_known_to_be_hard(key, country):
    for text in [text for texts in COMMON.values() for text in texts] + ODD:
        quick = QUICK[key](text, country)
        assert quick is None or quick == careful(key, text, country), text


@pytest.mark.parametrize("key", COMMON)
def test_what_most_people_write_is_known_to_the_quick_rule(key):
    for text in COMMON[key]:
        assert QUICK[key](text, "gb") == careful(key, text, "gb") is not None, text


@given(key=st.sampled_from(sorted(HASHED)), text=TEXTS)
def test_a_value_alone_in_a_list_is_that_value(key, text):
    assert match_keys({key: [text]}, today=TODAY)[0] == match_keys({key: text}, today=TODAY)[0]
