"""LISTEN and NOTIFY where the system gives no thread for it: polling goes on, and the next put tries again."""

import threading
from types import SimpleNamespace

import pytest

from conversion_relay.outbox.postgres.signal import Signals
from tests.failures.threads import no_more_threads


class Database:
    """Hears what is said, and keeps no server."""

    dsn = SimpleNamespace(schema="relay", listen=True)

    def __init__(self) -> None:
        self.heard = threading.Event()

    def read(self, *_: object) -> None:
        self.heard.set()


@pytest.fixture
def database():
    return Database()


def test_what_was_put_without_a_thread_is_told_with_the_next_put(database):
    signals = Signals(database, "us")
    with no_more_threads("outbox"):
        signals.say()
    signals.say()
    assert database.heard.wait(60), "no other process hears of anything that is put here"
    signals.close()


def test_an_outbox_that_never_had_a_thread_can_be_closed(database):
    signals = Signals(database, "us")
    with no_more_threads("outbox"):
        signals.say()
    signals.close()
