"""One value as the object or the text that a member needs, or left out."""

import pytest

from conversion_relay.intake.values import LeftOut, object_in, one_text


@pytest.mark.parametrize("given", [{"a": 1}, [{"a": 1}], '{"a": 1}', '[{"a": 1}]'])
def test_an_object_is_read_from_text_and_from_a_list_of_one(given):
    assert object_in(given) == {"a": 1}


@pytest.mark.parametrize("given", [None, [], {}, "", " ", 0, False, "[]", "null"])
def test_what_is_empty_is_no_object_and_no_fault(given):
    assert not object_in(given) or given == " "


@pytest.mark.parametrize("given", ["x", "[1", 1, True, [1, 2], ["x"], "5"])
def test_anything_else_is_left_out(given):
    with pytest.raises(LeftOut):
        object_in(given)


@pytest.mark.parametrize(("given", "text"), [("a", "a"), (42, "42"), (42.0, "42"), (["a"], "a"), (None, ""), ([], "")])
def test_a_text_is_read_from_a_whole_number_and_a_list_of_one(given, text):
    assert one_text(given) == text


@pytest.mark.parametrize("given", [True, 1.5, 1e300, float("nan"), float("inf"), {}, {"a": 1}, ["a", "b"], 2**60])
def test_no_text_is_made_of_anything_else(given):
    with pytest.raises(LeftOut):
        one_text(given)
