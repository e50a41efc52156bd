"""A free object loses its persons wherever they stand, tells what it lost, and keeps the rest as it was."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conversion_relay.intake.scrub import may_hold_personal_data, without_personal_data
from conversion_relay.intake.scrub.walk import LONGEST_TEXT, MOST_KNOWN, MOST_NAMES, MOST_TOLD, known_names
from conversion_relay.personal_data import held

EMAIL, PHONE = "canary.person@example.org", "+1 (650) 555-1212"
NAMES = st.sampled_from(["plan", "phone", "name", "customer", "contents", "value", "first", EMAIL]) | st.text(
    max_size=8
)
JSON = st.dictionaries(
    NAMES,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=8)
        | st.sampled_from([EMAIL, PHONE, "a%40b.de", "https://a.de/?b=%2F", "?phone=1", "{{ad.id}}", '{"email":"x"}']),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
        max_leaves=15,
    ),
    max_size=4,
)


def kept(custom_data: dict) -> dict:
    return without_personal_data({"custom_data": custom_data})[0]["custom_data"]


def taken(custom_data: dict) -> list[str]:
    return [removed.field for removed in without_personal_data({"custom_data": custom_data})[1]]


@given(value=JSON)
@example(value={"0@0": {"phone": "x"}})
@example(value={"plan": [[None, "MAIL", 0]]})
@example(value={"0": [None, "MAIL", 0]})
@example(value={"plan": [[EMAIL, "phone", "030 1234567"]]})
def test_a_free_object_loses_its_addresses_and_numbers_wherever_they_stand(value):
    rest, removed = without_personal_data(value)
    text = json.dumps(rest)
    assert EMAIL not in text and PHONE not in text and "a%40b.de" not in text
    assert without_personal_data(rest) == (rest, [])
    assert all(held(one.field) is None and held(one.reason) is None for one in removed)


@given(value=JSON)
def test_the_quick_look_never_misses_what_the_walk_would_remove(value):
    walked = without_personal_data(value)  # the walk teaches the quick look its names
    assert may_hold_personal_data(value) or walked == (value, [])
    assert may_hold_personal_data(value, closely=True) or walked == (value, [])


@pytest.mark.parametrize(
    "text", [EMAIL, PHONE, "00493012345678", "joe at example dot com", '{"email": "x"}', "a" * 9_000]
)
def test_nor_does_it_where_every_name_is_known(text):
    for shape in (
        lambda x: x,
        lambda x: [x],
        lambda x: [[x]],
        lambda x: {"x": x},
        lambda x: [{"x": x}],
        lambda x: [{"x": [x]}],
    ):
        quiet, loud = {"x": shape("gold")}, {"x": shape(text)}
        assert without_personal_data(quiet)[1] == [] and not may_hold_personal_data(quiet)
        assert may_hold_personal_data(loud) and may_hold_personal_data({"x": shape(None)})
        assert may_hold_personal_data(loud, closely=True) and not may_hold_personal_data(
            {"x": shape("https://a.de/?b=%2F")}, closely=True
        )


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        ({"a": 1, "b": None, "c": False, "d": ""}, {"a": 1, "c": False, "d": ""}),
        ({"note": EMAIL, "sku": "A-1"}, {"sku": "A-1"}),
        ({EMAIL: 1, PHONE: 2}, {}),
        ({"x": [EMAIL, "a", [EMAIL], {"x": EMAIL}, None, 0]}, {"x": ["a", [], {}, 0]}),
        ({"deep": {"er": [{"who": EMAIL, "n": 1}]}}, {"deep": {"er": [{"n": 1}]}}),
        ({"email": True, "phone": "", "first_name": None}, {"email": True, "phone": ""}),
        ({"phone": 16505551212, "birthday": 19970216, "zip": 94036, "n": 5}, {"n": 5}),
        ({"em": "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"}, {}),
        # What stands around a name counts.
        ({"name": "Mug", "state": "paid"}, {"name": "Mug", "state": "paid"}),
        ({"customer": {"name": "Joe", "state": "CA", "tier": "gold"}}, {"customer": {"tier": "gold"}}),
        ({"user": {"address": {"street": "Elm 1", "city": "X"}, "id": 7}}, {"user": {"id": 7}}),
        ({"name": {"first": "Joe", "last": "Doe"}}, {"name": {}}),
        ({"name": "Joe", "email": "x", "plan": "gold"}, {"plan": "gold"}),
        ({"name": "Mug", "email": "x", "price": 3}, {"name": "Mug", "price": 3}),
        ({"contents": [{"id": "1", "name": "Mug", "city": "Bonn"}]},) * 2,
        ({"course": {"name": "Oil", "city": "Bonn", "address": "Elm 1"}},) * 2,
        ({"course": {"name": "Oil", "email": "x"}}, {"course": {"name": "Oil"}}),
        ({"order": {"billing": {"city": "Bonn"}, "items": [{"name": "Mug"}]}},
         {"order": {"billing": {}, "items": [{"name": "Mug"}]}}),
        ({"city": "Bonn"}, {}),
        ({"city": "Bonn", "checkin_date": "2026-12-01"},) * 2,
        ({"contents": [{"id": EMAIL, "quantity": 1}, {"id": "a"}]}, {"contents": [{"id": "a"}]}),
        # A form as pairs, JSON in a text, a=b&c=d.
        ({"fields": [{"name": "email", "value": "x"}, {"name": "size", "value": "L"}]},
         {"fields": [{"name": "email"}, {"name": "size", "value": "L"}]}),
        ({"fields": [{"key": "First Name", "answer": "Joe"}]}, {"fields": [{"key": "First Name"}]}),
        ({"answers": [{"field": {"title": "What's your full name?"}, "type": "text", "text": "Joe"}]},
         {"answers": [{"field": {"title": "What's your full name?"}, "type": "text"}]}),
        ({"responses": [{"title": "Full name", "response": "Joe"}, {"title": "Size", "response": "L"}]},
         {"responses": [{"title": "Full name"}, {"title": "Size", "response": "L"}]}),
        ({"user_column_data": [{"column_id": "PHONE_NUMBER", "string_value": "6505551212"}]},
         {"user_column_data": [{"column_id": "PHONE_NUMBER"}]}),
        ({"form": {"a": {"name": "Name", "value": "Joe"}, "b": {"name": "Tel", "value": "6505551212"}}},
         {"form": {"a": {"name": "Name"}, "b": {"name": "Tel"}}}),
        ({"fields": [{"name": "name", "value": "Joe"}, {"name": "email", "value": "x"}]},
         {"fields": [{"name": "name"}, {"name": "email"}]}),
        ({"attributes": [{"name": "Name", "value": "Classic"}, {"name": "size", "value": "L"}]},) * 2,
        ({"cards": [{"title": "Phone", "value": "9.90", "text": ""}, {"title": "Name", "text": "Mug"}]},
         {"cards": [{"title": "Phone", "value": "9.90", "text": ""}, {"title": "Name", "text": "Mug"}]}),
        ({"cvar": {"1": ["First name", "Joe"], "2": ["plan", "gold"]}, "asked": ["email", "phone"]},
         {"cvar": {"2": ["plan", "gold"]}, "asked": ["email", "phone"]}),
        ({"raw": '{"first_name": "Joe"}', "json": '{"size": "L"}', "odd": "{x"},
         {"json": '{"size": "L"}', "odd": "{x"}),
        ({"page": "https://a.example/?first_name=Joe", "next": "https://a.example/?size=L"},
         {"next": "https://a.example/?size=L"}),
        ({"form": "size=L&phone%5Fnumber=6505551212"}, {}),
        ({"page": "https://a.example/?utm_content=first_name%3DJoe", "raw": "q=first_name=Sm9l==", "x": "a=b=fname="},
         {"x": "a=b=fname="}),
        ({"table": "first_name;phone\nJoe;6505551212", "cart": "sku,price\nA-1,9.90", "text": "Email, phone\nand chat"},
         {"cart": "sku,price\nA-1,9.90", "text": "Email, phone\nand chat"}),
        # 00 begins a number in a text, and a code under a code's name.
        ({"note": "00493012345678", "gtin": "00012345678905", "content_ids": ["0049300000634"]},
         {"gtin": "00012345678905", "content_ids": ["0049300000634"]}),
        # What looks like a person and is none.
        ({"plan": "A+ 2024-10-01", "at": "2024-10-01T10:00:00+02:00", "geo": "+48.8584+2.2945", "v": "C++"},) * 2,
    ],
)  # fmt: skip
def test_what_is_a_persons_goes_and_the_rest_stays_as_it_was(value, rest):
    assert kept(value) == rest


def test_what_went_is_told_by_path_and_reason_and_never_by_value():
    found = without_personal_data(
        {
            "custom_data": {"user": {"phone_number": "6505551212"}, "tags": ["a", EMAIL], EMAIL: 1},
            "messaging_channel": PHONE,
        }
    )[1]
    assert [(one.field, one.kind) for one in found] == [
        ("custom_data.user.phone_number", "name"),
        ("custom_data.tags[1]", "email"),
        ("custom_data....", "email"),
        ("messaging_channel", "phone"),
    ]
    assert found[0].reason == "a person's phone by its name; only user_data is hashed"
    assert found[0].counted == ("custom_data", "name")
    assert held(repr(found)) is None


def test_texts_names_and_their_number_are_bounded():
    assert kept({"x": "a" * LONGEST_TEXT}) and kept({"x": "a" * (LONGEST_TEXT + 1)}) == {}
    assert kept({"a" * 129: 1}) == {}
    many = kept({f"n{i:x}": 1 for i in range(2 * MOST_NAMES)})
    assert len(many) == MOST_NAMES - 1  # "custom_data" is a name, too
    told = taken({f"email{i}": i + 1 for i in range(2 * MOST_TOLD)})
    assert len(told) == MOST_TOLD + 1 and told[-1] == "..."


def test_an_object_nested_without_end_in_a_text_is_no_way_out():
    assert kept({"x": '{"a":' * 500 + '{"email": "x"}' + "}" * 500}) == {}


def test_a_location_below_a_person_is_theirs_and_below_a_store_its_own():
    place = {"location": {"city": "Bergen", "zip": "5003"}}
    assert kept({"profile": {"attributes": place}}) == {"profile": {"attributes": {"location": {}}}}
    assert kept({"store": place, "profile": {"store": place}}) == {"store": place, "profile": {"store": place}}


def test_a_jotform_question_is_read_by_its_name():
    form = {"q3_name": {"first": "Kanari"}, "q4_phoneNumber": {"full": "030 123"}, "q5_colour": "red"}
    assert kept(form) == {"q5_colour": "red"}


def test_metas_own_names_stay_known_however_many_others_come():
    for at in range(MOST_KNOWN + 1):
        without_personal_data({f"plan_{at:x}x": 1})
    assert len(known_names) <= MOST_KNOWN and not may_hold_personal_data({"order_id": "a", "contents": [{"id": "a"}]})
