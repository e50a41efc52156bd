"""JSON with odd tokens is read all the same, and brought into a form that can be sent."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.intake.mending import DEEPEST, decode, decode_mended, is_too_deep, mended, whole_text
from conversion_relay.intake.reading import read_body, read_event


def in_text(raw: bytes) -> bytes:
    return b'"%s"' % raw.replace(b'"', b'\\"')


@given(st.text(st.characters() | st.characters(categories=["Cs"]), max_size=20))
def test_every_text_can_be_sent_and_a_whole_one_is_kept(text):
    mended_text = whole_text(text)
    mended_text.encode()
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert mended_text == text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters() | st.just("\ud83d"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_mended_has_a_json_form_without_null(value):
    sent = msgspec.json.encode(mended(value, "x", lambda path, reason: None))
    assert sent == b"null" or json.loads(sent) is not None


def test_what_is_taken_out_is_told():
    told = []
    mended({"a": float("inf"), "b": [2**64], "c": -(2**63)}, "custom_data", lambda *what: told.append(what[0]))
    assert told == ["custom_data.a", "custom_data.b"]


@pytest.mark.parametrize(
    "raw", [b"NaN", b"[Infinity]", b'"\\ud83d"', b'{"a":1e999}', b"9" * 5_000, b'"\xff"', b"[-1E400]"]
)
def test_an_odd_token_is_read(raw):
    decode(raw)


@pytest.mark.parametrize("raw", [b"", b"{", b"{'a':1}", b"[1,]", b"01", b"nul", b'"\n"'])
def test_what_is_no_json_is_a_value_error(raw):
    with pytest.raises(ValueError):
        decode(raw)


@pytest.mark.parametrize(
    "ids", [(b'"kurs-\xe9"', b'"kurs-\xe8"'), (b'"a\\ud83d"', b'"a\\ud83e"'), (b'["\xe9"]', b'["\xe8"]')]
)
def test_two_ids_of_which_a_letter_was_lost_stay_two(ids):
    """The second was "known already", and one event was counted of two."""
    events = [read_event(b'{"event_name": "Lead", "event_id": %s}' % event_id) for event_id in ids]
    one, other = (event.event_id for event in events)
    assert one != other and one.isascii() and one.isprintable()


@pytest.mark.parametrize("as_it_came", [lambda raw: raw, in_text, lambda raw: b'{"data": %s}' % in_text(b"[%s]" % raw)])
def test_json_text_in_json_loses_no_letter_more(as_it_came):
    event = b'{"event_name": "Lead", "event_id": "kurs-\xe9", "custom_data": {"a": "Caf\xe9"}}'
    (raw,) = read_body(as_it_came(event)).events
    read = read_event(raw)
    assert (read.event_id, mended(read.custom_data, "", lambda *_: None)) == ("kurs-\\udce9", {"a": "Caf\ufffd"})


def test_an_id_with_a_whole_emoji_is_as_the_page_wrote_it():
    halves = b'{"event_name": "Lead", "value": 1e999, "event_id": "\\ud83d\\ude00 \xff"}'
    assert read_event(halves).event_id == "\U0001f600 \\udcff"


def test_depth_is_counted():
    deep: object = 1
    for _ in range(DEEPEST + 1):
        deep = [deep]
    assert not is_too_deep(deep) and is_too_deep([deep])


def test_what_is_nested_deeper_than_it_can_be_mended_is_refused():
    half = b'"\\ud83d"'
    assert decode_mended(b"[" * (DEEPEST + 1) + half + b"]" * (DEEPEST + 1))
    with pytest.raises(RecursionError):
        decode_mended(b"[" * (DEEPEST + 2) + half + b"]" * (DEEPEST + 2))
