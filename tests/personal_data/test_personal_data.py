"""What a text holds of a person, in every disguise, and what only looks like it; in a time that its length decides."""

import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay import event_id
from conversion_relay.event_id import without_email
from conversion_relay.personal_data import folded, held, is_quiet, is_quiet_json, plain
from conversion_relay.personal_data.email import holds_email
from conversion_relay.personal_data.phone import holds_phone
from conversion_relay.telemetry import NoSecrets, without_digests
from tests.growth import grows_linearly
from tests.personal_data.hostile import HOSTILE

EMAILS = [
    "joe@example.com",
    "JOE+tag@sub.example.museum",
    "joe%40example.com",
    "joe%2540example.com",
    "joe%25252540example.com",
    "ｊｏｅ＠ｅｘａｍｐｌｅ．ｃｏｍ",
    "joe＠example.com",
    '"joe smith"@example.com',
    "joe&#64;example.com",
    "joe&#x40;example&#46;com",
    "joe&commat;example.com",
    "joe&çommat;example.com",
    "joe&amp;#64;example.com",
    "jürgen@bücher.example",
    "用户@例子.中国",
    "joe (at) example (dot) com",
    "joe[at]example.com",
    "joe [AT] example [DOT] com",
    "joe at example dot com",
    "j\u200boe@exa\u200bmple.com",
    "joe@\u2060example.com",
    "joe\\u0040example.com",
    "mailto:joe@example.com",
    "<joe@example.com>",
    "joe@[192.168.0.1]",
    "joe(work)@example.com",
    "joe@example。com",
    "joe\\@example.com",
    "joe%u0040example.com",
    "joe@xn--bcher-kva.example",
    "o'neil@example.com",
    "joe{at}example.com",
    "joe&#0064;example.com",
    "joe<at>example.com",
    "see /thanks/joe@example.com?x=1",
    "joe_example.com#EXT#@company.onmicrosoft.com",
    "{joe}@example.com",
    "संपर्क@उदाहरण.भारत",
    "ผู้ใช้@ตัวอย่าง.ไทย",
    "joe [@] example.com",
    "joe (@) example (.) com",
]
PHONES = [
    *("+33.6.12.34.56.78", "+45.34.41.99.76", "➕49 30 1234567"),  # in pairs a number looks like a date at first
    *("電話は0081 90 1234 5678です", "주문00821012345678번", "หมายเลขtel:0812345678ครับ", "番号は+ 81 90 1234 5678"),
    "+16505551212",
    "+1 (650) 555-1212",
    "+1-650-555-1212",
    "+1.6505551212",
    "+49 (0)30 123456",
    "+49 30 / 123 45 67",
    "0049 30 1234567",
    "00493012345678",
    "+44 20 7946 0958",
    "+44 (0) 20 7946 0958",
    "＋４４ ２０ ７９４６ ０９５８",
    "+٤٩ ٣٠ ١٢٣٤٥٦٧",
    "tel:+16505551212",
    "tel:6505551212",
    "Tel.: 030 1234567",
    "contact_+16505551212_1",
    "contact_00493012345678_1",
    "%2B16505551212",
    "%252B16505551212",
    "&#43;16505551212",
    "Callback for +1 (650) 555-1212 please",
    "(+49) 151 23456789",
    "+33 6 12 34 56 78",
    "+34-612-345-678",
    "+48 601 234 567",
    "00 33 6 12 34 56 78",
    "00–33 6 12 34 56 78",
    "wa.me/16505551212",
    "https://wa.me/4915112345678",
    "WA.ME/4915112345678",
    "see Wa.Me/+4915112345678",
    "+1\u00a0650\u00a0555\u00a01212",
    "+1\u2013650\u2013555\u20131212",
    "+7 (495) 123-45-67",
    "+86 138 1234 5678",
    "+91 98765 43210",
    "phone: (650) 555-1212",
    "+49\u200b151\u200b23456789",
    "+353 1 234 5678",
    "+1 650 555 1212 2 tickets",
    "call+4915112345678",
    "+55 (11) 91234-5678",
    "+54 9 11 2345-6789",
    "+971 50 123 4567",
    "+972-50-123-4567",
    "+81 3-1234-5678",
    "+39 06 1234 5678",
    "(0049)15112345678",
    "+ 49 151 23456789",
    "+0049 151 23456789",
    *("+1_650_555_1212", "lead_+31_6_12345678.vcf", "+33·6·12·34·56·78", "+41•79•123•45•67", "+49~30~1234567"),
    *("https://a.example/?q=%2B1+%28650%29+555+1212", "q=%252B49+30+1234567&n=1", "%2B7+(495)+123-45-67"),
]
NEITHER = [
    *("Women+45_20261128", "Sale+20_2026_11_28", "+20_202611_video", "Men+49_1234_567_890", "SKU_0049_1234_5678"),
    "q=3%2B4+9301+234567",
    *("+20.10.2026 10 000", "+12.10.26 1234567", "商品00123456", "A+ 2024 10 01 12", "注文+2024.10.01"),
    "price @ 3.50",
    "joe@localhost",
    "joe@example.c",
    "joe @ example.com",
    "@example.com",
    "100% cotton",
    "a%4example.com",
    "react@18.2.0",
    "logo@2x.png",
    "2@4.99",
    "look at polka dot dresses",
    "https://tiktok.com/@shop.example",
    "Lunch (at) noon",
    "50% off & more",
    "R&B",
    "AT&T",
    "C++",
    "C++ 2024 10 01",
    "+1 free month",
    "A+ 2024-10-01",
    "A+ 20241001",
    "2024-10-01T10:00:00+02:00",
    "2024-10-01 10:00:00 +0200",
    "Mon Oct 01 2024 10:00:00 GMT+0200 (Central European Summer Time)",
    "+48.8584+2.2945",
    "+48.8583701+002.2945/",
    "1.2.3+20130313144700",
    "1+1=2",
    "3+4915112345678",
    "+500 points",
    "5.00",
    "1200",
    "100000",
    "10:00 - 12:00",
    "4006381333931",
    "978-3-16-148410-0",
    "SKU-0049-1234-5678",
    "000012345",
    "0012345678",
    "123e4567-e89b-12d3-a456-426614174000",
    "00493012-3456-4890-8123-426614174000",
    "4.5/5",
    "+20% off",
    "€1,000.00",
    "ORD-2024-000123",
    "100.00 49",
    "Course 10:00 12.10.2025",
    "12.10.2025",
    "2025-10-12",
    "5+ years",
    "size 40+",
    "18+",
    "Top 100+ 2024",
    "room 00 1",
    "GTIN 00012345678905",
    "https://shop.example/p/100200300400",
    "Version 2.0.0+build.5",
    "x^2+3x+12",
    "+5 kg",
    "Temp +25.5",
    "1e+10",
    "Grade: A+, 10/10",
    "time: 10:00",
    "ratio 4:3",
    "mobile: yes",
    "tel aviv",
    "00:00:00",
    "0.001234567890",
    "B+ 2026 10 12 1000",
    "120210000000000000",
    "+120210000000000000",
    "12+20210000000",
    "UTC+01:00 2024",
    "-33.8688,+151.2093",
    "+33.7490,-84.3880",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "tel: 2024-10-01",
    "100+ 20 30 40 50 60",
    "Töpfern für Anfänger (2 Tage)",
]


