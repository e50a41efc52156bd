"""Nobody can make a function of this room slow: a longer hostile input takes in proportion more time."""

import pytest

from tests.linearity import functions, too_steep

FUNCTIONS = functions("conversion_relay.meta")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_time_grows_no_faster_than_the_input(name):
    assert too_steep(name, FUNCTIONS[name]) == []
