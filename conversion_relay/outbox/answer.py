"""Waits for what another thread was given to do.

What could go wrong. `future.result()` waits at a condition of the future's. A signal handler may run in this thread
between any two steps, while the condition is held; it tracks an event of its own, and waits for the thread that writes.
That thread wants to answer the first future, and waits for its condition: nobody goes on, for ever.

The rule. Whoever waits holds nothing that the other thread needs. The answer is announced by a callback that is added
before the other thread knows of the future, through a queue whose waiting is one step of the interpreter's
(https://docs.python.org/3/library/queue.html#simplequeue-objects: its put is reentrant).
"""

import queue
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")
Then = Callable[[Future[Result]], object]
"""Called once the future is done."""


def answer_of(submit: Callable[[Then[Result]], Future[Result]]) -> Result:
    """`submit` adds what it is given to the future as a callback, and only then hands the work over. Raises what the
    future does."""
    done: queue.SimpleQueue[Future[Result]] = queue.SimpleQueue()
    submit(done.put)
    return done.get().result()
