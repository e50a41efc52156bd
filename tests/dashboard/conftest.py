import time

import pytest

from tests.dashboard.here import Here


@pytest.fixture
def here(tmp_path):
    here = Here(tmp_path, time.time())
    yield here
    here.relay.close()
