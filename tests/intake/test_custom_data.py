"""`custom_data` in Meta's form: what is certain is translated, what Meta would refuse is taken off and told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.intake.accept import Policy, Submission, accept
from conversion_relay.intake.custom_data import MOST_TOLD, NOT_AN_AMOUNT, plain_number, tidy
from conversion_relay.intake.reading import read_event
from conversion_relay.intake.request_facts import RequestFacts
from conversion_relay.meta.sent_members import CONTENT_NAMES


def tidied(custom: dict) -> tuple[dict, list[str]]:
    told: list[str] = []
    tidy(custom, lambda path, reason: told.append(path))
    return custom, told


@pytest.mark.parametrize(
    ("text", "number"),
    [("12.50", 12.5), ("0", 0), ("1000", 1000), ("-5", -5), ("007.5", 7.5), (12, 12), (12.5, 12.5), (1e300, 1e300)],
)
def test_a_plain_decimal_number_is_read(text, number):
    assert plain_number(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "1_000",
        " 12.5 ",
        "12,50",
        "1,000.00",
        "1e3",
        "0x10",
        "٣",
        "１２",
        "NaN",
        "inf",
        "€12",
        "12 EUR",
        "+1",
        ".5",
        "5.",
        "",
        "--1",
        "9" * 40,
        True,
        None,
        [1],
        {"a": 1},
        float("nan"),
        float("inf"),
    ],
)
def test_everything_else_that_looks_like_an_amount_is_none(text):
    assert plain_number(text) is None


def test_a_value_that_is_no_amount_is_kept_for_the_rule_that_refuses_it():
    custom, told = tidied({"value": "1_000", "predicted_ltv": "1_000", "net_revenue": "5.0"})
    assert custom == {"value": NOT_AN_AMOUNT, "net_revenue": 5.0} and told == ["custom_data.predicted_ltv"]


@pytest.mark.parametrize(
    ("line", "expected", "told"),
    [
        ({"id": "a", "quantity": 1}, {"id": "a", "quantity": 1}, []),
        ({"id": 7, "quantity": 2.0}, {"id": 7, "quantity": 2}, []),
        ({"id": "a", "quantity": "2", "item_price": "3.50"}, {"id": "a", "quantity": 2, "item_price": 3.5}, []),
        ({"item_id": "a", "item_name": "Mug", "price": 5}, {"id": "a", "item_price": 5, "title": "Mug"}, []),
        ({"product_id": "a", "price": 5, "quantity": 1}, {"id": "a", "quantity": 1, "item_price": 5}, []),
        ({"id": "a", "item_id": "b", "price": 1, "item_price": 2}, {"id": "a", "item_price": 2}, []),
        ({"id": "a", "index": 0, "coupon": "X"}, {"id": "a"}, ["coupon", "index"]),
        ({"id": "a", "quantity": {"x": 1}}, {"id": "a"}, ["quantity"]),
        ({"id": "a", "item_price": "1_0"}, {"id": "a"}, ["item_price"]),
        ({"id": "a", "delivery_category": "in_store"}, {"id": "a", "delivery_category": "in_store"}, []),
        ({"id": "a", "delivery_category": "pigeon"}, {"id": "a"}, ["delivery_category"]),
        ({"id": "a", "brand": None, "title": ""}, {"id": "a"}, []),
    ],
)
def test_a_line_of_contents_has_metas_names_alone(line, expected, told):
    custom, paths = tidied({"contents": [line]})
    assert custom["contents"] == [expected]
    assert sorted(paths) == [f"custom_data.contents[].{name}" for name in told]


@pytest.mark.parametrize("contents", ["x", 5, True, [1], [None], [{}], [{"quantity": 1}], "[1", {"a": {"b": 1}}])
def test_contents_without_a_line_are_left_out_and_told(contents):
    custom, told = tidied({"contents": contents, "plan": "gold"})
    assert custom == {"plan": "gold"} and told


@pytest.mark.parametrize(
    "contents",
    ['[{"id":"a"}]', {"id": "a"}, {"0": {"id": "a"}}, '{"id":"a"}', [{"id": "a"}, None]],
)
def test_contents_are_read_as_text_alone_or_as_phps_list_with_a_hole(contents):
    assert tidied({"contents": contents})[0] == {"contents": [{"id": "a"}]}


@pytest.mark.parametrize(
    ("name", "given_value", "read"),
    [
        ("content_ids", [1001.0, "a", 2.5], [1001, "a", 2.5]),
        ("order_id", 1001.0, 1001),
        ("content_ids", "a", ["a"]),
        ("content_ids", '["a","b"]', ["a", "b"]),
        ("content_ids", {"0": "a"}, ["a"]),
        ("content_name", ["Mug"], "Mug"),
        ("content_category", 5, 5),
        ("num_items", "3", 3),
        ("num_items", 3.0, 3),
        ("order_id", 5, 5),
        ("status", True, True),
        ("currency", ["EUR"], "EUR"),
    ],
)
def test_a_member_of_another_type_is_read_where_it_is_certain(name, given_value, read):
    assert repr(tidied({name: given_value})) == repr(({name: read}, []))  # 3.0 equals 3, and Meta gets a text of it


@pytest.mark.parametrize("name", ["content_name", "num_items", "order_id", "currency", "content_ids"])
def test_a_member_that_cannot_be_read_is_left_out_and_told(name):
    assert tidied({name: {"a": {"b": 1}}, "x": 1})[0].keys() <= {"x", "content_ids"}


def test_properties_of_ones_own_stay_as_they_are():
    own = {"plan": {"a": [1, None]}, "n": "1_000", "price": "12,50"}
    assert tidied(dict(own)) == (own, [])


def test_a_thousand_lines_with_the_same_fault_are_told_once():
    lines = [{"id": "a", "index": n, **{f"x{n}": 1}} for n in range(1_000)]
    assert len(tidied({"contents": lines})[1]) == MOST_TOLD


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(CONTENT_NAMES)) | st.text(), inner)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(["value", "currency", "contents", "content_ids", "num_items", "order_id", "status", "own"])


@given(custom=st.dictionaries(NAMES, JSON))
def test_whatever_comes_in_contents_goes_out_as_metas_lines_or_not_at_all(custom):
    for line in tidied(custom)[0].get("contents", []):
        assert line.keys() <= CONTENT_NAMES and type(line["id"]) in (str, int)


@pytest.mark.parametrize("custom", [b'"value": NaN', b'"value": 1e999', b'"value": 1, "currency": {"code": "EUR"}'])
def test_what_is_missing_because_it_could_not_be_read_is_told_so(custom):
    event = read_event(b'{"event_name": "Purchase", "user_data": {"em": "a@b.example"}, "custom_data": {%s}}' % custom)
    refused = accept(Submission(event=event), RequestFacts(), Policy(dataset="1"), now=1.7e9, entropy=bytes(10))
    assert refused.reason == "missing_field" and "what came was left out" in refused.message
