"""Which event and which member an error of Meta's names."""

import pytest

from conversion_relay.meta.blame import blamed


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"error_user_msg": "The parameter $['data'][2]['user_data']['em'] is required"}, ("user_data", "em")),
        ({"message": "$['data'][2]['custom_data']['contents'][0]['index']"}, ("custom_data", "contents", "index")),
        ({"error_data": {"blame_field_specs": [["custom_data", "currency"]]}}, ("custom_data", "currency")),
        ({"error_data": '{"blame_field_specs": [["custom_data", "currency"]]}'}, ("custom_data", "currency")),
        ({"error_data": {"blame_field_specs": [[7]]}}, ()),
        ({"error_data": "{" * 500}, ()),
        ({}, ()),
    ],
)
def test_the_member_that_meta_complains_about(more, path):
    assert blamed(more)[1] == path


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("$['data'][0]", 0),
        ("$['data'][999]['event_id']", 999),
        ("$['data'][10000]", None),
        ("data[3]", None),
        ("", None),
    ],
)
def test_the_place_of_the_event(text, index):
    assert blamed({"error_user_msg": text})[0] == index


def test_a_text_without_end_is_read_to_a_bound():
    assert blamed({"message": "['data'][" * 200_000 + "['data'][1]"}) == (None, ())
