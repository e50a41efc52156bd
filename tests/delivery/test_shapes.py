"""What events have in common, and what in one event explains a complaint. Any JSON has a shape."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.delivery.shapes import offence, page, shape

NOW = 1_795_435_200
GOOD = {"event_name": "Purchase", "event_id": "order_1", "event_time": NOW, "action_source": "website"}
GOOD |= {"user_data": {"em": ["0" * 64]}, "custom_data": {"value": 1.5, "currency": "EUR"}}
GOOD |= {"event_source_url": "https://shop.example/de/thanks/4711"}


def body(**more) -> bytes:
    return json.dumps(GOOD | more).encode()


@pytest.mark.parametrize(
    "more",
    [
        {"event_id": "order_99"},
        {"event_time": NOW - 60},
        {"user_data": {"em": ["1" * 64]}},
        {"custom_data": {"value": 99.0, "currency": "USD"}},
        {"event_source_url": "https://SHOP.example/de/thanks/4712?utm_source=x"},
    ],
)
def test_what_a_visitor_gave_is_no_part_of_a_shape(more):
    assert shape(body(**more), NOW) == shape(body(), NOW)


@pytest.mark.parametrize(
    "more",
    [
        {"event_name": "Lead"},
        {"event_id": "cart_1"},
        {"event_time": NOW - 7_200},
        {"event_time": NOW + 86_400},
        {"event_time": NOW * 1_000},
        {"action_source": "email"},
        {"user_data": {"em": ["0" * 64], "ph": ["0" * 64]}},
        {"custom_data": {"value": "1.5", "currency": "EUR"}},
        {"custom_data": {"value": 1.5}},
        {"custom_data": {"value": 1.5, "currency": "EUR", "contents": [{"id": "1", "index": 2}]}},
        {"event_source_url": "https://shop.example/de/cart"},
        {"opt_out": True},
    ],
)
def test_what_one_piece_of_a_site_decides_is_a_shape_of_its_own(more):
    assert shape(body(**more), NOW) != shape(body(), NOW)


@pytest.mark.parametrize("url", ["", "https://[::1", "nonsense", "https://" + "a" * 100_000, "\x00"])
def test_any_text_is_some_page(url):
    assert len(page(url)) <= 2_300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "x"]), JSON), st.lists(st.text(max_size=9), max_size=3))
def test_any_json_has_a_shape_and_is_asked_for_its_offence(event, path):
    sealed = json.dumps(event).encode()
    assert hash(shape(sealed, NOW)) == hash(shape(sealed, NOW))
    offence(sealed, 2804009, tuple(path), NOW)


@pytest.mark.parametrize("sealed", [b"", b"[]", b"7", b"\xff", b"[" * 5_000])
def test_bytes_that_are_no_event_have_a_shape_and_no_offence(sealed):
    assert shape(sealed, NOW) and offence(sealed, 2804009, ("custom_data", "value"), NOW) is None


@pytest.mark.parametrize(
    ("more", "subcode", "path", "explains"),
    [
        ({"custom_data": {"currency": "EUR"}}, 2804009, (), True),
        ({"custom_data": {"currency": "EUR"}}, 2804010, (), False),
        ({}, 2804009, (), False),
        ({"custom_data": {"currency": "EUR"}}, 2804019, ("custom_data", "value"), True),
        ({}, 2804019, ("custom_data", "value"), False),
        ({}, 2804019, ("custom_data", "contents", "id"), False),
        ({"custom_data": {"value": 1.5, "contents": [{}]}}, 2804019, ("custom_data", "contents", "id"), False),
        ({"user_data": {}}, 2804050, (), False),
        ({}, None, (), False),
    ],
)
def test_only_a_member_that_is_missing_explains_a_complaint(more, subcode, path, explains):
    assert (offence(body(**more), subcode, path, NOW) is not None) is explains
