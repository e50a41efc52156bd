"""Processes that are forked while an outbox is open, and what they do there."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from tests.outbox.sqlite.files import rows
from tests.outbox.suite import NOW, sealed


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
    for name in names:
        assert outbox.put([sealed(name)], NOW)[0].duplicate is False


def ids(path: Path) -> set[str]:
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    return {name for (name,) in rows(path, "SELECT event_id FROM event")}
