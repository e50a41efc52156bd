"""What Meta said is kept for the person who mends it, and nothing of the visitor with it."""

import pytest

from conversion_relay.meta.graph import SENTENCE, Refused
from conversion_relay.meta.told import told
from tests.meta.test_graph import error

KEPT = [
    "The parameter $['data'][0]['event_source_url'] is required",
    "Your purchase event doesn’t include a value parameter. Enter a value. For example: 1.99",
    "Der Parameter advertiser_tracking_enabled fehlt; siehe https://developers.facebook.com/docs/marketing-api",
    "See https://www.facebook.com/business/help/1234567 and the formats text/csv or image/png, 24/7",
]
STRUCK = [
    ("the URL https://shop.example/a?email=joe@example.com is bad", "joe"),
    ("joe.doe@example.com is no hash", "joe"),
    ("the phone +1 650 555 1212 is not hashed", "555"),
    ("the address 203.0.113.77 is no address", "203"),
    ("2001:db8:85a3::8a2e:370:7334 is not public", "85a3"),
    ("the click fb.1.1699999999999.IwAR2abcdef is too old", "IwAR2"),
    ("Malformed access token EAABwzLixnjYBO1234567890abcdefghij", "EAAB"),
    (
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile is old",
        "Android",
    ),
    ("no browser: Instagram/330.0.0 (iPhone14,5; iOS 17_5; de_DE) is one", "iPhone14"),
    ("Mozilla/5.0 (iPhone) AppleWebKit/605.1 [FBAN/FBIOS;FBDV/iPhone11,8]", "iPhone"),
    (f"the digest {'ab' * 31}12 is not known", "abab"),
]


@pytest.mark.parametrize("sentence", KEPT)
def test_a_sentence_without_a_person_is_kept_to_the_letter(sentence):
    assert told(sentence, 200) == sentence


@pytest.mark.parametrize(("sentence", "value"), STRUCK)
def test_what_meta_quotes_of_a_person_or_a_token_is_struck_out(sentence, value):
    assert value not in (told(sentence, 200) or "")
    outcome = error(100, 2804019, error_user_title=sentence, error_user_msg=sentence, message=sentence)
    assert value not in repr(outcome)


def test_an_address_at_the_end_of_what_is_read_is_not_kept_by_half():
    sentence = "x" * 20 + " ab" * 323 + " joe.doe@example.com"
    assert "joe" not in (told(sentence, 2_000) or "")


def test_the_sentence_the_field_and_the_event_are_in_what_is_kept():
    outcome = error(100, 2804019, error_user_title="Server Side Api Parameter Error", error_user_msg=KEPT[0])
    assert isinstance(outcome, Refused)
    assert (outcome.said.sentence, outcome.said.field, outcome.said.index) == (KEPT[0], "event_source_url", 0)


def test_a_field_that_is_no_name_is_not_kept():
    outcome = error(100, 2804019, error_data={"blame_field_specs": [["user_data", "joe@example.com"]]})
    assert isinstance(outcome, Refused) and outcome.said.field is None


def test_a_sentence_without_an_end_is_cut():
    assert len(told("word " * 100_000, SENTENCE) or "") == SENTENCE
