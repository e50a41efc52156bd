"""Programs that fork while the outbox is in the middle of something; to be run as `forking`."""

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.outbox.sqlite import fork
from conversion_relay.outbox.sqlite.database import Database
from tests.outbox.sqlite.children import ends_well, ids, in_child, put
from tests.outbox.sqlite.files import opened, or_none, rows
from tests.outbox.suite import NOW, sealed
from tests.processes import until


def forked_while_the_writer_is_busy(path: Path) -> None:
    outbox, database = opened(path), Database(path)
    ends, puts = threading.Event(), []

    def load() -> None:
        while not ends.is_set():
            puts.append(f"load-{len(puts)}")
            put(outbox, puts[-1])

    thread = threading.Thread(target=load)
    thread.start()
    for n in range(10):
        long = database.submit(lambda db: db.execute(_LONG).fetchall())
        ends_well(in_child(lambda n=n: put(outbox, f"child-{n}")))
        assert long.result(30)
    ends.set()
    thread.join(60)
    assert ids(path) == {*puts, *(f"child-{n}" for n in range(10))}
    assert outbox.counts()["1"].imbalance == 0
    outbox.close()
    database.close()


_LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT max(i) FROM n"


def forked_while_a_reader_reads(path: Path) -> None:
    outbox, ends = opened(path), threading.Event()
    put(outbox, "before")

    def load() -> None:
        while not ends.is_set():
            assert outbox.counts()["1"].accepted >= 1

    threads = [threading.Thread(target=load) for _ in range(3)]
    [thread.start() for thread in threads]
    for n in range(10):
        ends_well(in_child(lambda n=n: put(outbox, f"child-{n}")))
    ends.set()
    [thread.join(60) for thread in threads]
    assert len(ids(path)) == 11
    outbox.close()


def each_respects_the_others_lock(path: Path) -> None:
    """SQLite believes that a child holds its parent's locks; so it is not enough that nothing is reported."""
    database = Database(path)
    begun_read, begun_write = os.pipe()
    end_read, end_write = os.pipe()

    def hold(db: apsw.Connection) -> None:
        db.execute("INSERT INTO dataset (name) VALUES ('held')")
        os.write(begun_write, b"x")
        os.read(end_read, 1)

    def add(db: apsw.Connection) -> bool:
        return bool(db.execute("INSERT INTO dataset (name) VALUES ('parent') RETURNING id").fetchall())

    def child() -> None:
        database.submit(hold).result(30)

    pid = in_child(child)
    os.read(begun_read, 1)
    with pytest.raises(OutboxUnavailable, match="locked"):
        database.submit(add).result(30)
    os.write(end_write, b"x")
    ends_well(pid)
    until(lambda: or_none(lambda: database.submit(add).result(30)))
    assert rows(path, "SELECT name FROM dataset ORDER BY 1") == [("held",), ("parent",)]
    database.close()


def what_was_submitted_is_answered_before_the_fork(path: Path) -> None:
    outbox = opened(path)
    futures = [outbox.put_soon([sealed(str(n))], NOW) for n in range(300)]

    def child() -> None:
        assert all(future.done() for future in futures)

    ends_well(in_child(child))
    assert all(not future.result(30)[0].duplicate for future in futures)
    outbox.close()


def a_fork_that_cannot_wait_is_told_in_the_child(path: Path) -> None:
    fork.FORK_WAIT = 0.1
    outbox, database = opened(path), Database(path)
    goes_on = threading.Event()

    def hold(db: apsw.Connection) -> str:
        db.execute("INSERT INTO dataset (name) VALUES ('held')")
        goes_on.wait(60)
        return "kept"

    held = database.submit(hold)
    pid = os.fork()
    if pid == 0:
        with pytest.raises(OutboxUnavailable, match="forked"):
            database.probe()
        with pytest.raises(OutboxUnavailable, match="forked"):
            database.read("SELECT 1")
        database.close()
        sys.exit(0)  # the ordinary end of an interpreter, which frees what it can
    ends_well(pid)
    goes_on.set()
    assert held.result(30) == "kept"
    put(outbox, "after")
    assert ids(path) == {"after"} and rows(path, "SELECT name FROM dataset ORDER BY 1") == [("1",), ("held",)]
    outbox.close()
    database.close()


def forked_from_inside_the_writing_thread(path: Path) -> None:
    database, children = Database(path), []

    def child() -> None:
        with pytest.raises(OutboxUnavailable, match="forked"):
            database.probe()

    fork.FORK_WAIT = 60.0  # far more than a busy machine needs
    began = time.monotonic()
    database.submit(lambda _: None).add_done_callback(lambda _: children.append(in_child(child)))
    database.probe()
    assert time.monotonic() - began < fork.FORK_WAIT, "it waited for itself"
    ends_well(children[0])
    database.probe()
    database.close()


def two_threads_that_fork_at_once(path: Path) -> None:
    outboxes = [opened(path), opened(path.with_name("second.db"))]
    start = threading.Barrier(4)

    def work(first: int) -> None:
        start.wait(30)
        for n in range(5):
            ends_well(in_child(lambda n=n: put(outboxes[n % 2], f"child-{first}-{n}")))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert sum(outbox.counts()["1"].accepted for outbox in outboxes) == 20
    [outbox.close() for outbox in outboxes]


SCENARIOS: tuple[Callable[[Path], None], ...] = (
    forked_while_the_writer_is_busy,
    forked_while_a_reader_reads,
    each_respects_the_others_lock,
    what_was_submitted_is_answered_before_the_fork,
    a_fork_that_cannot_wait_is_told_in_the_child,
    forked_from_inside_the_writing_thread,
    two_threads_that_fork_at_once,
)

if __name__ == "__main__":
    {work.__name__: work for work in SCENARIOS}[sys.argv[1]](Path(sys.argv[2]))
