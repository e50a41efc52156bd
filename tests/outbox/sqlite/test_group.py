"""Jobs share a transaction; one that fails, fails alone, unless the file is what is wrong."""

import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import apsw
import pytest

from conversion_relay.errors import LeaseLost, OutboxUnavailable
from conversion_relay.outbox.sqlite.database import Database
from conversion_relay.outbox.sqlite.write_lock import REST_SECONDS
from tests.outbox.sqlite.files import or_none
from tests.outbox.sqlite.jobs import NAMES, PATIENCE, add, add_and_fail, answer, in_one_group, lose, named
from tests.processes import until


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("conversion_relay.outbox.sqlite.writer.REOPEN_EVERY", 0.01)


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


def test_the_log_is_copied_after_the_answers_and_does_not_grow(database, monkeypatch):
    monkeypatch.setattr("conversion_relay.outbox.sqlite.group.LOG_PAGES", 20)
    database.submit(add("first")).result(PATIENCE)
    log = database.path.with_name(database.path.name + "-wal")
    for n in range(60):
        may_go_on: threading.Event = threading.Event()
        seen: queue.SimpleQueue[int] = queue.SimpleQueue()
        database.submit(lambda _, go_on=may_go_on: go_on.wait(PATIENCE))
        told = database.submit(add(f"{n:03}" + "x" * 4_000))
        told.add_done_callback(lambda _, seen=seen: seen.put(not_copied(database)))
        may_go_on.set()
        assert seen.get(timeout=PATIENCE) > 0, "a caller waited for the copying"
    assert log.stat().st_size < 60 * 4_200, "what was copied makes room for what comes"


def test_the_log_does_not_grow_where_every_caller_commits_by_itself(database, monkeypatch):
    """On a quiet site no two come at once: then nothing else wakes the thread that copies."""
    monkeypatch.setattr("conversion_relay.outbox.sqlite.group.LOG_PAGES", 20)
    log = database.path.with_name(database.path.name + "-wal")

    def put(n: int) -> None:
        time.sleep(2 * REST_SECONDS)
        database.carry_out(add(f"{n:03}" + "x" * 4_000))

    with ThreadPoolExecutor(1) as caller:
        list(caller.map(put, range(60)))
    assert log.stat().st_size < 1_000_000, "what was copied makes room for what comes"


def not_copied(database: Database) -> int:
    """Frames of the log; called in the writing thread."""
    ((_, frames, copied),) = database.writer.execute("PRAGMA wal_checkpoint(NOOP)").fetchall()
    return frames - copied
