"""A server that answers anything. The long form is `make soak`."""

import pytest

from tests.failures import babble


@pytest.mark.timeout(200)
def test_a_server_that_answers_anything_kills_loses_and_delivers_nothing(tmp_path):
    result = babble.babble(tmp_path, 300)
    assert (result.verdict, result.lost) == ("kept", 0)
