"""The writing thread: every future is answered, and no trouble ends the thread."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import apsw
import pytest

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.sqlite import writer
from conversion_relay.outbox.sqlite.database import Database
from conversion_relay.outbox.sqlite.file import Damaged
from tests.one_module import replace_in
from tests.outbox.sqlite.files import or_none, rows
from tests.outbox.sqlite.jobs import NAMES, PATIENCE, add, add_and_fail, answer, in_one_group, named
from tests.processes import until


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("conversion_relay.outbox.sqlite.writer.REOPEN_EVERY", 0.01)


class TestEveryFutureIsAnswered:
    def test_also_when_the_outbox_is_closed_between_the_look_and_the_put(self, path, monkeypatch):
        closing: list[threading.Thread] = []

        class Slow(queue.SimpleQueue):  # type: ignore[type-arg]
            def put(self, item: Any, *more: Any) -> None:
                if armed and not closing:
                    closing.append(threading.Thread(target=database.close))
                    closing[0].start()
                    closing[0].join(0.5)  # all the time that closing needs, if it is let in here
                super().put(item, *more)

        replace_in(writer, "queue", monkeypatch, SimpleQueue=Slow)
        armed: list[bool] = []
        database = Database(path)
        armed.append(True)
        future = database.submit(add("late"))
        assert answer(future) == "late" or isinstance(answer(future), OutboxUnavailable)
        closing[0].join(PATIENCE)
        assert not closing[0].is_alive()
        stored = [("late",)] if future.exception() is None else []
        assert rows(path, NAMES) == stored, "what was answered is what is stored"

    def test_also_when_many_threads_submit_while_it_is_closed(self, path):
        for turn in range(5):
            database = Database(path)
            start = threading.Barrier(9)
            futures: list[Future[Any]] = []

            def submit(first: int, database: Database = database, start: threading.Barrier = start) -> None:
                start.wait(PATIENCE)
                futures.extend([database.submit(add(f"{turn}-{first}-{n}")) for n in range(50)])  # noqa: B023

            threads = [threading.Thread(target=submit, args=(n,)) for n in range(8)]
            [thread.start() for thread in threads]
            start.wait(PATIENCE)
            assert database.close() is True
            [thread.join() for thread in threads]
            stored = {name for (name,) in rows(path, NAMES)}
            for future in futures:
                found = answer(future)
                assert found in stored or isinstance(found, OutboxUnavailable)
            assert len(futures) == 400

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_also_when_the_thread_itself_ends(self, database):
        def end(_: apsw.Connection) -> None:
            raise SystemExit

        futures = in_one_group(database, add("before"), end, add("after"))
        for future in (*futures, database.submit(add("later"))):
            with pytest.raises(OutboxUnavailable, match=r"ended|again"):
                future.result(PATIENCE)
        with pytest.raises(OutboxUnavailable):
            database.submit(add("much later")).result(PATIENCE)
        assert database.close() is True

    def test_what_was_submitted_before_closing_is_committed(self, path):
        database = Database(path)
        futures = in_one_group(database, *(add(f"{n:04}") for n in range(1_500)))
        assert database.close() is True
        assert database.close() is False
        assert [future.result(0) for future in futures] == [name for (name,) in rows(path, NAMES)]
        with pytest.raises(OutboxUnavailable, match="closed"):
            database.submit(add("late")).result(PATIENCE)
        with pytest.raises(OutboxUnavailable, match="closed"):
            database.read(NAMES)

    def test_closing_does_not_wait_for_a_file_that_cannot_be_used(self, path, monkeypatch):
        database = Database(path)
        monkeypatch.setattr("conversion_relay.outbox.sqlite.connections.open_file", _raise(apsw.CantOpenError("gone")))
        assert isinstance(answer(database.submit(add_and_fail("a", apsw.IOError("disk")))), OutboxUnavailable)
        closing = threading.Thread(target=database.close)
        closing.start()
        closing.join(PATIENCE)
        assert not closing.is_alive()

    def test_a_job_that_was_cancelled_in_time_is_not_carried_out(self, database):
        is_busy, may_go_on = threading.Event(), threading.Event()
        database.submit(lambda _: (is_busy.set(), may_go_on.wait(PATIENCE)))
        assert is_busy.wait(PATIENCE)
        future = database.submit(add("a"))
        assert future.cancel()
        may_go_on.set()
        assert answer(database.submit(add("b"))) == "b"
        assert database.read(NAMES) == [("b",)]


def _raise(error: BaseException) -> Callable[..., Any]:
    def work(*_: Any, **__: Any) -> Any:
        raise error

    return work


class TestTrouble:
    @pytest.mark.parametrize(
        "error",
        [
            apsw.IOError("x"),
            apsw.CantOpenError("x"),
            apsw.SQLError("x"),
            RuntimeError("x"),
            KeyError("x"),
            OSError(5, "EIO"),
        ],
        ids=named,
    )
    @pytest.mark.parametrize("place", ["open_file", "Identity", "finish_salvage"])
    def test_an_error_while_the_file_is_opened_again_does_not_end_the_thread(self, database, monkeypatch, place, error):
        planted = f"conversion_relay.outbox.sqlite.connections.{place}"
        met = threading.Event()

        def fail(*_: Any, **__: Any) -> Any:
            met.set()
            raise error

        with monkeypatch.context() as bad:
            bad.setattr(planted, fail)
            assert isinstance(answer(database.submit(add_and_fail("a", apsw.IOError("disk")))), OutboxUnavailable)
            assert met.wait(PATIENCE)
            told = answer(database.submit(add("b")))
            assert isinstance(told, OutboxUnavailable) and str(told), "callers hear what the trouble is"
            with pytest.raises(OutboxUnavailable):
                database.read(NAMES) and database.probe()
        assert until(lambda: or_none(lambda: database.submit(add("c")).result(PATIENCE))) == "c"
        assert database.read(NAMES) == [("c",)]

    def test_what_is_damaged_and_cannot_be_salvaged_is_told_and_tried_again(self, path, database, monkeypatch):
        with monkeypatch.context() as bad:
            bad.setattr("conversion_relay.outbox.sqlite.connections.salvage", _raise(apsw.FullError("full")))
            bad.setattr("conversion_relay.outbox.sqlite.connections.open_file", _raise(Damaged("planted")))
            assert isinstance(answer(database.submit(add_and_fail("a", apsw.CorruptError("x")))), OutboxUnavailable)
            until(lambda: "cannot be saved" in str(answer(database.submit(add("b")))))
        assert until(lambda: or_none(lambda: database.submit(add("c")).result(PATIENCE))) == "c"
        assert rows(path, NAMES) == [("c",)]
