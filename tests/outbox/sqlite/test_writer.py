"""The writing thread: every future is answered, a failing job fails alone, and no trouble ends the thread."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import apsw
import pytest

from conversion_relay.errors import LeaseLost, OutboxUnavailable
from conversion_relay.outbox.sqlite.database import Database
from conversion_relay.outbox.sqlite.file import Damaged
from tests.outbox.sqlite.files import or_none, rows
from tests.processes import until

PATIENCE = 20
"""Seconds after which an answer will never come."""
NAMES = "SELECT name FROM dataset ORDER BY name"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("conversion_relay.outbox.sqlite.writer.REOPEN_EVERY", 0.01)


@pytest.fixture
def database(path):
    database = Database(path)
    yield database
    database.close()


def add(name: str) -> Callable[[apsw.Connection], str]:
    def work(db: apsw.Connection) -> str:
        db.execute("INSERT INTO dataset (name) VALUES (?)", (name,))
        return name

    return work


def add_and_fail(name: str, error: BaseException) -> Callable[[apsw.Connection], None]:
    def work(db: apsw.Connection) -> None:
        db.execute("INSERT INTO dataset (name) VALUES (?)", (name,))
        raise error

    return work


def lose(_: apsw.Connection) -> None:
    raise LeaseLost("somebody else has it")


def in_one_group(database: Database, *jobs: Callable[[apsw.Connection], Any]) -> "list[Future[Any]]":
    """Handed in while the thread is busy, so that they share a transaction."""
    is_busy, may_go_on = threading.Event(), threading.Event()

    def block(_: apsw.Connection) -> None:
        is_busy.set()
        assert may_go_on.wait(PATIENCE)

    blocked = database.submit(block)
    assert is_busy.wait(PATIENCE)
    futures = [database.submit(job) for job in jobs]
    may_go_on.set()
    blocked.result(PATIENCE)
    return futures


def answer(future: "Future[Any]") -> Any:
    """The result, or the exception."""
    error = future.exception(PATIENCE)
    return future.result() if error is None else error


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

        monkeypatch.setattr(queue, "SimpleQueue", Slow)
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


ITS_OWN = [
    TypeError("a bug"),
    ValueError("a mistake"),
    KeyError("k"),
    RecursionError(),
    MemoryError(),
    ZeroDivisionError(),
    OSError("not of this file"),
    OutboxUnavailable("said by the job itself"),
    apsw.ConstraintError("UNIQUE"),
    apsw.MismatchError("datatype"),
    apsw.TooBigError("string or blob too big"),
    apsw.RangeError("column index out of range"),
    apsw.BindingsError("incorrect number of bindings"),
    apsw.MisuseError("bad parameter"),
]
OF_THE_FILE = [
    apsw.IOError("disk I/O error"),
    apsw.CorruptError("malformed"),
    apsw.NotADBError("file is not a database"),
    apsw.ReadOnlyError("attempt to write a readonly database"),
    apsw.CantOpenError("unable to open database file"),
    apsw.PermissionsError("access permission denied"),
    apsw.ProtocolError("locking protocol"),
    apsw.SQLError("no such table: event"),
    apsw.NoMemError("out of memory"),
]


def named(error: Exception) -> str:
    return type(error).__name__


class TestAJobThatFails:
    @pytest.mark.parametrize("error", ITS_OWN, ids=named)
    def test_fails_alone_with_its_own_exception_and_its_writes_are_taken_back(self, database, error):
        before = database.writer
        futures = in_one_group(database, add("a"), add_and_fail("half", error), add("b"))
        assert [answer(future) for future in futures] == ["a", error, "b"]
        assert database.read(NAMES) == [("a",), ("b",)]
        assert database.writer is before, "the file was opened anew"

    @pytest.mark.parametrize("error", OF_THE_FILE, ids=named)
    def test_for_a_reason_of_the_file_takes_the_group_with_it_and_the_file_is_opened_anew(self, database, error):
        before = database.writer
        futures = in_one_group(database, add("a"), add_and_fail("half", error), add("b"))
        assert all(isinstance(answer(future), OutboxUnavailable) for future in futures)
        assert until(lambda: or_none(lambda: database.submit(add("c")).result(PATIENCE))) == "c"
        assert database.read(NAMES) == [("c",)]
        assert database.writer is not before

    def test_a_real_constraint_of_the_schema_is_the_jobs_own(self, database):
        futures = in_one_group(database, add("a"), add("a"), add("b"))
        assert [type(answer(future)) for future in futures] == [str, apsw.ConstraintError, str]
        assert database.read(NAMES) == [("a",), ("b",)]

    def test_many_that_fail_leave_the_others_one_commit(self, database):
        commits: list[int] = []
        database.writer.set_commit_hook(lambda: bool(commits.append(1)))
        jobs = [add_and_fail(f"x{n}", ValueError(n)) if n % 3 else add(f"{n:03}") for n in range(300)]
        futures = in_one_group(database, *jobs)
        found = [answer(future) for future in futures]
        assert [name for name in found if isinstance(name, str)] == [f"{n:03}" for n in range(0, 300, 3)]
        assert all(isinstance(error, ValueError) and error.args == (n,) for n, error in enumerate(found) if n % 3)
        assert len(commits) == 2, "the job that kept the thread busy, and the group"

    def test_a_group_in_which_all_fail_is_answered_too(self, database):
        errors = [ValueError(n) for n in range(5)]
        futures = in_one_group(database, *(add_and_fail("x", error) for error in errors))
        assert [answer(future) for future in futures] == errors
        assert database.read(NAMES) == []

    def test_a_lost_lease_beside_a_failing_job_and_a_good_one(self, database):
        futures = in_one_group(database, lose, add_and_fail("x", ValueError("y")), add("a"), lose)
        assert [type(answer(future)) for future in futures] == [LeaseLost, ValueError, str, LeaseLost]
        assert database.read(NAMES) == [("a",)]

    def test_one_that_fails_only_the_first_time_is_done_the_second_time(self, database):
        first = iter([True])

        def work(db: apsw.Connection) -> str:
            if next(first, False):
                raise ValueError
            return add("a")(db)

        assert [answer(future) for future in in_one_group(database, work, add("b"))] == ["a", "b"]

    def test_a_file_that_turns_bad_in_the_second_run_is_the_files_trouble(self, database):
        calls = iter([None, apsw.IOError("disk I/O error")])

        def work(db: apsw.Connection) -> None:
            if error := next(calls):
                raise error

        futures = in_one_group(database, work, add_and_fail("x", ValueError("y")), add("a"))
        assert all(isinstance(answer(future), ValueError | OutboxUnavailable) for future in futures)
        assert isinstance(answer(futures[2]), OutboxUnavailable)
        assert until(lambda: or_none(lambda: database.submit(add("c")).result(PATIENCE))) == "c"
        assert database.read(NAMES) == [("c",)]


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
