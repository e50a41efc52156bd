"""uWSGI's first process loads the program and forks in C: nothing may be open in it. Its module is played here."""

import os
import sys
from types import SimpleNamespace

import pytest

from conversion_relay import Event, OutboxUnavailable, Relay, UserData

LEAD = Event(event_name="Lead", event_id="lead-1", user_data=UserData(email="jane@shop.example"))


@pytest.fixture
def environ(tmp_path):
    return {
        "META_PIXEL_ID": "1",
        "META_ACCESS_TOKEN": "x",
        "META_GRAPH_URL": "http://127.0.0.1:9",
        "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db",
    }


def first_process(monkeypatch, master: int, processes: int = 2) -> SimpleNamespace:
    server = SimpleNamespace(masterpid=lambda: master, worker_id=lambda: 0, numproc=processes)
    monkeypatch.setitem(sys.modules, "uwsgi", server)
    return server


@pytest.mark.parametrize("begun_by", ["the hook", "an event"])
@pytest.mark.parametrize("master", [os.getpid(), 0], ids=["with a master", "without"])
def test_delivery_begins_in_the_worker_and_nothing_is_opened_before(monkeypatch, environ, tmp_path, master, begun_by):
    server, others = first_process(monkeypatch, master), []
    server.post_fork_hook = lambda: others.append("another hook of the program's")
    with Relay.from_env(environ, deliver=True) as relay:
        assert not list(tmp_path.iterdir())
        with pytest.raises(OutboxUnavailable, match="lazy-apps"):
            relay.track(LEAD)
        assert not list(tmp_path.iterdir())
        server.masterpid, server.worker_id = lambda: master and master + 1, lambda: 1
        if begun_by == "the hook":
            server.post_fork_hook()
            assert (tmp_path / "outbox.db").exists() and others
        assert relay.track(LEAD).is_durable
        assert relay._background.__class__.__name__ == "Background"


def test_a_program_that_is_loaded_in_each_worker_or_alone_is_as_anywhere_else(monkeypatch, environ):
    for master, processes in ((os.getpid() + 1, 2), (0, 1)):
        first_process(monkeypatch, master, processes)
        with Relay.from_env(environ) as relay:
            assert relay.track(LEAD).is_durable
