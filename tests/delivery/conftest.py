"""An outbox file and a clock for each test of delivery."""

import pytest

from conversion_relay.outbox import open_outbox
from tests.delivery.standins import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def outbox(tmp_path):
    outbox = open_outbox(f"sqlite:///{tmp_path}/outbox.db")
    yield outbox
    outbox.close()
