"""The exceptions of this package: a caller's mistake, or something that only the caller can decide about.

What Meta answers, what the network does and what the door refuses are values, never exceptions.

RelayError
├── InvalidEvent        the event cannot be sent; carries the field, the rule and the remedy
├── SettingsError       a setting is missing or malformed; names the variable, never its value
├── SignatureError      a webhook is not from who it says; carries a reason safe to log
├── LeaseLost           the lease ran out and another worker has these events; nothing was settled
└── OutboxUnavailable   nothing was made durable: answer 503 and let the sender try again
    └── UnsupportedByOutbox   this kind of outbox has no such verb: answer 501, trying again does not help
"""

import errno
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")
CO_COROUTINE = 0x80  # as of `inspect`, whose import would be felt at a cold start


class RelayError(Exception):
    """Any error this package raises on purpose. Each can be pickled: one that a job of a process pool raises goes back
    to who asked, and a pool that cannot read it hangs or breaks."""


class InvalidEvent(RelayError):
    """The event cannot be accepted as it is; `reason`, `field` and `message` as in `event.Rejection`."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.reason = reason
        self.field = field
        self.message = message

    def __reduce__(self) -> tuple[type["InvalidEvent"], tuple[str, str, str]]:
        return type(self), (self.reason, self.field, self.message)


class SettingsError(RelayError):
    """The process cannot start with these settings (exit code 78, EX_CONFIG)."""


class SignatureError(RelayError):
    """The webhook's signature does not fit its body, its time or our secret: answer 400 and do nothing."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field
        self.message = message

    def __reduce__(self) -> tuple[type["SignatureError"], tuple[str, str, str]]:
        return type(self), (self.reason, self.field, str(self))


class LeaseLost(RelayError):
    """The lease ran out and another worker has these events; nothing was settled. Claim anew."""


class OutboxUnavailable(RelayError):
    """The outbox could not commit (disk full, locked, closing). Nothing was stored: let the sender try again."""


class UnsupportedByOutbox(OutboxUnavailable):
    """This kind of outbox cannot do it; the message says what to do instead."""


TOO_FEW_FILES = "this process may open no more files: raise its limit (`ulimit -n`, LimitNOFILE= of its unit)"


def is_short_of_files(error: OSError) -> bool:
    """Whether the limit of this process or of the machine is reached, whatever it was about to open."""
    return error.errno in (errno.EMFILE, errno.ENFILE)


def leaves_no_variables(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """For a function in which a person or a token is in clear. Whatever it raises keeps its kind, its text and the
    lines of its traceback; the variables stay behind.

    Reports of errors (Sentry and the like) show the variables of each frame, and send them off the machine. That a
    mistake of ours, a time limit of Celery or a full memory may end any line is no reason to send the visitor along."""

    if getattr(call, "__code__", None) and call.__code__.co_flags & CO_COROUTINE:

        @wraps(call)
        async def awaited(*args: _P.args, **kwargs: _P.kwargs) -> Any:
            handled = sys.exception()
            try:
                return await call(*args, **kwargs)  # type: ignore[misc]
            except BaseException as error:
                args, kwargs = (), {}  # type: ignore[assignment]  # this frame runs, so it cannot be cleared
                without_variables(error, handled)
                del handled
                raise

        return awaited  # type: ignore[return-value]

    @wraps(call)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        handled = sys.exception()
        try:
            return call(*args, **kwargs)
        except BaseException as error:
            args, kwargs = (), {}  # type: ignore[assignment]  # this frame runs, so it cannot be cleared
            without_variables(error, handled)
            del handled
            raise

    return called


def without_variables(error: BaseException, handled: BaseException | None = None) -> None:
    """Empties the frames that have ended: that of who caught the error and those below, also in the errors behind it.
    `handled`: what the caller was handling when we were called. That error and those behind it are the caller's own,
    even where it passed a middleware of ours on its way."""
    waiting: list[BaseException | None] = [error]
    seen = {id(handled)}
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += (one.__cause__, one.__context__)
        trace = one.__traceback__
        while trace is not None:
            with suppress(RuntimeError):  # it still runs
                trace.tb_frame.clear()
            trace = trace.tb_next
