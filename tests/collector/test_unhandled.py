"""What no route caught is a 500 and a line in the log, and neither holds what the client sent."""

import logging

import pytest

from conversion_relay.collector.unhandled import Unhandled
from tests.asgi import run


async def fails(scope, receive, send):
    raise ValueError("canary.person@example.org")


class Cycle:
    """Stands for uvicorn's, whose bound method `receive` is."""

    def __init__(self, *, disconnected: bool = False, response_started: bool = False, is_closing: bool = False) -> None:
        self.is_closing = lambda: is_closing
        self.disconnected, self.response_started, self.transport = disconnected, response_started, self
        self.aborted, self.sent = False, []

    def abort(self) -> None:
        self.aborted = True

    async def receive(self):
        raise AssertionError

    async def send(self, message) -> None:
        self.sent.append(message)


@pytest.fixture
def told(caplog):
    """Its own lines: asyncio's, of what other tests left, may come in between."""
    return lambda: [record for record in caplog.records if record.name == "conversion_relay.server"]


def call(cycle: Cycle) -> Cycle:
    run(Unhandled(fails)({"type": "http"}, cycle.receive, cycle.send))
    return cycle


def test_it_is_answered_and_logged_without_a_word_of_the_request(told):
    cycle = call(Cycle())
    assert cycle.sent[0]["status"] == 500 and b"canary" not in cycle.sent[1]["body"]
    (record,) = told()
    assert (record.levelno, record.error) == (logging.ERROR, "ValueError") and record.where
    assert "canary" not in str(vars(record))


@pytest.mark.parametrize("how", ["disconnected", "is_closing"])
def test_a_client_that_hung_up_is_no_error(told, how):
    assert call(Cycle(**{how: True})).sent == [] and not told()


def test_an_answer_that_had_begun_is_cut_off_so_that_it_does_not_look_whole(told):
    cycle = call(Cycle(response_started=True))
    assert cycle.aborted and cycle.sent == [] and len(told()) == 1
