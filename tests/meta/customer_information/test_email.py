"""Addresses as people, forms, spreadsheets and other alphabets write them."""

import unicodedata

import pytest

from conversion_relay.meta.customer_information.email import normalize_email
from conversion_relay.meta.customer_information.hashing import Dropped

ONE_ADDRESS = [
    ("MARY@EXAMPLE.COM", "mary@example.com"),
    ("\tmary@example.com\r\n", "mary@example.com"),
    ("\u00a0mary@example.com\u3000", "mary@example.com"),
    ("\ufeffmary@example.com", "mary@example.com"),
    ("\u202amary@example.com\u202c", "mary@example.com"),
    ("mary\u00ad@exam\u2060ple.com", "mary@example.com"),
    ("mary+shop@example.com", "mary+shop@example.com"),
    ("m.a.r.y@googlemail.com", "m.a.r.y@googlemail.com"),
    ("o'brien@example.ie", "o'brien@example.ie"),
    ("mary/dept=sales@example.com", "mary/dept=sales@example.com"),
    ("_mary-@example.com", "_mary-@example.com"),
    ("{mary}@example.com", "{mary}@example.com"),
    ("1@2.example", "1@2.example"),
    ("mary@xn--bcher-kva.example", "mary@xn--bcher-kva.example"),
    ("mary@BÜCHER.example", "mary@bücher.example"),
    ("ПОЧТА@ПРИМЕР.РФ", "почта@пример.рф"),
    ("δοκιμή@παράδειγμα.ελ", "δοκιμή@παράδειγμα.ελ"),
    ("用户@例子.中国", "用户@例子.中国"),
    ("संपर्क@उदाहरण.भारत", "संपर्क@उदाहरण.भारत"),
    ("ผู้ใช้@ตัวอย่าง.ไทย", "ผู้ใช้@ตัวอย่าง.ไทย"),
    ("Mary%40Example.com", "mary@example.com"),
    ("mary&#64;example.com", "mary@example.com"),
    ("%4Dary%40example.com", "mary@example.com"),
    ("mary@a.b.c.d.e.f.example.com", "mary@a.b.c.d.e.f.example.com"),
    ("mary@" + "a" * 63 + ".com", "mary@" + "a" * 63 + ".com"),
    ("a" * 242 + "@example.com", "a" * 242 + "@example.com"),
]


@pytest.mark.parametrize(("text", "normalized"), ONE_ADDRESS)
def test_one_address_is_trimmed_and_lowered_and_otherwise_kept(text, normalized):
    assert normalize_email(text) == normalized


@pytest.mark.parametrize("masked", ["j***@example.com", "****@example.com", "m**y@e**.com"])
def test_a_masked_address_is_nobodys(masked):
    assert normalize_email(masked) == Dropped("masked, so it is nobody's address")


def test_both_forms_of_an_accent_are_one_address():
    composed = "josé@español.example"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed and normalize_email(decomposed) == normalize_email(composed) == composed


NOT_ONE_ADDRESS = [
    "mary",
    "mary@",
    "@",
    "mary@@example.com",
    "mary@joe@example.com",
    "mary@localhost",
    "mary@example.",
    "mary@.example.com",
    "mary@example-.com",
    "mary.@example.com",
    "ma..ry@example.com",
    "mary example@example.com",
    "mary@exam ple.com",
    "mary@example,com",
    "mary@example.com; joe@example.com",
    "mary@example.com joe@example.com",
    "mary@example.com\njoe@example.com",
    "mailto:mary@example.com",
    "<mary@example.com>",
    '"mary smith"@example.com',
    "mary(work)@example.com",
    "mary@[192.168.0.1]",
    "mary@192.168.0.1",
    "mary@example.com/path",
    "mary at example.com",
    "mary[at]example.com",
    "n/a",
    "none",
    "undefined",
    "👩@",
    "mary@" + "a" * 64 + ".com",
    "a" * 243 + "@example.com",
    "https://example.com/?email=mary@example.com",
]


@pytest.mark.parametrize("text", NOT_ONE_ADDRESS)
def test_what_is_not_exactly_one_address_is_dropped(text):
    assert normalize_email(text) == Dropped("not one e-mail address")


@pytest.mark.parametrize("text", ["", " ", "\t\r\n", "\u00a0", "\u200b", "\ufeff\u200e"])
def test_an_address_without_a_visible_character_is_empty(text):
    assert normalize_email(text) == Dropped("empty")
