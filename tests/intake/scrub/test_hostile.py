"""Inputs that are made to cost: each public function of the scrubber takes a time that its input's length decides."""

import pytest

from conversion_relay.intake.scrub import may_hold_personal_data, scrub_event_id, scrub_url, without_personal_data
from conversion_relay.intake.scrub.names import LONGEST_NAME, read_name
from conversion_relay.intake.scrub.walk import METAS, known_names
from tests.growth import grows_linearly
from tests.personal_data.hostile import HOSTILE

OBJECTS = {
    "members": lambda size: {f"n{i}": 1 for i in range(size // 8)},
    "long names": lambda size: {f"{i}" + "phone_" * 20: 1 for i in range(size // 128)},
    "longer names": lambda size: {"a" * size + "@": 1},
    "texts": lambda size: {"x": ["a@b.c " * 10] * (size // 64)},
    "addresses": lambda size: {"x": ["joe@example.com"] * (size // 16)},
    "one text": lambda size: {"x": "a" * size + "@"},
    "pairs": lambda size: {"fields": [{"name": "email", "value": "x"}] * (size // 32)},
    "beside": lambda size: {"name": "x", "email": "y", "first": 1, **{f"k{i}": 1 for i in range(size // 8)}},
    "nested": lambda size: {"x": [{"name": {"first": {"last": [1]}}}] * (size // 48)},
    "json": lambda size: {"x": "[" * size},
    "a=b": lambda size: {"x": "a=b&" * (size // 4)},
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_objects_time_grows_with_its_size(name):
    def anew(value: dict) -> None:
        read_name.cache_clear()
        known_names.intersection_update(METAS)
        without_personal_data(value)

    assert grows_linearly(anew, OBJECTS[name], 2**15)
    assert grows_linearly(may_hold_personal_data, OBJECTS[name], 2**15)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_url_and_a_name_are_cut_before_they_cost(name):
    text = HOSTILE[name](2**20)
    for url in (f"https://a.example/{text}", f"https://{text}/", f"https://a.example/?utm_term={text}", text):
        assert len(scrub_url(url) or "") <= 3 * 8_192
    read_name(text[:LONGEST_NAME])
    assert scrub_event_id(text[:256], []) is not None


def test_three_hundred_thousand_members_are_a_list_of_five_hundred():
    kept, removed = without_personal_data({"custom_data": {f"n{i}": {"x": [i]} for i in range(300_000)}})
    assert len(kept["custom_data"]) < 500 and len(removed) == 101
