"""What lies between us and Meta breaks, or Meta breaks for some. The long form is `make soak`."""

import pytest

from tests.failures import network
from tests.failures.conditions import need_mount
from tests.failures.proxy import MODES


@pytest.mark.timeout(300)
def test_every_trouble_of_a_network_is_survived_and_nothing_is_sent_with_another_body(tmp_path):
    assert network.bad_network(tmp_path, len(MODES)).verdict == "kept"


@pytest.mark.timeout(200)
def test_nobody_listens_where_meta_was(tmp_path):
    assert network.refused(tmp_path, 2).verdict == "kept"


@pytest.mark.timeout(200)
def test_metas_name_does_not_resolve(tmp_path):
    need_mount()
    assert network.no_name(tmp_path, 1).verdict == "kept"


@pytest.mark.timeout(200)
def test_a_dataset_that_hangs_or_is_throttled_or_refused_holds_up_no_other(tmp_path):
    assert network.one_hangs(tmp_path, 3).verdict == "kept"


@pytest.mark.timeout(200)
@pytest.mark.parametrize("how", ["file", "TOML", "SIGHUP"])
def test_a_renewed_token_is_used_at_once_and_without_a_restart(tmp_path, how):
    assert network.dead_token(tmp_path, how).verdict == "kept"
