"""Fields of a form as objects, for any bytes at all."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.payments.form import DEEPEST, MOST_FIELDS, fields_of

NAMES = st.text(st.characters(exclude_characters="[]", exclude_categories=["Cs"]), min_size=1, max_size=20)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.dictionaries(NAMES, VALUES, max_size=12))
def test_what_a_program_writes_is_read_as_it_was(fields):
    assert fields_of(urlencode(fields).encode()) == fields


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), max_size=4))
def test_so_are_objects_in_brackets(objects):
    flat = {f"{name}[{inner}]": value for name, members in objects.items() for inner, value in members.items()}
    assert fields_of(urlencode(flat).encode()) == objects


@given(st.binary(max_size=200) | st.text("ab[]=&%+0", max_size=60).map(str.encode))
def test_any_bytes_are_read_and_every_value_is_a_text(raw):
    def texts(found) -> bool:
        return isinstance(found, str) or all(isinstance(n, str) and texts(v) for n, v in found.items())

    assert texts(fields_of(raw))


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"a[]=1&a[]=2", {"a": {"0": "1", "1": "2"}}),
        (b"a=1&a[b]=2&c[d]=1&c=2", {"a": "1", "c": {"d": "1"}}),
        (b"a" + b"[b]" * DEEPEST + b"=1&c=2", {"c": "2"}),
        (b"a[b=1&]=2&=3&[]=4&&d", {"d": ""}),
        (b"a=%ff", {"a": "\ufffd"}),
    ],
)
def test_what_contradicts_itself_or_is_no_field_is_left_out(raw, found):
    assert fields_of(raw) == found


def test_more_fields_than_any_sender_has_are_not_read():
    assert len(fields_of(b"&".join(b"%d=" % n for n in range(MOST_FIELDS + 5)))) == MOST_FIELDS
