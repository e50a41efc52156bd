"""What no route caught: answered 500 and logged, without a word of what the client sent.

An exception's text may quote its input, and its traceback shows it; so the log gets the kind of the error and the place
in the code. A client that hung up is no error: nobody waits for the answer.
"""

import logging
import traceback
from typing import Any

from conversion_relay.collector.reply import internal, respond, written

logger = logging.getLogger("conversion_relay.server")


class Unhandled:
    """An ASGI application around another."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            cycle: Any = getattr(receive, "__self__", None)  # uvicorn's, with the connection under it
            if cycle is not None and (cycle.disconnected or cycle.transport.is_closing()):
                cycle.disconnected = True  # of several requests uvicorn tells the newest alone
                return
            note_failure(error)
            if getattr(cycle, "response_started", False):
                cycle.disconnected = True
                cycle.transport.abort()
            else:
                answer = written(internal())
                await respond(send, answer.status, answer.body, answer.headers, ())


def note_failure(error: BaseException) -> None:
    """One line with the kind of the error and the last place of ours that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "conversion_relay" in frame.filename] or frames
    where = f"{ours[-1].filename.rpartition('conversion_relay')[2]}:{ours[-1].lineno}" if ours else ""
    logger.error("A request failed", extra={"error": type(error).__name__, "where": where})
