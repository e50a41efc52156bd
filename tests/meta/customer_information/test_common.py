"""What is found at one look is what the careful rules come to, key by key; one odd value costs itself alone."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversion_relay.meta.customer_information import CommonKeys, common_keys, match_keys
from conversion_relay.meta.customer_information.keys import NEVER_HASHED, Context, known_country, normalize_and_hash
from conversion_relay.personal_data import held
from tests.meta.customer_information.test_quick import COMMON, HEX, ODD, TEXTS, TODAY, careful

NAMES = CommonKeys.__struct_fields__
LIKE_THEM = [
    *(sha256(word).hexdigest() for word in (b"joe", b"us", b"", b"null")),
    sha256(b"joe").hexdigest().upper(),
    f" {sha256(b'joe').hexdigest()} ",
    f"{sha256(b'joe').hexdigest()}.AQICAQMC",
    *("joe@example.com  ", "  joe@example.com", "JOE@EXAMPLE.COM\x00", f"{'a' * 60}@example.com", "joe@localhost"),
    *("(650) 555-1212", "650.555.1212", "1 650 555 1212", "6505551212", "011 49 170 1234567", "(0650) 555 1212"),
    *("+1 (0650) 555 1212", "+44 20 7946 0958 0958", "+1234567890", "+222222222222", "+0 650 555 1212 11"),
    *(
        "ca-on",
        "  CA-ON  ",
        "         us-ny     ",
        "Île-de-France",
        "Baden-Württemberg",
        "Washington, D.C.",
        "a×b",
        "a÷b",
    ),
    *("94103 ", " 94103", "9410", "94103-12", "ABCDE", "Z" * 31, "1a", "1", "x1", "12345678901234567890123456789012"),
    *("2a3c1f9e-8a1b-4c5d-9e7f-001122334455", "2a3c1f9e-" + "-" * 27, "user_1.x", "GUEST", "anonymous", "null.", "-1"),
    *(
        "99.1.1.1",
        "9.255.255.255",
        "1.1.1.256",
        "1.1.1.1.",
        "1.01.1.1",
        "223.1.1.1",
        "224.1.1.1",
        "191.1.1.1",
        *(f"{first}.{n}.1.1" for first, ends in ((100, (63, 64, 99, 127, 128)), (172, (15, 16, 31, 32))) for n in ends),
        *(
            "169.253.1.1",
            "169.254.1.1",
            "192.167.1.1",
            "192.168.1.1",
            "10.1.1.1",
            "101.1.1.1",
            "127.1.1.1",
            "128.1.1.1",
        ),
        "1.1.1.1 ",
    ),
    *(
        "3ffe:1:2:3:4:5:6:7",
        *(
            "2a00::",
            "2a00::1",
            "2a00:1::2",
            "2a00:1:2:3:4::6",
            "2a00:1:2:3:4:5::7",
            "2a00:1::2::3",
            "2a00:::1",
            "2a00:1:",
        ),
        *("2a00:1:2:3:4:5::", "2a00:1:2:3:4:5:6::", "2a00::12345", "2a00::1%eth0", "2a0::1", "2a00::1:2:3:4:5:6"),
        "2001:1:2:3:4:5:6",
        "2001:1:2:3:4:5:6:12345",
        "2001:1:2:3:4:5:6:7%eth0",
        "4001:1:2:3:4:5:6:7",
    ),
    *("Mozilla/5.0 (X11; Linux x86_64) of some length ", "Mozilla/5.0 (X11) hash(user) of some length", "m" * 2_049),
    *(
        "Mozilla/5.0 (X11) of some length rv:5",
        "Mozilla/5.0 (X11) dot com of some",
        "Mozilla/5.0 (at) some length",
    ),
    *("the browser of joe (at) example (dot) com", "Mozilla/5.0 (X11) 0049301234567 of some length"),
    *("Mozilla/5.0 (X11) [at] of some length", "Mozilla/5.0 [[x]] of some length", "Mozilla/5.0 [FBAN/FBIOS] and more"),
    *(f"fb.1.1554763741205.{'A' * 40}", f"fb.1.1554763741205.{'A' * 501}", f"fb.1.1554763741205.{'A' * 40}.AQICAQMC"),
    *(
        f"fb.1.1554763741205.{'1' * 64}.AQ",
        f"fb.1.1554763741205.{'1' * 65}",
        "fb.123.1554763741205.1",
        "fb.1.155476374120.1",
    ),
]
VALUES = TEXTS | HEX | st.sampled_from(LIKE_THEM) | st.sampled_from(ODD)
KEYS = st.fixed_dictionaries({}, optional={name: st.sampled_from(COMMON[name]) | VALUES for name in NAMES})
EVERY = st.fixed_dictionaries({name: st.sampled_from(COMMON[name]) for name in NAMES})
ODD_ONE = st.tuples(EVERY, st.sampled_from(NAMES), VALUES).map(lambda x: x[0] | {x[1]: x[2]})


def agrees(texts: dict[str, str], default: str | None) -> None:
    country = known_country(texts.get("country")) or default
    for key, value in common_keys(texts, default).items():
        if key in NEVER_HASHED:
            assert value == careful(key, texts[key], country), key
        else:
            hashed = normalize_and_hash(key, texts[key], Context(country, TODAY))
            assert value == [hashed[1]], key
        assert key != "client_user_agent" or held(value) is None


@settings(max_examples=200)
@given(texts=KEYS | ODD_ONE, default=st.sampled_from([None, "us", "ca", "de"]))
def test_what_is_found_is_what_the_careful_rules_come_to(texts, default):
    agrees(texts, default)


@pytest.mark.parametrize("key", NAMES)
@pytest.mark.parametrize("country", ["US", "Germany", "Atlantis", None])
def test_so_it_is_with_every_shape_that_is_known_to_be_hard(key, country):
    for text in [*LIKE_THEM, *ODD, *(text for texts in COMMON.values() for text in texts)]:
        for default in (None, "us", "gb"):
            agrees({"em": "joe@example.com", "country": country or "", key: text}, default)


@given(texts=ODD_ONE)
def test_one_odd_value_costs_itself_alone(texts):
    others = {key for key in NAMES if texts[key] in COMMON[key]}
    needs = {"client_ip_address", "external_id", "st", "zp", "fn", "ln", "ct"}  # shapes that only a quick rule knows
    if "\n" not in "".join(texts.values()) and len(others) == 12:
        assert others - needs - common_keys(texts, None).keys() <= {"fbc"}


@given(texts=ODD_ONE | KEYS, default=st.sampled_from([None, "us"]))
def test_no_key_is_lost_where_some_are_found_at_a_look(texts, default):
    wire, dropped = match_keys(texts, default_country=default, today=TODAY)
    country = known_country(texts.get("country")) or default
    assert wire.keys() == {key for key, text in texts.items() if careful(key, text, country) is not None}
    assert {one.field for one in dropped} == {key for key, text in texts.items() if text} - wire.keys()


def test_the_user_data_of_a_common_event_is_known_as_a_whole():
    assert common_keys({key: COMMON[key][0] for key in NAMES}, None).keys() >= set(NAMES) - {"fbc"}


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
        "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 [FBAN/FBIOS;FBDV/iPhone13,2;FBSV/16.6;FBLC/en_US]",
    ],
)
def test_a_browser_in_an_app_and_a_firefox_are_known_too(agent):
    assert common_keys({"client_user_agent": agent}, None) == {"client_user_agent": agent}


DIGEST = sha256(b"whoever").hexdigest()
HASHED_BY_ITS_SENDER = {key: DIGEST for key in NAMES if key not in NEVER_HASHED}


def test_what_was_hashed_by_its_sender_is_known_too():
    assert common_keys(HASHED_BY_ITS_SENDER, None) == {key: [DIGEST] for key in HASHED_BY_ITS_SENDER}


@pytest.mark.parametrize("key", HASHED_BY_ITS_SENDER)
def test_the_digest_of_nothing_is_left_to_the_careful_rules(key):
    assert key not in common_keys({key: sha256(b"undefined").hexdigest()}, None)


@pytest.mark.parametrize(
    "address", ["2a02:8109:9a40:1d10:0:1:2:3", "2a00:1::2", "2804:c6a9:2898::84b8", "2a00::", "2a00:1:2:3:4::6"]
)
def test_an_address_is_known_in_full_and_in_short(address):
    assert common_keys({"client_ip_address": address}, None) == {"client_ip_address": address}


@pytest.mark.parametrize("name", ["Ольга", "さくら", "지훈", "李静", "فاطمة", "नीरज", "Ελένη"])
def test_a_name_in_another_alphabet_is_known_beside_a_city_in_ours(name):
    assert common_keys({"fn": name, "ct": "Berlin", "st": "Bayern", "country": "de"}, None).keys() == {
        *("fn", "ct", "st", "country"),
    }


@pytest.mark.parametrize("written", ["(650) 555-1212", "650-555-1212", "1 650 555 1212"])
def test_a_number_of_north_america_needs_no_plus_there(written):
    digest = sha256(b"16505551212").hexdigest()
    assert common_keys({"ph": written, "country": "US"}, None)["ph"] == [digest]
    assert common_keys({"ph": written}, "ca")["ph"] == [digest]
    assert "ph" not in common_keys({"ph": written}, "de")


def test_what_is_read_by_a_country_waits_for_one_that_is_written_oddly():
    texts = {"ph": "(650) 555-1212", "ct": "New York", "st": "California", "zp": "10001-1234", "country": "U.S.A."}
    assert common_keys(texts, "gb").keys() == {"ct"}
    assert common_keys(texts | {"fn": "Ольга"}, "gb").keys() == {"fn", "ct"}
    wire, _ = match_keys(texts, default_country="gb", today=TODAY)
    assert (wire["st"], wire["zp"]) == ([sha256(b"ca").hexdigest()], [sha256(b"10001").hexdigest()])
