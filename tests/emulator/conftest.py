"""One stand-in for each file of tests, emptied before each test."""

import pytest

from conversion_relay.emulator.app import create_app
from conversion_relay.emulator.server import Server
from tests.processes import call


@pytest.fixture(scope="module")
def server():
    server = Server(create_app())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def meta(server):
    assert call("POST", f"{server.url}/_emulator/reset")[0] == 200
    return server.url
