"""The quick way through the free members of an event comes to what the careful one comes to."""

import datetime
import decimal
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conversion_relay.event import Content, CustomData, Event
from conversion_relay.intake.free_form import careful, free_members, plain
from conversion_relay.intake.mending import NOT_A_NUMBER

NAMES = [
    *CustomData.__struct_fields__,
    *Content.__struct_fields__,
    "plan",
    "coupon",
    "email",
    "name",
    "first_name",
    "traits",
]
TEXTS = st.sampled_from(
    ["USD", "usd", " eur", "product", "course-001", "Oil (500 ml)", "A/B", "ord-000000042", "0049301234567", "nullable",
     "_00 4930123456", "joe@example.com", "joe at example dot com", "+1 650 555 1212", "tel:4930123456", ":", ':"',
     "1:", "{at}", "[at]", "a,[at]", "x},{", "null", "a=b", "first_name=Joe", '{"email": "x"}', "[1]", "{}",
     "Töpfern", "", "wa.me 4930123456", "\ud83d", "\n", "12.50", "1,000", "WA.ME/4930123456", "Yoga – neu… 🔥",
     "https://shop.example/?utm_source=fb&utm_campaign=Spring%20Sale", "/?email=joe%40example.com", "{{campaign.name}}",
     "50% off", "am9lQGV4YW1wbGUuY29t", "%7B%22phone%22%3A%22030%22%7D", "first_name%253DJoe",
     "00–49 30 1234567", "C++ <3", "a\tb\n1\t2"]
)  # fmt: skip
VALUES = TEXTS | st.integers(-2, 2**70) | st.floats() | st.none() | st.booleans() | st.text(max_size=6)
LINES = st.dictionaries(
    st.sampled_from(["id", "quantity", "item_price", "title", "sku", "x", "email"]), VALUES, max_size=4
)
GOOD_LINES = st.fixed_dictionaries({"id": TEXTS, "quantity": st.integers(1, 3), "item_price": st.floats(0, 1e4)})
WHOLE = st.fixed_dictionaries(
    {
        "currency": TEXTS,
        "value": st.floats(0, 1e6)
        | st.integers(0, 10**6)
        | st.sampled_from(["12.50", "12", "1,000", " 5", "-1", "1e3"]),
        "contents": st.lists(GOOD_LINES, max_size=3),
    },
    optional={name: TEXTS for name in NAMES if name not in ("contents", "content_ids", "value", "currency")}
    | {"content_ids": st.lists(TEXTS, max_size=3)},
)
NESTED = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
    max_leaves=12,
)
ANY = st.dictionaries(
    st.sampled_from(NAMES) | st.text(max_size=5),
    VALUES | st.lists(VALUES | LINES, max_size=3) | LINES | NESTED,
    max_size=6,
)


def both(event: Event) -> list[tuple]:
    answers = []
    for way in (free_members, careful):
        told: list[tuple[str, str]] = []
        try:
            answers.append((json.dumps(way(event, lambda *what, told=told: told.append(what)), default=str), told))
        except (RecursionError, OverflowError, UnicodeEncodeError) as refused:
            answers.append((type(refused).__name__, told))
    return answers


@given(custom=WHOLE | ANY | st.none())
@example(custom={"properties": None})
@example(custom={"order_id": 2**64})
@example(custom={"value": None, "content_ids": [2**64, 5]})
def test_the_quick_way_and_the_careful_one_come_to_the_same(custom):
    before = repr(custom)
    quick, slow = both(Event(event_name="Lead", custom_data=custom))
    assert quick == slow and repr(custom) == before


@pytest.mark.parametrize("name", ["app_data", "original_event_data", "attribution_data"])
def test_a_member_that_few_events_have_goes_the_careful_way(name):
    quick, slow = both(
        Event(event_name="Lead", custom_data={"value": 1}, **{name: {"email": "joe@example.com", "a": 1}})
    )
    assert quick == slow and "joe" not in quick[0]


@pytest.mark.parametrize(
    "custom",
    [
        {"currency": "USD", "value": 12.5, "contents": [{"id": "course-001", "quantity": 2, "item_price": 6.25}]},
        {"currency": "eur", "value": 100, "order_id": "ord-000000042", "content_ids": ["a", 5], "num_items": 1},
        {"content_name": "Course course-001", "content_type": "product", "contents": [], "status": "completed"},
        {"content_name": "Töpfern (2 Tage) & mehr", "contents": [{"id": "a", "title": "Ваза"}]},
        {"content_name": "Yoga – neu… 🔥", "order_id": "https://shop.example/?utm_source=fb&utm_campaign=50%25+off"},
        {"content_name": "joe (at) example", "content_ids": ["[at]", "C++", "{{ad.id}}"], "status": "plan=gold"},
    ],
)
def test_what_most_events_hold_is_known_at_a_look(custom):
    assert plain(custom)


@pytest.mark.parametrize(
    "custom",
    [
        {"first_name": "Joe"},
        {"plan": {"first_name": "Joe"}},
        {"plan": [[{"first_name": "Joe"}]]},
        {"content_name": "0049301234567"},
        {"content_name": "call (0049301234567"},
        {"content_name": "joe (at) example.com"},
        {"content_name": "Jöe ( at) example.com"},
        {"content_name": "joe&commat;example.com"},
        {"content_name": "tel:4930123456"},
        {"content_name": "https://shop.example/?first_name=Joe"},
        {"content_ids": ["%7B%22phone%22%3A%22030%22%7D"]},
        {"content_name": "joe at example dot com"},
        {"content_name": "wa.me 4930123456"},
        {"content_name": "joe＠example.com"},
        {"content_name": "jöe at example döt com"},
    ],
)
def test_what_could_hold_a_person_is_not(custom):
    free_members(Event(event_name="Lead", custom_data={"plan": {"n": [1]}}), lambda *what: None)  # a name that is known
    assert plain(custom) is None


@pytest.mark.parametrize("odd", [decimal.Decimal("1.50"), datetime.date(2026, 1, 2), float("nan"), {1: 2}, object()])
def test_what_is_no_json_goes_the_careful_way(odd):
    assert plain({"value": odd}) is plain({"contents": [{"id": "a", "item_price": odd}]}) is None


TOO_LARGE = [2**64, -(2**63) - 1, 10**400]


@pytest.mark.parametrize("number", TOO_LARGE)
@pytest.mark.parametrize("around", [{}, {"sku": None}, {"content_name": "+"}, {"plan": {"n": [1]}}])
def test_a_number_of_more_than_64_bits_is_left_out_and_told_wherever_it_stands(number, around):
    for custom, path in (
        ({"order_id": number}, "order_id"),
        ({"content_ids": ["a", number]}, "content_ids"),
        ({"contents": [{"id": "a", "item_price": number}]}, "contents.item_price"),
        ({"plan_id": number}, "plan_id"),
        ({"plan": {"steps": [[number]]}}, "plan.steps"),
    ):
        event = Event(event_name="Lead", custom_data=around | custom)
        free_members(event, lambda *what: None)  # its names are known
        told: list[tuple[str, str]] = []
        wire, _ = free_members(event, lambda *what, told=told: told.append(what))
        assert str(number) not in json.dumps(wire) and (f"custom_data.{path}", NOT_A_NUMBER) in told


def test_what_64_bits_hold_is_sent_as_it_came():
    custom = {"order_id": 2**64 - 1, "content_ids": [-(2**63)], "plan_id": 2**64 - 1}
    wire, _ = free_members(Event(event_name="Lead", custom_data=custom), lambda *what: pytest.fail(str(what)))
    assert wire["custom_data"] == custom
