"""An event's match keys: both names, lists, numbers, what says nothing, countries, variants, a bounded memory."""

import datetime
import hashlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.meta.customer_information import HASHED_KEYS, PLAIN_KEYS, READABLE_NAMES, match_keys, normalize
from tests.meta.customer_information.test_quick import TEXTS

TODAY = datetime.date(2026, 11, 23)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def keys(user_data: dict, **more) -> dict:
    wire, dropped = match_keys(user_data, today=TODAY, **more)
    assert dropped == []
    return wire


def reasons(user_data: dict, **more) -> dict[str, str]:
    return dict(match_keys(user_data, today=TODAY, **more)[1])


READABLE = {
    "email": ("Mary@Example.com", "mary@example.com"),
    "phone": ("+1 650 555 1212", "16505551212"),
    "first_name": ("Mary", "mary"),
    "last_name": ("Smith", "smith"),
    "city": ("Menlo Park", "menlopark"),
    "state": ("California", "ca"),
    "zip": ("94025-1234", "94025"),
    "date_of_birth": ("2/16/1997", "19970216"),
    "gender": ("Female", "f"),
    "country": ("USA", "us"),
    "external_id": ("User 42", "user42"),
}


@pytest.mark.parametrize(("name", "meta_name"), READABLE_NAMES.items())
def test_a_key_has_two_names_and_one_meaning(name, meta_name):
    written, normalized = READABLE[name]
    assert keys({name: written}) == keys({meta_name: written}) == {meta_name: [sha(normalized)]}


def test_both_names_of_a_key_are_one_list_without_duplicates():
    given = {"em": "a@example.com", "email": ["b@example.com", "A@EXAMPLE.COM"]}
    assert keys(given) == {"em": [sha("a@example.com"), sha("b@example.com")]}
    assert keys(dict(reversed(given.items()))) == {"em": [sha("b@example.com"), sha("a@example.com")]}


def test_a_hashed_and_a_plain_value_of_one_person_are_one_digest():
    assert keys({"fn": [sha("mary"), "Mary", sha("mary").upper()]}) == {"fn": [sha("mary")]}


VALUES = st.lists(TEXTS | st.sampled_from([sha("joe"), sha(""), "", None, 5]), max_size=9)


@given(values=VALUES, key=st.sampled_from(["em", "ph", "fn", "external_id", "zp"]))
def test_a_list_says_what_its_values_say_one_by_one(values, key):
    wire, dropped = match_keys({key: values, "country": "us"}, today=TODAY)
    each = [match_keys({key: value, "country": "us"}, today=TODAY) for value in values]
    wanted = dict.fromkeys(digest for alone, _ in each for digest in alone.get(key, []))
    assert wire.get(key, []) == list(wanted)
    assert len(dropped) == sum(len(told) for _, told in each)


def test_tuples_are_lists():
    assert keys({"fn": ("Mary", "Ann")}) == {"fn": [sha("mary"), sha("ann")]}


@pytest.mark.parametrize("nothing", [None, "", [], (), [None], ["", None]])
@pytest.mark.parametrize("name", ["email", "fn", "country", "client_ip_address", "fbc", "lead_id"])
def test_what_says_nothing_is_absent_and_no_fault(name, nothing):
    assert match_keys({name: nothing}, today=TODAY) == ({}, [])


def test_numbers_and_dates_are_read_as_their_text():
    given = {"zip": 94025, "phone": 16505551212, "external_id": 42, "dobd": 7, "db": datetime.date(1997, 2, 16)}
    assert keys(given) == {
        "zp": [sha("94025")],
        "ph": [sha("16505551212")],
        "external_id": [sha("42")],
        "dobd": [sha("07")],
        "db": [sha("19970216")],
    }


@pytest.mark.parametrize("value", ["1234567890123456", 1234567890123456])
def test_two_of_metas_ids_are_sent_as_numbers(value):
    assert keys({"lead_id": value, "fb_login_id": value, "page_id": value}) == {
        "lead_id": 1234567890123456,
        "fb_login_id": 1234567890123456,
        "page_id": "1234567890123456",
    }


@pytest.mark.parametrize("value", [True, False, {"a": 1}, object(), 10**30, b"mary"])
def test_what_is_neither_text_nor_number_is_dropped_and_costs_nothing_else(value):
    wire, dropped = match_keys({"fn": value, "ln": "Smith"}, today=TODAY)
    assert wire == {"ln": [sha("smith")]}
    assert dropped == [("fn", "neither text nor number")]


def test_a_dropped_value_is_named_as_the_caller_named_it_with_its_place():
    given = {"email": ["a@example.com", "nobody", "also nobody"], "ph": "12", "fbp": "x"}
    wire, dropped = match_keys(given, today=TODAY)
    assert wire == {"em": [sha("a@example.com")]}
    assert [field for field, _ in dropped] == ["email[1]", "email[2]", "ph", "fbp"]


@pytest.mark.parametrize("key", sorted(HASHED_KEYS - {"external_id"}))
def test_an_md5_is_dropped_for_every_key_but_an_external_id(key):
    md5 = hashlib.md5(b"mary").hexdigest()
    assert reasons({key: md5}) == {key: "an MD5 hash; Meta takes SHA-256"}
    assert keys({"external_id": md5}) == {"external_id": [sha(md5)]}


@pytest.mark.parametrize("key", sorted(HASHED_KEYS))
def test_a_digest_is_passed_on_for_every_hashed_key(key):
    assert keys({key: sha("x").upper()}) == {key: [sha("x")]}


