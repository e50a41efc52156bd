"""Processes that share a file write in turn: who has just committed comes after who waits."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from conversion_relay.outbox.sqlite import one_at_a_time
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from tests.outbox.suite import NOW, sealed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def other(path, thread) -> Iterator[apsw.Connection]:
    """A process that writes, and goes on doing so until it commits."""
    SqliteOutbox(str(path)).close()
    db = apsw.Connection(str(path))
    db.execute("BEGIN IMMEDIATE")
    yield db
    db.close()


def opened(path: Path) -> "contextlib.closing[SqliteOutbox]":
    return contextlib.closing(SqliteOutbox(str(path)))


def is_taken(path: Path) -> bool:
    file = os.open(f"{path}-next", os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(file)


def until_somebody_is_next(path: Path) -> None:
    while not is_taken(path):
        time.sleep(0.001)


def order(path: Path) -> list[str]:
    db = apsw.Connection(str(path))
    found = [id_ for (id_,) in db.execute("SELECT event_id FROM event ORDER BY key")]
    db.close()
    return found


def test_who_waits_for_the_file_writes_before_who_comes_as_it_gets_free(path, thread):
    """By SQLite's own way the second would have it: it looks at once, the first sleeps between two looks."""
    with opened(path) as waits, opened(path) as comes:
        for n in range(5):
            db = apsw.Connection(str(path))
            db.execute("BEGIN IMMEDIATE")
            first = thread.submit(waits.put, [sealed(f"{n} waits")], NOW)
            until_somebody_is_next(path)
            db.execute("COMMIT")
            db.close()
            comes.put([sealed(f"{n} comes")], NOW)
            first.result()
    assert order(path) == [f"{n} {who}" for n in range(5) for who in ("waits", "comes")]


def test_who_opens_the_file_waits_in_the_same_order(path, thread, other):
    outbox = thread.submit(SqliteOutbox, str(path))
    until_somebody_is_next(path)
    other.execute("COMMIT")
    outbox.result().close()
    assert not is_taken(path)


@pytest.mark.parametrize("how", ["stopped while it was next", "the file is gone", "no file can be opened"])
def test_without_the_order_an_event_is_kept_all_the_same(path, thread, how, monkeypatch):
    monkeypatch.setattr(one_at_a_time, "STANDS_STILL", 0.05)
    with opened(path) as outbox:
        file = os.open(f"{path}-next", os.O_RDWR)
        if how == "stopped while it was next":
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            Path(f"{path}-next").unlink()
        if how == "no file can be opened":
            Path(f"{path}-next").mkdir()
        kept = thread.submit(outbox.put, [sealed("a")], NOW)
        try:
            kept.result(20)
        finally:
            os.close(file)
    assert order(path) == ["a"]
