"""A machine that gives a process no more threads: a limit of processes, as a container or a supervisor sets it."""

import contextlib
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def no_more_threads(*names: str) -> Iterator[None]:
    """Those whose name begins so; without names, none at all."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if not names or thread.name.startswith(names):
            raise RuntimeError("can't start new thread")  # as CPython says it when clone() fails
        start(thread)

    threading.Thread.start = refuse  # type: ignore[method-assign]
    try:
        yield
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]
