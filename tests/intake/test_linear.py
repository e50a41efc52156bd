"""Nobody can make a function of this room slow: twice a hostile input takes at most about twice the time."""

import pytest

from tests.linearity import functions, too_steep

FUNCTIONS = functions("conversion_relay.intake")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_twice_the_input_takes_twice_the_time_at_most(name):
    assert too_steep(name, FUNCTIONS[name]) == []
