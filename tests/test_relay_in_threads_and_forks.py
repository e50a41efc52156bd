"""One Relay in several threads, and in the child of a fork."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from conversion_relay import Event, OutboxUnavailable, Relay, Tracked
from conversion_relay import relay as relay_module
from conversion_relay.delivery import worker as delivery_worker
from conversion_relay.outbox import open_outbox
from conversion_relay.relay import background, keeping
from tests.failures.threads import no_more_threads
from tests.hostile_server import read_request, serving
from tests.processes import until
from tests.test_relay import LEAD, PERSON, environ, events_of

__all__ = ["environ"]


def test_eight_threads_that_ask_at_once_share_one_outbox(environ, monkeypatch):
    opened = []
    together = threading.Barrier(8)
    everybody = threading.Event()

    def open_slowly(url, **how):
        opened.append(url)
        everybody.wait(0.2)  # as long as it takes for all others to see that none is there yet
        return open_outbox(url, **how)

    monkeypatch.setattr(keeping, "open_outbox", open_slowly)
    relay = Relay.from_env(environ)

    def track(n: int) -> Tracked:
        together.wait()
        return relay.track(Event(event_name="Lead", event_id=f"lead-{n}", user_data=PERSON))

    with ThreadPoolExecutor(8) as threads:
        tracked = list(threads.map(track, range(8)))
    assert {one.state for one in tracked} == {"accepted"}
    assert len(opened) == 1
    relay.close()


def test_a_child_is_not_held_up_by_a_thread_that_stayed_with_its_parent(environ, monkeypatch):
    """A fork copies the lock that a thread holds, and not the thread."""
    relay = Relay.from_env(environ)
    parent, is_opening, may_go_on = os.getpid(), threading.Event(), threading.Event()

    def open_slowly(url, **how):
        if os.getpid() == parent:
            is_opening.set()
            may_go_on.wait()
        return open_outbox(url, **how)

    monkeypatch.setattr(keeping, "open_outbox", open_slowly)
    opener = threading.Thread(target=relay.track, args=(LEAD,))
    opener.start()
    is_opening.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # ends the child that hangs
        tracked = relay.track(Event(event_name="Lead", event_id="lead-2", user_data=PERSON))
        os._exit(0 if tracked.state == "accepted" else 1)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    may_go_on.set()
    opener.join()
    assert ended == 0, "the child hung"
    assert sorted(events_of(relay)) == ["lead-1", "lead-2"]
    relay.close()


def test_a_child_tracks_though_a_thread_of_its_parent_was_just_waking_the_worker(environ, monkeypatch):
    """The child's outbox still calls the worker that its parent's threads run, and the lock inside came locked."""
    wakes, may_go_on = threading.Event(), threading.Event()

    class Condition(threading.Condition):
        def notify(self, n: int = 1) -> None:  # whoever calls it holds the lock
            if threading.current_thread().name == "wakes":
                wakes.set()
                may_go_on.wait()
            super().notify(n)

    monkeypatch.setattr(delivery_worker, "threading", SimpleNamespace(**{**vars(threading), "Condition": Condition}))
    relay, woken = Relay.from_env(environ), []
    monkeypatch.setattr(relay.outbox, "on_put", woken.append)
    relay.start_delivery()
    (wake,) = woken
    threading.Thread(target=wake, name="wakes").start()
    wakes.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # ends the child that hangs
        wake()
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    may_go_on.set()
    relay.close()
    assert ended == 0, "the child hung"


def test_an_event_is_kept_though_no_thread_can_be_had_to_deliver_it_and_the_next_one_tries_again(environ, caplog):
    relay, wakers = Relay.from_env({**environ, "META_GRAPH_URL": "http://127.0.0.1:9"}), []
    relay.outbox.on_put = wakers.append
    with no_more_threads("delivery"):
        relay.start_delivery()
        for n in range(3):
            assert relay.track(Event(event_name="Lead", event_id=f"lead-{n}", user_data=PERSON)).is_durable
    assert len(wakers) == 1, "each try made another worker, which the outbox held for ever"
    assert caplog.messages.count("Nobody delivers here yet; the next event tries again") == 1
    relay.track(Event(event_name="Lead", event_id="lead-3", user_data=PERSON))
    until(lambda: [one for one in threading.enumerate() if one.name == "delivery-dispatcher"])
    relay.close()


def test_what_a_child_sends_after_a_fork_goes_over_its_own_connections(environ):
    peers: list[tuple[str, int]] = []

    def answer(connection):
        peers.append(connection.getpeername())
        while True:
            read_request(connection)
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{"events_received": 1}')

    with serving(answer) as url:
        relay = Relay.from_env({**environ, "META_GRAPH_URL": url})
        assert relay.send([relay.seal(LEAD)])[0].accepted
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # ends the child that hangs
            os._exit(0 if relay.send([relay.seal(LEAD)])[0].accepted else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert relay.send([relay.seal(LEAD)])[0].accepted
        relay.close()
    assert len(peers) == 2, "one connection of the parent, which is kept, and one of the child"


def test_parent_and_child_of_a_fork_never_give_one_id_twice(environ):
    relay = Relay.from_env(environ)
    event = Event(event_name="Lead", user_data=PERSON)
    relay.seal(event)  # some random numbers are drawn by now
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, "".join(relay.seal(event).event_id[-12:] for _ in range(5)).encode())
        os._exit(0)
    ours = {relay.seal(event).event_id[-12:] for _ in range(5)}
    os.waitpid(child, 0)
    theirs = os.read(read, 1_000).decode()
    assert not ours & {theirs[i : i + 12] for i in range(0, 60, 12)} and len(theirs) == 60


def test_at_the_end_of_the_program_one_that_cannot_be_closed_keeps_no_other_from_it(environ, monkeypatch):
    relays = [Relay.from_env(environ) for _ in range(3)]
    closed = []

    def close(relay: Relay) -> None:
        closed.append(relay)
        if len(closed) == 2:
            raise OSError("No space left on device")

    monkeypatch.setattr(Relay, "close", close)
    with pytest.raises(OSError, match="space"):
        relay_module._close_all()
    assert set(relays) <= set(closed)


def test_an_outbox_that_is_opened_while_another_thread_closes_the_relay_is_closed_too(environ, monkeypatch):
    """Or its file stays in use until the program ends, and `migrate` is refused."""
    relay = Relay.from_env(environ)
    opened = []

    def closed_meanwhile(url, **how):
        opened.append(open_outbox(url, **how))
        relay.close()
        return opened[0]

    monkeypatch.setattr(keeping, "open_outbox", closed_meanwhile)
    with pytest.raises(OutboxUnavailable, match="closed"):
        relay.track(LEAD)
    with pytest.raises(OutboxUnavailable):
        opened[0].counts()


def test_who_begins_to_deliver_while_another_thread_closes_the_relay_stops(environ, monkeypatch):
    relay, before = Relay.from_env(environ), set(threading.enumerate())

    class ClosedMeanwhile(background.Background):
        def __init__(self, *given, **named):
            super().__init__(*given, **named)
            relay.close()

    monkeypatch.setattr(background, "Background", ClosedMeanwhile)
    relay.start_delivery()
    until(lambda: set(threading.enumerate()) <= before, 10)
