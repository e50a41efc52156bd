"""The way past ASGI, for requests whose head and body arrived together.

What could go wrong. Two ways to read a request must never disagree where one ends: whoever found a place where they do
could hide a request in another one's body. And an answer must reach its own request.

The rules.
1. *The parser decides.* A request goes this way (`whole.py`) only after the parser of `protocol.py`, with all its
   counting, read it to its end, out of what arrived in one piece. Where the body is still coming, or anything is
   unusual (HTTP/1.0, Upgrade, Expect, an answer that waits to be read), it goes on by ASGI.
2. *What was read before means the same again.* A backend sends the same head each time, but for the body's length. A
   head that the parser read, with one Content-Length and no other framing, is kept; when exactly these bytes come again
   between two requests, with any length, and all of the body with them and nothing else, the parser is not asked. That
   is between two requests only while the parser has seen no byte of the next one.
3. *One at a time.* While an answer is owed, what comes on the same connection goes by uvicorn's pipeline.
4. *A visitor's head is not kept.* It says who they are, and hardly ever comes again.

Rejected: reading heads without the parser (a second opinion on what a request is); keeping visitors' heads, too.
"""

import re
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from conversion_relay.collector.door import Caller, headers_of
from conversion_relay.collector.protocol import GuardedProtocol
from conversion_relay.collector.whole import Head, Whole

MOST_HELD = 65_536
MOST_KEPT = 1_024
LONGEST_KEPT = 2_048
# No white space after it: a folded line would go on there.
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ([0-9]{1,5})\r\n(?![ \t])")


class Kept(NamedTuple):
    """What a head said when the parser read it."""

    route: Whole
    head: Head


class Heads:
    """Those that were read before, and the header lines that the server gives to each answer; of one server process."""

    def __init__(self) -> None:
        self._kept: dict[object, Kept] = {}
        self._given: object = None
        self._lines = b""

    def find(self, key: object) -> Kept | None:
        return self._kept.get(key)

    def keep(self, key: object, kept: Kept) -> None:
        if len(self._kept) >= MOST_KEPT and key not in self._kept:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = kept

    def lines(self, given: list[tuple[bytes, bytes]]) -> bytes:
        """`given`: uvicorn's default headers, a new list each second."""
        if given is not self._given:
            self._given, self._lines = given, b"".join(b"%s: %s\r\n" % pair for pair in given)
        return self._lines


class Cycle:
    """A request and its answer, as uvicorn sees them: in place of its cycle. One for each connection."""

    __slots__ = ("body", "disconnected", "keep_alive", "more_body", "protocol", "response_complete", "response_started")

    def __init__(self, protocol: "DirectProtocol") -> None:
        self.protocol = protocol
        self.body, self.more_body, self.response_started = b"", False, False
        self.response_complete, self.keep_alive, self.disconnected = True, True, False

    @property
    def message_event(self) -> "Cycle":
        return self

    def set(self) -> None:
        """Nobody waits for its messages."""

    def answer(self, status: int, lines: bytes, body: bytes, is_last: bool) -> None:
        self.response_complete = True
        transport = self.protocol.transport
        if self.disconnected or transport.is_closing():
            return
        is_last = is_last or not self.keep_alive
        if is_last and b"\r\nconnection: close\r\n" not in lines:
            lines += b"connection: close\r\n"
        given = self.protocol.heads.lines(self.protocol.server_state.default_headers)
        transport.write(b"%s%s%scontent-length: %d\r\n\r\n%s" % (STATUS_LINE[status], given, lines, len(body), body))
        if is_last:
            transport.close()
        self.protocol.on_response_complete()


class DirectProtocol(GuardedProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._routes: dict[bytes, Whole] = getattr(self.config.loaded_app, "whole", {})
        self.heads = _heads.setdefault(self.server_state, Heads())
        self._cycle = Cycle(self)
        self._route: Whole | None = None
        self._held: bytes | None = None
        """The body so far, of a request that may go this way."""
        self._has_begun = False
        """The parser saw a part of the next request."""
        self._piece: bytes | None = None
        """What arrived now, while no part of it belongs to an earlier request."""

    def data_received(self, data: bytes) -> None:
        if self._has_begun or not self._is_free():
            super().data_received(data)
        elif not self._take_known(data):
            self._piece = data
            super().data_received(data)
            self._piece = None

    def _is_free(self) -> bool:
        """No answer is owed, and none waits to be read."""
        return (
            (self.cycle is None or self.cycle.response_complete)
            and not self._ended
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _take_known(self, data: bytes) -> bool:
        cut = _cut(data)
        if cut is None:
            return False
        key, body = cut
        kept = self.heads.find((self.client and self.client[0], self.scheme, key))
        if kept is None or not kept.route.still_says(kept.head):
            return False
        self._begin(kept.route, kept.head, body)
        return True

    def _begin(self, route: Whole, head: Head, body: bytes) -> None:
        cycle = self.cycle = self._cycle
        cycle.response_complete, cycle.keep_alive, cycle.disconnected = False, True, False
        self.all.works(self)
        route.take(head, body, cycle.answer)

    # The parser.

    def on_message_begin(self) -> None:
        self._has_begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        route = self._routes.get(self.url)
        if route is None or not self._is_plain():
            super().on_headers_complete()
        else:
            self._route, self._held = route, b""
            self._enter_body()

    def _is_plain(self) -> bool:
        parser = self.parser
        return (
            self._is_free()
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and not self.expect_100_continue
        )

    def on_body(self, body: bytes) -> None:
        if self._held is None:
            super().on_body(body)
            return
        self._fruitless = 0
        self._held += body
        if len(self._held) > MOST_HELD:
            self._go_by_asgi()

    def on_message_complete(self) -> None:
        self._has_begun = False
        if self._held is None or self._route is None:
            super().on_message_complete()
            return
        body, self._held = self._held, None
        self._leave_body()
        peer = self.client[0] if self.client else None
        head = self._route.head(headers_of(self.headers), peer, self.scheme or "http")
        self._keep(self._route, head, body)
        self._begin(self._route, head, body)

    def _feed(self, data: bytes) -> None:
        super()._feed(data)
        if self._held is not None:  # the body is still coming
            self._go_by_asgi()

    def _go_by_asgi(self) -> None:
        body, self._held = self._held, None
        super().on_headers_complete()
        if body:
            super().on_body(body)

    def _keep(self, route: Whole, head: Head, body: bytes) -> None:
        """When just this request was in the piece that arrived, and its length was all that said where it ends."""
        names = [name for name, _ in self.headers]
        if names.count(b"content-length") != 1 or b"transfer-encoding" in names:
            return
        if not isinstance(head.caller, Caller) or head.caller.sender == "browser" or self._piece is None:
            return
        cut = _cut(self._piece)
        if cut is None or cut[1] != body or len(cut[0]) > LONGEST_KEPT:
            return
        self.heads.keep((self.client and self.client[0], self.scheme, cut[0]), Kept(route, head))


def _cut(data: bytes) -> tuple[bytes, bytes] | None:
    """The head without the digits of its length, and the body; None where this is not exactly one request of that
    length."""
    end = data.find(b"\r\n\r\n") + 4
    found = _LENGTH.search(data, 0, end - 2) if end > 3 else None
    if found is None or int(found[1]) != len(data) - end or len(data) - end > MOST_HELD:
        return None
    return data[: found.start(1)] + data[found.end(1) : end], data[end:]


_heads: WeakKeyDictionary[object, Heads] = WeakKeyDictionary()
