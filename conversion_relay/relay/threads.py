"""Work that waits, asked for by an event loop: it is done in another thread."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from conversion_relay.errors import OutboxUnavailable

if TYPE_CHECKING:
    # A program without an event loop must not pay for asyncio.
    import asyncio

P = ParamSpec("P")
R = TypeVar("R")
_NO_THREAD = "can't start new thread"
"""How CPython says that the system gives no more of them; it has no exception of its own for it."""
SHORT_OF_THREADS = "no thread can be started: raise this process's limit of processes or of memory, or end others"

OTHER_LOOP = (
    "track_async is awaited in an event loop of asyncio, and none runs here; nothing was kept: call track, in a "
    "thread where another library's loop runs (trio.to_thread.run_sync(relay.track, event))"
)


def is_short_of_threads(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and str(error) == _NO_THREAD


def loop_of_asyncio() -> "asyncio.AbstractEventLoop":
    """The loop that runs. Asked before an event is kept: another library's loop (trio's) cannot await the commit, so
    the event would be kept and its caller would hear an error. Raises RuntimeError."""
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(OTHER_LOOP) from None


async def in_thread(work: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """`asyncio.to_thread`, for whose callers a machine that is short of threads is what a full disk is: raises
    OutboxUnavailable. The work was queued all the same and may be done later, so it must be repeatable."""
    import asyncio

    try:
        return await asyncio.to_thread(work, *arguments, **named)
    except RuntimeError as error:
        if not is_short_of_threads(error):
            raise
        raise OutboxUnavailable(SHORT_OF_THREADS) from None
