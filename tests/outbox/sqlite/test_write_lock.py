"""A caller that has to wait anyway commits by itself, and nobody waits for itself."""

import ctypes
import threading
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import apsw
import pytest

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.sqlite import write_lock
from conversion_relay.outbox.sqlite.database import Database
from conversion_relay.outbox.sqlite.write_lock import REST_SECONDS, WriteLock
from tests.outbox.sqlite.files import rows
from tests.outbox.sqlite.jobs import NAMES, PATIENCE, add, add_and_fail
from tests.processes import until


def in_a_thread(work: Callable[[], Any]) -> Any:
    """What it returns; raises what it raises. A thread that never ends fails the test."""
    told: list[Any] = []

    def run() -> None:
        try:
            told.append((work(), None))
        except BaseException as error:
            told.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert told, "it waits for ever"
    result, error = told[0]
    if error is not None:
        raise error
    return result


def who_writes(_: apsw.Connection) -> int:
    return threading.get_ident()


class TestWhoWrites:
    def test_a_request_of_a_thread_is_written_by_that_thread(self, database):
        """Each hand-over to another thread is a wait for a processor and for the interpreter."""
        me, wrote = in_a_thread(lambda: (threading.get_ident(), database.carry_out(who_writes)))
        assert wrote == me

    def test_a_signal_handlers_thread_never_writes_by_itself(self, database):
        """Here: the main one. A handler that came in between would wait for what its own thread holds."""
        assert database.carry_out(who_writes) != threading.get_ident()

    def test_who_comes_meanwhile_shares_one_transaction(self, database):
        is_busy, may_go_on = threading.Event(), threading.Event()

        def hold(_: apsw.Connection) -> None:
            is_busy.set()
            assert may_go_on.wait(PATIENCE)

        jobs = [hold, *(add(f"{n}") for n in range(5))]
        threads = [threading.Thread(target=database.carry_out, args=(job,)) for job in jobs]
        commits: list[int] = []
        database.writer.set_commit_hook(lambda: commits.append(1) or False)
        threads[0].start()
        assert is_busy.wait(PATIENCE)
        [thread.start() for thread in threads[1:]]
        until(lambda: database._writer._queue.qsize() == 4)  # one is with the writing thread, which waits
        may_go_on.set()
        [thread.join(PATIENCE) for thread in threads]
        database.writer.set_commit_hook(None)
        assert len(database.read(NAMES)) == 5
        assert len(commits) == 2, "one for who was first, one for all others"

    def test_nobody_passes_by_what_waits(self, monkeypatch):
        monkeypatch.setattr(write_lock, "time", SimpleNamespace(monotonic=iter(range(100)).__next__))
        lock, may_go_on = WriteLock(), threading.Event()

        def group() -> None:
            with lock:
                assert may_go_on.wait(PATIENCE)

        assert lock.take_if_free()
        waits = threading.Thread(target=group)
        waits.start()
        until(lambda: lock._has_next)
        lock.release()
        assert not lock.take_if_free(), "it is the other one's from here on, whether it runs already or not"
        may_go_on.set()
        waits.join(PATIENCE)
        assert lock.take_if_free()

    def test_who_keeps_event_after_event_leaves_room_for_other_processes(self, monkeypatch):
        """They look at SQLite's lock now and then: one that is free for a hundred microseconds they never find."""
        now = [0.0]
        monkeypatch.setattr(write_lock, "time", SimpleNamespace(monotonic=lambda: now[0]))
        lock = WriteLock()
        assert lock.take_if_free()
        lock.release()
        assert not lock.take_if_free()
        now[0] += REST_SECONDS
        assert lock.take_if_free()
        lock.release()
        now[0] += REST_SECONDS
        with lock:
            now[0] += 1
        assert not lock.take_if_free(), "after a group, too"

    def test_what_was_written_is_let_go(self, database):
        """It holds a request, and that a person; until the next one may come hours pass."""

        class Request:
            def write(self, db: apsw.Connection) -> str:
                return add("a")(db)

        request = Request()
        is_held = weakref.ref(request)
        database.submit(request.write).result(PATIENCE)
        del request
        until(lambda: is_held() is None)


class TestNobodyWaitsForItself:
    def test_what_a_finalizer_asks_for_in_the_middle_of_a_commit_is_refused_at_once(self, database):
        def work(_: apsw.Connection) -> Any:
            with pytest.raises(OutboxUnavailable, match="in the middle of keeping something else"):
                database.carry_out(add("of the finalizer"))
            return "goes on"

        assert in_a_thread(lambda: database.carry_out(work)) == "goes on"
        assert database.submit(work).result(PATIENCE) == "goes on", "in the writing thread too"

    def test_what_a_callback_of_an_answer_asks_for_does_not_end_the_writing(self, database):
        refused = threading.Event()

        def again(_: object) -> None:
            with pytest.raises(OutboxUnavailable):
                database.carry_out(add("within"))
            refused.set()

        database.submit(add("a"), then=(again,)).result(PATIENCE)
        assert refused.wait(PATIENCE)
        assert in_a_thread(lambda: database.carry_out(add("b"))) == "b"


class TestTrouble:
    def test_of_a_caller_that_writes_by_itself_is_mended_by_the_thread(self, database):
        with pytest.raises(OutboxUnavailable):
            in_a_thread(lambda: database.carry_out(add_and_fail("a", apsw.IOError("disk"))))
        until(lambda: _is_kept(database, "b"))
        assert database.read(NAMES) == [("b",)]

    def test_a_mistake_in_one_job_is_its_own(self, database):
        with pytest.raises(ZeroDivisionError):
            in_a_thread(lambda: database.carry_out(add_and_fail("a", ZeroDivisionError())))
        assert in_a_thread(lambda: database.carry_out(add("b"))) == "b"
        assert database.read(NAMES) == [("b",)]

    def test_what_is_raised_into_the_thread_from_outside_leaves_nothing_behind(self, database):
        """As a time limit for tasks does (https://docs.python.org/3/c-api/init.html#c.PyThreadState_SetAsyncExc)."""

        class OutOfTime(BaseException):
            """What the program that sets the limit raises."""

        def interrupted(db: apsw.Connection) -> None:
            add("half")(db)
            me, error = ctypes.c_ulong(threading.get_ident()), ctypes.py_object(OutOfTime)
            assert ctypes.pythonapi.PyThreadState_SetAsyncExc(me, error) == 1
            while True:  # the interpreter raises it here
                pass

        with pytest.raises(OutOfTime):
            in_a_thread(lambda: database.carry_out(interrupted))
        assert in_a_thread(lambda: database.carry_out(add("b"))) == "b", "not even one caller is refused"
        assert database.read(NAMES) == [("b",)]

    def test_closing_waits_for_who_writes_by_itself(self, path):
        database = Database(path)
        is_busy, may_go_on = threading.Event(), threading.Event()

        def work(db: apsw.Connection) -> str:
            is_busy.set()
            assert may_go_on.wait(PATIENCE)
            return add("a")(db)

        writes = threading.Thread(target=database.carry_out, args=(work,))
        writes.start()
        assert is_busy.wait(PATIENCE)
        closes = threading.Thread(target=database.close)
        closes.start()
        until(lambda: database._writer.is_closed)
        may_go_on.set()
        writes.join(PATIENCE)
        closes.join(PATIENCE)
        assert not closes.is_alive()
        assert rows(path, NAMES) == [("a",)]


def _is_kept(database: Database, name: str) -> bool:
    try:
        return bool(in_a_thread(lambda: database.carry_out(add(name))))
    except OutboxUnavailable:
        return False