@pytest.mark.parametrize("text", EMAILS)
def test_an_address_is_found_in_its_disguise(text):
    assert held(text) == held(f"from {text}, today") == "email" and not is_quiet(text)
    assert held(without_email(f"contact_{text}_1")) is None


@pytest.mark.parametrize("text", PHONES)
def test_a_number_is_found_in_international_form(text):
    assert held(text) == held(f"from {text}, today") == "phone" and not is_quiet(text)
    assert held(without_email(f"contact_{text}_1")) is None


@pytest.mark.parametrize("text", NEITHER)
def test_what_a_shop_writes_is_neither(text):
    assert held(text) is None and without_email(text) == text


@pytest.mark.parametrize("text", ["00493012345678", "0049 30 1234567"])
def test_under_the_name_of_a_code_00_is_no_prefix(text):
    assert held(text) == "phone" and held(text, codes=True) is None


def test_a_text_that_is_encoded_again_and_again_could_hold_anything():
    hidden = "joe@example.com"
    for _ in range(12):
        hidden = "".join(f"&#{ord(c)};" if c in "@&#;" else c for c in hidden)[:100_000]
    assert held(hidden) in ("email", "encoded")
    assert without_email(hidden) == event_id._digest(hidden) or held(without_email(hidden)) is None


@given(text=st.text(max_size=60))
def test_of_any_text_an_id_is_made_that_holds_nobody_and_stays_the_same(text):
    made = without_email(text)
    assert held(made) is None and without_email(made) == made
    assert made == text or held(text) is not None


