"""An outbox file, a clock and perhaps a worker for each test of delivery."""

import pytest

from conversion_relay.delivery.turn import Delivery
from conversion_relay.delivery.worker import Worker
from conversion_relay.outbox import open_outbox
from conversion_relay.settings import Settings
from tests.delivery.standins import SETTINGS, Clock, Meta


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def outbox(tmp_path):
    outbox = open_outbox(f"sqlite:///{tmp_path}/outbox.db")
    yield outbox
    outbox.close()


@pytest.fixture
def working(outbox):
    """Starts a worker with a Meta and settings; stops it at the end."""
    workers = []

    def start(meta: Meta, settings: Settings = SETTINGS, **how) -> Worker:
        worker = Worker(Delivery(outbox, meta, settings), outbox, **how)
        worker.start()
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.stop()
