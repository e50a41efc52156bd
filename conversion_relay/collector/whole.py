"""A request that is in hand as a whole is answered by a call, not by a task.

What could go wrong. ASGI has a request come in pieces: a coroutine waits for each, and a task, an event and two
messages surround it. For a body that arrived together with its head that costs more than to accept its event.

The rule. Our own server (`direct.py`) asks what a head says, hands over the body, and is called back with the answer:
at once, or on the loop after the commit. Everything that decides is the same code as behind ASGI: the door, the
endpoint, the reply. What takes more than a turn of the loop is done by the same coroutine as there, in a task.

Rejected: driving the coroutine by hand (it saves the task only, and what awaits the running task fails in it).
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from conversion_relay.collector.door import Admitted, Caller, Door, Handle
from conversion_relay.collector.reply import HttpError, Reply, header_pairs, internal
from conversion_relay.collector.unhandled import note_failure

Then = Callable[[Reply | Exception], None]
AtOnce = Callable[[Admitted, Then], bool]
"""Calls back, now or later. False: it needs more than one turn of the loop, and nothing was done."""
Answer = Callable[[int, bytes, bytes, bool], None]
"""Writes status, header lines and body; whether the connection ends with it."""


class Head(NamedTuple):
    """What a request's head says: the same bytes of the same peer say the same again."""

    origin: str | None
    caller: Caller | HttpError
    rules: object
    """Under which it says so."""


class Whole:
    """One route for requests that are here as a whole."""

    def __init__(self, door: Door, route: str, at_once: AtOnce, handle: Handle) -> None:
        self._door, self._route, self._at_once, self._handle = door, route, at_once, handle
        self._plain: tuple[object, dict[str | None, bytes]] = None, {}
        """Header lines of an answer that has nothing to add, by origin, and the rules that they are of."""
        self._tasks: set[asyncio.Task[None]] = set()

    def head(self, headers: Mapping[str, str], peer: str | None, scheme: str) -> Head:
        origin, rules = headers.get("origin"), self._door.rules
        try:
            return Head(origin, self._door.caller("POST", headers, peer, scheme), rules)
        except HttpError as error:
            return Head(origin, error.with_traceback(None), rules)

    def still_says(self, head: Head) -> bool:
        """Whether the rules are those of then: a key that was taken away opens nothing."""
        return head.rules is self._door.rules

    def take(self, head: Head, body: bytes, answer: Answer) -> None:
        """`answer` is called once, and nothing is raised."""
        then = partial(self._answer, answer, head.origin)
        if isinstance(head.caller, HttpError):
            return then(head.caller)
        try:
            admitted = self._door.admit(head.caller, body)
            if not self._at_once(admitted, then):
                task = asyncio.get_running_loop().create_task(self._in_turns(admitted, then))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except Exception as error:
            then(error)

    async def _in_turns(self, admitted: Admitted, then: Then) -> None:
        try:
            reply: Reply | Exception = await self._handle(admitted)
        except Exception as error:
            reply = error
        then(reply)

    def _answer(self, answer: Answer, origin: str | None, reply: Reply | Exception) -> None:
        if isinstance(reply, Exception) and not isinstance(reply, HttpError):
            note_failure(reply)
            reply = internal()
        written = self._door.say(self._route, reply)
        rules = self._door.rules
        if self._plain[0] is not rules:
            self._plain = rules, {known: self._lines(known, {}) for known in (None, *rules.by_origin)}
        if not written.headers and not written.cookies and (plain := self._plain[1].get(origin)):
            answer(written.status, plain, written.body, False)
        else:
            lines = self._lines(origin, written.headers, written.cookies)
            answer(written.status, lines, written.body, written.headers.get("connection") == "close")

    def _lines(self, origin: str | None, headers: Mapping[str, str], cookies: tuple[str, ...] = ()) -> bytes:
        pairs = header_pairs({**self._door.given(origin), **headers}, cookies)
        return b"".join(b"%s: %s\r\n" % (name, _UNSAFE.sub(b"", value)) for name, value in pairs)


# A line break would begin a header of its own. None of ours holds one; this is what keeps it so.
_UNSAFE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
