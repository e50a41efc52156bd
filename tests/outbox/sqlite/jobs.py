"""Jobs for the writing thread, and how to hand them in together."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import apsw

from conversion_relay.errors import LeaseLost
from conversion_relay.outbox.sqlite.database import Database

PATIENCE = 20
"""Seconds after which an answer will never come."""
NAMES = "SELECT name FROM dataset ORDER BY name"


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


def named(error: Exception) -> str:
    return type(error).__name__
