"""The server under attack, in short. The long form is `make soak`; nothing here depends on how quick the machine is."""

import pytest

from tests.failures import attacks


@pytest.mark.timeout(200)
def test_ten_clients_without_a_key_are_refused_and_a_customer_is_served_all_the_while(tmp_path):
    assert attacks.attacked(tmp_path, 8).verdict == "kept"
