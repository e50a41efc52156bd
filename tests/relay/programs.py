"""Programs that use a Relay and fork, spawn, end or are interrupted; `python -m tests.relay.programs NAME` runs one.

Each runs in a process of its own, so that a hang is a timeout of the test. Settings come from the environment."""

import multiprocessing
import os
import signal
import sys
import threading
import types
from pathlib import Path

from conversion_relay import Event, Relay, UserData

CHILDREN, EACH = 3, 20
WAITS = ("outbox/answer.py", "sqlite/writer.py", "sqlite/database.py", "futures/_base.py", "/threading.py")
"""Files with a lock, or with a wait for another thread."""


def track(relay: Relay, who: str, n: int = EACH) -> None:
    for number in range(n):
        relay.track(Event(event_name="Lead", event_id=f"{who}-{number}", user_data=UserData(email="jane@shop.example")))


def track_in_a_spawned_process(who: str) -> None:
    with Relay.from_env(deliver=True) as relay:
        track(relay, who)


def forks_while_it_delivers() -> None:
    """As gunicorn --preload and Celery's prefork do: made in the parent, used in each child."""
    relay = Relay.from_env(deliver=True)
    track(relay, "parent")
    children = []
    for n in range(CHILDREN):
        if (child := os.fork()) == 0:
            signal.alarm(60)  # ends the child that hangs
            track(relay, f"child{n}")
            os._exit(0)  # no end in good order: what was tracked is durable all the same
        children.append(child)
    track(relay, "again")
    for child in children:
        assert os.waitpid(child, 0)[1] == 0


def forks_and_only_the_child_goes_on() -> None:
    """A daemon: the parent is gone, so the child's own worker must deliver."""
    relay = Relay.from_env(deliver=True)
    if os.fork() > 0:
        os._exit(0)
    signal.alarm(60)
    track(relay, "daemon")
    print(os.getpid(), flush=True)  # by now everything is tracked
    sys.stdin.read()


def multiprocessing_both_ways() -> None:
    relay = Relay.from_env(deliver=True)
    track(relay, "parent")
    forked = multiprocessing.get_context("fork").Process(target=track, args=(relay, "forked"))
    spawned = multiprocessing.get_context("spawn").Process(target=track_in_a_spawned_process, args=("spawned",))
    for process in (forked, spawned):
        process.start()
    for process in (forked, spawned):
        process.join()
        assert process.exitcode == 0


def a_signal_handler_tracks() -> None:
    """In the middle of whatever the program's own track is doing."""
    relay, handled = Relay.from_env(), []
    jane = UserData(email="jane@shop.example")

    def handle(*_: object) -> None:
        handled.append(relay.track(Event(event_name="Lead", event_id=f"signal-{len(handled)}", user_data=jane)))

    relay.track(Event(event_name="Lead", event_id="first", user_data=jane))
    signal.signal(signal.SIGALRM, handle)
    for n in range(EACH):
        signal.setitimer(signal.ITIMER_REAL, 0.0001 * (1 + n % 7))
        relay.track(Event(event_name="Lead", event_id=f"main-{n}", user_data=jane))
        while len(handled) <= n:
            threading.Event().wait(0.001)
    assert {one.status for one in handled} == {"accepted"}


def a_signal_handler_tracks_between_any_two_lines() -> None:
    """Of what `track` does in this thread, once at each line. The interpreter runs a handler between two steps, so that
    the thread of the handler may hold whatever the line before has taken."""
    relay, seen, is_handling = Relay.from_env(), set(), False
    jane = UserData(email="jane@shop.example")

    def at_a_line(frame: types.FrameType, event: str, _: object) -> object:
        nonlocal is_handling
        line = frame.f_code.co_filename, frame.f_lineno
        if event == "line" and not is_handling and line not in seen:
            seen.add(line)
            is_handling = True
            relay.track(Event(event_name="Lead", event_id=f"line-{len(seen)}", user_data=jane))
            is_handling = False
        return at_a_line

    relay.track(Event(event_name="Lead", event_id="first", user_data=jane))
    before = 0
    while not seen or len(seen) > before:
        before = len(seen)
        sys.settrace(lambda frame, *_: at_a_line if frame.f_code.co_filename.endswith(WAITS) else None)
        relay.track(Event(event_name="Lead", event_id=f"main-{before}", user_data=jane))
        sys.settrace(None)
    print(len(seen))


def ends_while_it_delivers() -> None:
    """No close: the end of the interpreter is enough."""
    relay = Relay.from_env(deliver=True)
    threads = [threading.Thread(target=track, args=(relay, f"thread{n}")) for n in range(CHILDREN)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def tracks_one_after_the_other() -> None:
    with Relay.from_env(deliver=True) as relay:
        track(relay, "one", 5 * EACH)


def goes_elsewhere_and_forks() -> None:
    """As a daemon does: RELAY_OUTBOX is relative, and the folder changes before and after the first event."""
    relay = Relay.from_env()
    Path("elsewhere").mkdir()
    os.chdir("elsewhere")
    track(relay, "parent")
    os.chdir("/")
    if (child := os.fork()) == 0:
        signal.alarm(60)
        track(relay, "child")
        os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
