"""For any text whatever: total, idempotent, hashed or dropped; and the tables are what their source says."""

import datetime
import hashlib
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conversion_relay.meta.customer_information import HASHED_KEYS, PLAIN_KEYS, match_keys, normalize
from conversion_relay.meta.customer_information.nothing import is_digest_of_nothing
from conversion_relay.meta.customer_information.tables import generate

TODAY = datetime.date(2026, 11, 23)
COUNTRIES = st.sampled_from([None, "US", "DE", "GB", "JP", "nonsense"])
TEXTS = st.one_of(
    st.text(max_size=60),
    st.from_regex(r"[+()\d .-]{1,25}"),
    st.emails(),
    st.from_regex(r"(?i)[0-9a-f]{32}|[0-9a-f]{64}", fullmatch=True),
    st.dates().map(str),
)


@pytest.mark.parametrize("key", sorted(HASHED_KEYS))
@given(text=TEXTS, country=COUNTRIES)
@example(text="Nan", country=None)
def test_a_hashed_key_is_a_digest_or_dropped_and_stays_what_it_is(key, text, country):
    result = normalize(key, text, default_country=country, today=TODAY)
    if result.dropped is not None:
        assert (result.normalized, result.sha256) == (None, None)
        assert text == "" or len(text) < 4 or text not in result.dropped
        return
    assert re.fullmatch(r"[0-9a-f]{64}", result.sha256)
    assert result.sha256 in (result.normalized, hashlib.sha256(result.normalized.encode()).hexdigest())
    # With a country, digits that are no number of any plan may be read otherwise: `test_phone.py` has real ones.
    again = normalize(key, result.normalized, default_country=None if key == "ph" else country, today=TODAY)
    # "Nan" is a first name; in small letters it is what a program writes of nothing.
    assert result.normalized == "nan" or again == result
    hashed = normalize(key, result.sha256, default_country=country, today=TODAY)
    # "False" may be a family's name; as a digest it is what a program made of nothing.
    assert hashed.sha256 == (None if is_digest_of_nothing(result.sha256) else result.sha256)


@pytest.mark.parametrize("key", sorted(PLAIN_KEYS))
@given(text=TEXTS)
def test_a_key_that_is_never_hashed_is_passed_or_dropped_and_stays_what_it_is(key, text):
    result = normalize(key, text, today=TODAY)
    assert result.sha256 is None
    if result.dropped is None:
        assert normalize(key, result.normalized, today=TODAY) == result


@given(text=st.emails() | st.from_regex(r"\+49 ?1[5-7]\d ?\d{7}", fullmatch=True))
def test_no_clear_value_of_a_hashed_key_leaves(text):
    keys, _ = match_keys(dict.fromkeys(sorted(HASHED_KEYS), text), default_country="DE", today=TODAY)
    assert text.lower() not in str(keys).lower()


def test_several_values_keep_their_order_and_are_sent_once():
    emails = ["b@example.com", " A@example.com", "B@EXAMPLE.COM", "no address", None, ""]
    keys, dropped = match_keys({"email": emails}, today=TODAY)
    assert keys["em"] == [hashlib.sha256(e).hexdigest() for e in (b"b@example.com", b"a@example.com")]
    assert [d.field for d in dropped] == ["email[3]"]


def test_an_md5_is_dropped_and_a_sha256_in_capitals_is_taken():
    md5 = hashlib.md5(b"a@example.com").hexdigest()
    sha = hashlib.sha256(b"a@example.com").hexdigest()
    assert normalize("em", md5, today=TODAY).dropped == "an MD5 hash; Meta takes SHA-256"
    assert normalize("em", f" {sha.upper()} ", today=TODAY).sha256 == sha


def test_the_committed_tables_are_what_their_source_generates():
    for name, text in generate.tables().items():
        committed, generated = {}, {}
        exec((generate.HERE / name).read_text("utf-8"), committed)
        exec(text, generated)
        for constant in filter(str.isupper, generated):
            assert committed[constant] == generated[constant], f"{name} {constant}: run {generate.__name__}"


def test_variants_add_what_metas_page_script_hashes_and_are_off_by_default():
    given = {"city": "São Paulo", "zip": ["01310-100", "94025"], "country": "br"}
    plain, _ = match_keys(given, today=TODAY)
    both, _ = match_keys(given, today=TODAY, variants=True)
    digests = {
        text: hashlib.sha256(text.encode()).hexdigest()
        for text in ("sãopaulo", "sopaulo", "01310100", "94025", "01310")
    }
    assert plain["ct"] == [digests["sãopaulo"]] and plain["zp"] == [digests["01310100"], digests["94025"]]
    assert both["ct"] == [digests["sãopaulo"], digests["sopaulo"]]
    assert both["zp"] == [digests["01310100"], digests["94025"], digests["01310"]]
    assert match_keys({"city": digests["94025"]}, today=TODAY, variants=True)[0]["ct"] == [digests["94025"]]