PIECES = st.sampled_from(
    ["tel:", "TEL.:", "wa.me", "wa.me/", "téł:", "ŵá.mé", " dot ", " DOT ", " Döt ", " at ", "(at)", "( dot )", "joe",
     "example", "com", "0049", "00", "30 123456", "(30) 1234567", "+", ":", "/", " ", "(", "–", "ö", "0", "1", "_",
     "—", "🔥", "•", "&", "& ", "&commat;", "&çommat;", "&per", "îod;", "×", "º", "®",
     "株", "…", "note: ", "http://", "\u200b", "٠٠٤٩", "+1 650 555 1212", "joe@example.com"]
)  # fmt: skip


@given(text=st.text("0123456789abcdef-_+ .()@%&#;", max_size=40) | st.lists(PIECES, max_size=9).map("".join))
def test_the_quick_look_misses_nothing(text):
    if is_quiet(text):
        assert holds_email(plain(text).text) is holds_phone(plain(text).text) is False
        assert plain(text).settled


@given(texts=st.lists(st.lists(PIECES | st.text(max_size=3), max_size=4).map("".join), max_size=4))
def test_what_is_quiet_as_a_whole_is_quiet_text_by_text(texts):
    for holder, boxes in ((texts, 1), (dict(zip("abcd", texts, strict=False)), 1), ([{"a": texts, "b": -1.5e-07}], 3)):
        if is_quiet_json(msgspec.json.encode(holder), boxes):
            assert all(map(is_quiet, texts))


@pytest.mark.parametrize(
    "text",
    ["Oil (500 ml)", "Töpfern & Malen", "Ваза 12×18", "抹茶碗", "Home & Living > Kitchen", "A/C", "Yoga – neu… 🔥 → ✓"],
)
def test_what_shops_write_is_quiet_as_a_whole(text):
    assert is_quiet_json(msgspec.json.encode({"title": text, "lines": [{"n": 1}]}), 3)


def test_a_letter_that_the_quick_look_passes_folds_to_one_letter_or_to_none_of_ascii():
    signs = {"–": "-", "—": "-", "…": "..."}
    assert all(map(is_quiet, signs)) and {sign: folded(sign) for sign in signs} == signs
    for letter in filter(is_quiet, map(chr, (*range(0x80, 0xD800), *range(0xE000, sys.maxunicode)))):
        seen = folded(letter)
        assert letter in signs or (len(seen) == 1 and seen.isalpha()) or not any(c.isascii() for c in seen), hex(
            ord(letter)
        )


@pytest.mark.parametrize("name", HOSTILE)
def test_the_quick_look_takes_a_time_that_grows_with_the_text(name):
    assert grows_linearly(is_quiet, HOSTILE[name])


@pytest.mark.parametrize("name", HOSTILE)
def test_the_time_grows_with_the_text_and_not_with_its_square(name):
    made = HOSTILE[name]
    assert grows_linearly(held, made)


@pytest.mark.parametrize(
    "name", ["letters, then @", "addresses", "numbers", "%2525", "digits", "combining marks", "00"]
)
def test_so_does_that_of_an_id_and_of_a_line_in_the_log(name):
    made = HOSTILE[name]
    for function in (without_email, NoSecrets(["a-secret"])._struck, without_digests):
        assert grows_linearly(function, made, 2**15), function
