"""What says nothing is no match key: words, templates that nobody filled in, and the digests of both."""

import datetime
import hashlib
from itertools import product

import pytest

from conversion_relay.meta.customer_information import match_keys
from conversion_relay.meta.customer_information.keys import HASHED, normalize
from conversion_relay.meta.customer_information.nothing import WORDS, is_digest_of_nothing, is_nothing

TODAY = datetime.date(2026, 11, 23)
TEXTS = ["", "null", "undefined", "None", "NULL", "nan", "NaN", "(not set)", "(none)", "[object Object]", "N/A", "0"]
TEMPLATES = [
    "{{user.first_name}}",
    "{{ customer.email | default: '' }}",
    "{user.email}",
    "${user.phone}",
    "#{phone}",
    "@{email}",
    "%%EMAIL%%",
    "*|EMAIL|*",
    "[[email]]",
    "<%= user.email %>",
    "{% if email %}",
    "%email%",
    "<email>",
    "sha256hex()",
    "SHA256(email)",
    "hash_sha256(user.email)",
    "md5()",
]
LETTERS = ["fn", "ln", "ct", "st", "external_id"]


@pytest.mark.parametrize(("text", "form"), [(text, form) for text in TEXTS for form in (str, str.upper)])
def test_a_digest_of_nothing_is_dropped_whatever_the_key(text, form):
    digest = form(hashlib.sha256(text.encode()).hexdigest())
    for key, given in product(sorted(HASHED), (digest, f" {digest} ", f"{digest}.AQICAQMC")):
        assert normalize(key, given, today=TODAY).dropped == "the hash of an empty text or of a placeholder"


@pytest.mark.parametrize("hashed", [hashlib.md5, hashlib.sha1, hashlib.sha256])
def test_an_id_may_be_any_hash_but_not_one_of_nothing(hashed):
    assert normalize("external_id", hashed(b"").hexdigest(), today=TODAY).dropped
    assert normalize("external_id", hashed(b"customer 42").hexdigest(), today=TODAY).normalized


def test_a_digest_of_a_digest_of_nothing_is_one_too():
    twice = hashlib.sha256(hashlib.sha256(b"").hexdigest().encode()).hexdigest()
    assert is_digest_of_nothing(twice)


@pytest.mark.parametrize("key", LETTERS)
@pytest.mark.parametrize("text", [*TEMPLATES, *sorted(WORDS), "NaN", "nan", "Null", "NONE", "(Not Set)"])
def test_what_says_nothing_in_clear_is_dropped(key, text):
    assert normalize(key, text, today=TODAY).dropped


@pytest.mark.parametrize("key", ["em", "ph", "db", "ge", "zp", "country", "fbc", "fbp", "madid", "lead_id"])
@pytest.mark.parametrize("text", [*TEMPLATES, "null", "undefined", "None", "NaN", "[object Object]", "{{x}}@y.example"])
def test_neither_does_a_key_with_a_form_of_its_own_take_it(key, text):
    assert normalize(key, text, today=TODAY).dropped


@pytest.mark.parametrize("key", ["anon_id", "ctwa_clid", "subscription_id", "client_user_agent", "page_id"])
@pytest.mark.parametrize("text", ["null", "undefined", "{{ua}}", "(not set)"])
def test_nor_one_that_is_sent_verbatim(key, text):
    assert normalize(key, text, today=TODAY).dropped


@pytest.mark.parametrize("text", ["0", "-1", "guest", "Anonymous", "00000000-0000-0000-0000-000000000000"])
def test_an_id_that_all_guests_share_is_nobodys(text):
    assert normalize("external_id", text, today=TODAY).dropped


@pytest.mark.parametrize(
    "name", ["Nan", "Nil", "Na", "True", "Nullmann", "Nonetti", "Undine", "Unknowner", "John (Johnny)", "Sharon (Shay)"]
)
def test_somebodys_name_is_kept(name):
    assert normalize("fn", name, today=TODAY).normalized


@pytest.mark.parametrize("text", ["user-42", "{6b29fc40-ca47-1067-b31d-00dd010662da}", "a%b", "<42>", "id#1$2", "1(2)"])
def test_an_id_with_odd_characters_is_one(text):
    assert normalize("external_id", text, today=TODAY).normalized == text
    assert not is_nothing(text)


def test_nothing_is_sent_and_everything_is_told():
    digest = hashlib.sha256(b"").hexdigest()
    keys, dropped = match_keys({"em": [digest, "joe@example.com"], "fn": "{{name}}", "external_id": 0}, today=TODAY)
    assert list(keys) == ["em"] and len(keys["em"]) == 1
    assert [key.field for key in dropped] == ["em[0]", "fn", "external_id"]
