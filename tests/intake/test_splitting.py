"""An array or an object comes apart where its brackets and strings say, whatever stands in it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.intake.splitting import MOST_BRACKETS, split, split_members

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab\\"[]{},:\u00fc\n', max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('a"\\,]', max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(values=st.lists(JSON, max_size=6), indent=st.sampled_from([None, 1]))
def test_every_array_comes_apart_into_its_elements(values, indent):
    elements = split(json.dumps(values, indent=indent).encode(), 10)
    assert [json.loads(element) for element in elements] == values


@given(members=st.dictionaries(st.text('a"\\,]:', max_size=5), JSON, max_size=6))
def test_every_object_comes_apart_into_its_members(members):
    found = split_members(json.dumps(members).encode(), 10)
    assert {json.loads(name): json.loads(value) for name, value in found.items()} == members


@pytest.mark.parametrize("text", [b"", b"1", b"[", b"[1", b'["a]', b"[1] 2", b"[1]]", b'{"a":1', b"[[1]", b'["\\'])
def test_what_does_not_end_is_none(text):
    assert split(text, 10) is None


@pytest.mark.parametrize("text", [b"[1]", b"{1}", b'{"a"}', b'{"a":1', b'{"a":1,"b":2,"c":3}'])
def test_what_is_no_object_of_so_many_members_is_none(text):
    assert split_members(text, 2) is None


@given(st.binary(max_size=60))
def test_any_bytes_are_taken_apart_or_not(text):
    for start in (b"[", b"{", b""):
        assert split(start + text, 5) is None or len(split(start + text, 5)) <= 6


def test_it_gives_up_after_so_many_brackets():
    assert split(b"[[" + b"[]," * MOST_BRACKETS + b"1]]", 10) is None
