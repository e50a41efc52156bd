"""Processes that are forked while an outbox is open, and what they do there."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conversion_relay.errors import OutboxUnavailable
from conversion_relay.event import Receipt
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from tests.outbox.sqlite.files import rows
from tests.outbox.suite import NOW, sealed
from tests.processes import until


def in_child(work: Callable[[], Any]) -> int:
    """The process id of a child that does this; it fails when `work` raises."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def ends_well(pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "the child failed"


def put(outbox: SqliteOutbox, *names: str) -> None:
    """As a careful client: on a busy machine another process may hold the file for longer than a put waits."""
    for name in names:
        assert until(lambda name=name: taken(outbox, name)) == [Receipt(name)]


def taken(outbox: SqliteOutbox, name: str) -> list[Receipt] | None:
    try:
        return outbox.put([sealed(name)], NOW)
    except OutboxUnavailable as error:
        if "locked by another process" not in str(error):
            raise
        return None


def ids(path: Path) -> set[str]:
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    return {name for (name,) in rows(path, "SELECT event_id FROM event")}
