"""Names from outside are short, steer no terminal and name nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversion_relay.intake.printable import printable_name


@given(st.text(max_size=300))
def test_any_name_can_be_shown(name):
    shown = printable_name(name)
    assert 0 < len(shown) <= 100 and shown.isprintable() and "@" not in shown


@given(st.text("abcäöü_-.", min_size=1, max_size=30))
def test_an_ordinary_name_is_shown_as_it_is(name):
    assert printable_name(name) == name


@pytest.mark.parametrize("form", ["first_name=Joe&plan=gold", '{"first_name":"Joe"}', "phone=015123456789"])
def test_a_form_that_was_taken_for_a_name_is_not_shown(form):
    assert printable_name(form) == "..."