@pytest.mark.parametrize(("key", "text"), [("external_id", "n u l l"), ("external_id", "None"), ("fn", "n.u.l.l")])
def test_a_placeholder_that_appears_when_spaces_go_is_dropped(key, text):
    assert reasons({key: text}) == {key: "a placeholder, not a value"}


def test_the_events_country_is_how_its_other_keys_are_read():
    national = {"phone": "0170 1234567", "zip": "80331"}
    assert keys(national | {"country": "Germany"})["ph"] == [sha("491701234567")]
    assert match_keys(national | {"country": ["n/a", "DE"]}, today=TODAY)[0]["ph"] == [sha("491701234567")]
    assert keys(national, default_country="Deutschland")["ph"] == [sha("491701234567")]
    assert keys({"zip": "2134", "country": "us"})["zp"] == [sha("02134")]
    assert keys({"zip": "2134", "country": "au"})["zp"] == [sha("2134")]


def test_the_events_country_goes_before_the_default_one_in_any_order_of_the_keys():
    given = {"state": "Georgia", "country": "ge"}
    expected = [sha("georgia")]
    assert keys(given, default_country="us")["st"] == expected
    assert keys(dict(reversed(given.items())), default_country="us")["st"] == expected
    assert keys({"state": "Georgia"}, default_country="us")["st"] == [sha("ga")]


def test_a_hashed_country_says_nothing_and_the_default_one_is_used():
    assert keys({"country": sha("de"), "zip": "2134"}, default_country="us")["zp"] == [sha("02134")]


def test_what_is_remembered_for_one_country_is_not_used_for_another():
    for _ in range(3):
        assert keys({"st": "Georgia", "country": "us"})["st"] == [sha("ga")]
        assert keys({"st": "Georgia", "country": "ge"})["st"] == [sha("georgia")]


def test_what_is_remembered_is_handed_out_as_a_list_of_its_own():
    first = keys({"fn": "Rosalind"})
    first["fn"].append("spoilt")
    assert keys({"fn": "Rosalind"}) == {"fn": [sha("rosalind")]}


def test_ever_new_names_do_not_fill_the_memory():
    match_keys({"fn": "Mary"}, today=TODAY)
    tracemalloc.start()
    try:
        for number in range(20_000):
            name = "".join(chr(97 + int(digit)) for digit in str(number))
            match_keys({"fn": name, "ln": name, "ct": name}, today=TODAY)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 3_000_000, "each name takes about 200 bytes; 60,000 of them would be 12 MB"


@pytest.mark.parametrize(
    ("user_data", "key", "variants"),
    [
        ({"ct": "São Paulo"}, "ct", ["sãopaulo", "sopaulo"]),
        ({"ct": "Paris"}, "ct", ["paris"]),
        ({"ct": "東京"}, "ct", ["東京"]),
        ({"ct": "Paris 15"}, "ct", ["paris", "paris15"]),
        ({"zp": "1234-567", "country": "pt"}, "zp", ["1234567", "1234"]),
        ({"zp": "M1 1AE"}, "zp", ["m11ae", "m1 1ae"]),
        ({"zp": "94025-1234", "country": "us"}, "zp", ["94025"]),
        ({"city": ["Köln", "Bonn"]}, "ct", ["köln", "bonn", "kln"]),
    ],
)
def test_variants_add_a_digest_where_metas_page_script_hashes_differently(user_data, key, variants):
    assert keys(user_data, variants=True)[key] == [sha(text) for text in variants]
    assert keys(user_data)[key] == [sha(text) for text in variants[: len(keys(user_data)[key])]]


def test_variants_add_nothing_to_a_value_that_was_dropped_or_came_hashed():
    assert match_keys({"ct": "---", "zp": "x"}, today=TODAY, variants=True)[0] == {}
    assert keys({"ct": sha("köln")}, variants=True) == {"ct": [sha("köln")]}


def test_a_name_that_is_no_key_is_the_callers_mistake():
    with pytest.raises(KeyError):
        match_keys({"nickname": "Mary"}, today=TODAY)
    with pytest.raises(KeyError, match="no such key; known are"):
        normalize("nickname", "Mary", today=TODAY)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70) | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*READABLE_NAMES, *sorted(HASHED_KEYS | PLAIN_KEYS)]), JUNK), st.booleans())
def test_any_values_become_digests_ids_or_reasons(user_data, variants):
    wire, dropped = match_keys(user_data, default_country="DE", today=TODAY, variants=variants)
    for key, value in wire.items():
        if key in HASHED_KEYS:
            assert value and len(set(value)) == len(value)
            assert all(len(one) >= 64 for one in value)
        else:
            assert key in PLAIN_KEYS and isinstance(value, str | int)
    assert all(reason for _, reason in dropped)


@given(st.sampled_from(sorted(HASHED_KEYS)), st.text(max_size=70))
def test_an_event_says_what_the_one_value_says(key, text):
    one = normalize(key, text, today=TODAY, country=text if key == "country" else None)
    wire, dropped = match_keys({key: text}, today=TODAY)
    assert wire.get(key) == ([one.sha256] if one.sha256 else None)
    assert [reason for _, reason in dropped] == ([one.dropped] if one.dropped and text else [])


def test_of_several_countries_the_events_first_one_is_read_by_and_not_the_operators_default():
    given = {"country": ["GB", "US"], "st": "California", "em": "a@b.co"}
    wire, _ = match_keys(given, default_country="us", today=TODAY)
    assert wire["st"] == match_keys({**given, "country": "GB"}, default_country="us", today=TODAY)[0]["st"]
