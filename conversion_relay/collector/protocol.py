"""HTTP/1.1 on one connection: uvicorn's protocol, with every size counted before anything is built of it.

What could go wrong. The parser hands over a header when it has all of it, and keeps no count: a header of 64 MB, two
hundred thousand headers, a chunk extension or a trailer without end are all put together first. And uvicorn reads
trailers as headers, so that a request could add an Authorization to itself after the door looked.

The rule. What is fed to the parser is counted, in slices, and so is what comes out of it: URL (414), head and number of
headers (431), bytes that yield nothing (chunk extensions, half trailers: 431), a request's bytes altogether (413).
Trailers are dropped. The refusal is written, the connection is half closed, and for two seconds what still comes is
thrown away, so that a client which is still sending hears why.

The parser reads no body where the client offers another protocol (Upgrade), and Java's HttpClient offers HTTP/2 on
every new connection without TLS: its events would be "unreadable". An offer may be ignored, and is: a new parser gets
the head once more, as the first one read it, without the offer, and then the body.

When each stage ends by itself is decided in `connections.py`; here is only told which stage it is.
"""

from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from conversion_relay.collector.connections import PROXY_SECONDS, Connections, Deadline, Limits, connections_of
from conversion_relay.collector.unhandled import Unhandled

MOST_URL = 8_192
MOST_HEAD = 65_536
MOST_HEADERS = 100
MOST_TRAILERS = 8_192
MOST_FRUITLESS = 16_384
"""Bytes of a body that are neither body nor a whole trailer: chunk sizes with their extensions."""
MOST_OF_A_REQUEST = 64 * 1_048_576
MOST_PIPELINED = 4
"""No browser and no proxy of today pipelines; what waits in a row would be answered in one turn of the loop."""
SLICE = 16_384
LINGER_SECONDS = 2.0
MOST_LINGERING = 131_072

MESSAGES = {
    400: ("bad_request", "this is no HTTP/1.1 request that can be read"),
    405: ("method_not_allowed", "this is no proxy"),
    408: ("too_slow", "the request did not arrive in time"),
    413: ("too_large", f"a request has at most {MOST_OF_A_REQUEST} bytes"),
    414: ("url_too_long", f"a URL has at most {MOST_URL} bytes"),
    503: ("not_durable", "this machine has no memory left for the request; send it again"),
    431: ("head_too_large", f"a head has at most {MOST_HEADERS} headers and {MOST_HEAD} bytes, trailers included"),
}


class _RefusedError(Exception):
    """Ends the parser's run; the status stands in the protocol."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection.

    Over 150 lines: one method for each callback of parser and transport, over one state."""

    network: str | None = None
    cycle: Any

    def __init__(self, *arguments: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.app = Unhandled(self.app)
        self.all: Connections = connections_of(self.server_state, self.loop, limits)
        self._stage, self._writing = Deadline(self.all.now), Deadline(self.all.now)
        self._written_from = 0
        self._in_head, self._has_body_to_come, self._uploads = True, False, False
        self._fruitless = self._head = self._trailers = self._request = 0
        self._status = 0
        self._ended = self._offers_upgrade = False
        self._lingering = 0

    # The transport.

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._stage.begin(self.all.now)
        if not self.all.admit(self, self.client[0] if self.client else None):
            self._ended = True
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.all.leave(self)
        self._ended = True
        super().connection_lost(exc)
        if self.cycle is not None:
            # Protocol and cycle hold each other until the garbage collector comes by. A flood of refused pages would
            # leave half a gigabyte of bodies that nobody read.
            self.cycle.body = b""

    def data_received(self, data: bytes) -> None:
        if self._ended:
            self._lingering += len(data)
            if self._lingering > MOST_LINGERING:
                self.transport.abort()
            return
        if self._in_head and not self._fruitless:
            self._stage.begin(self.all.now)
        try:
            self._feed(data)
        except (httptools.HttpParserError, _RefusedError) as error:
            self.refuse(self._status or (503 if isinstance(error.__context__, MemoryError) else 400))
        else:
            if self._has_body_to_come and not self._uploads:
                self._uploads = True
                self.all.uploads(self)

    def _feed(self, data: bytes) -> None:
        pieces = [data] if len(data) <= SLICE else [data[at : at + SLICE] for at in range(0, len(data), SLICE)]
        for piece in pieces:
            self._fruitless += len(piece)
            self._request += len(piece)
            self._parse(piece)
            if self._fruitless > (MOST_HEAD if self._in_head else MOST_FRUITLESS):
                self._refuse(431)
            if self._request > MOST_OF_A_REQUEST:
                self._refuse(413)

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data, head = data[offer.args[0] :], self._without_offer()
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
                self.parser.feed_data(head)

    def _without_offer(self) -> bytes:
        """The head that was just read. https://www.rfc-editor.org/rfc/rfc9110#section-7.8"""
        self._offers_upgrade = False
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % pair for pair in self.headers if pair[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn never stays, asyncio asks
        """Whether the connection stays open: who has said everything may close that side, and still hears the answer.
        Without one an event that was kept would be sent again."""
        if self._ended or self._is_between() or self._has_body_to_come:
            return False
        self.cycle.keep_alive = False
        return True

    def resume_writing(self) -> None:
        self._writing.begin(self.all.now)
        self._written_from = 0
        super().resume_writing()

    # The parser.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = self._trailers = self._request = 0

    def on_url(self, url: bytes) -> None:
        self.url += url
        self._head += len(url)
        if len(self.url) > MOST_URL:
            self._refuse(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        size = len(name) + len(value) + 4
        if self._in_head:
            self._head += size
            if self._head > MOST_HEAD or len(self.headers) >= MOST_HEADERS:
                self._refuse(431)
            super().on_header(name, value)
        else:
            self._trailers += size
            if self._trailers > MOST_TRAILERS:
                self._refuse(431)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._offers_upgrade = True
            return
        self._enter_body()
        if self.parser.get_method() == b"CONNECT":
            self._refuse(405)
        if len(self.pipeline) >= MOST_PIPELINED:
            self._refuse(431)
        super().on_headers_complete()
        self._stage.begin(self.all.now)
        self.all.works(self)

    def on_body(self, body: bytes) -> None:
        self._fruitless = 0
        self._stage.moved += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._offers_upgrade:
            return
        self._leave_body()
        if self._uploads:
            self._uploads = False
            self.all.works(self)
        super().on_message_complete()
        if self.cycle.response_complete:
            self._wait()

    def _enter_body(self) -> None:
        self._in_head, self._has_body_to_come = False, True
        self._fruitless = 0

    def _leave_body(self) -> None:
        self._in_head, self._has_body_to_come = True, False
        self._fruitless = 0

    def on_response_complete(self) -> None:
        """As uvicorn's, but for its timer: `sweep` ends what nobody uses."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        if self.cycle.response_complete and not self._has_body_to_come:
            self._wait()

    def _wait(self) -> None:
        self._stage.begin(self.all.now)
        self.all.waits(self)

    def _refuse(self, status: int) -> None:
        self._status = status
        raise _RefusedError

    # The end.

    def refuse(self, status: int) -> None:
        """Answers below the application, where no answer has begun, and ends the connection."""
        self.all.note(str(status))
        self._ended = True
        is_answering = self.cycle is not None and not self.cycle.response_complete
        has_begun = is_answering and (self.cycle.response_started or not self._has_body_to_come)
        if is_answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if has_begun or self.pipeline or self.transport.is_closing():
            self.transport.abort()
            return
        reason, message = MESSAGES[status]
        body = msgspec.json.encode({"reason": reason, "field": "request", "message": message})
        head = (
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\nx-relay-reason: {reason}\r\n"
            "connection: close\r\n\r\n"
        )
        self.flow.resume_reading()
        self.transport.write(STATUS_LINE[status] + head.encode() + body)
        self.transport.write_eof()
        self._stage.begin(self.all.now)

    def evict(self) -> None:
        """Its place is needed."""
        self._ended = True
        self.transport.abort()

    def sweep(self, now: float) -> None:
        if self._ended:
            if now - self._stage.since > LINGER_SECONDS:
                self.transport.abort()
        elif self._is_unread(now):
            self.all.note("unread answer")
            self.transport.abort()
        elif (self._has_body_to_come or self._is_between()) and self._stage.is_over(now):
            self._give_up(now)

    def _is_between(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _give_up(self, now: float) -> None:
        if self._in_head and not self._fruitless:
            is_proxy = self.network is None
            if self.cycle is None and not is_proxy:
                self.transport.abort()
            elif now - self._stage.since > (PROXY_SECONDS if is_proxy else self.timeout_keep_alive):
                self.transport.close()
        elif self._has_body_to_come and self.cycle.response_complete:
            self.transport.abort()
        elif not self.transport.is_closing():
            self.refuse(408)

    def _is_unread(self, now: float) -> bool:
        """Whether the client reads its answer too slowly, also after we closed our side."""
        left = self.transport.get_write_buffer_size()
        if not left:
            self._written_from = 0
        elif not self._written_from or left > self._written_from:
            self._written_from = left
            self._writing.begin(now)
        else:
            self._writing.moved = self._written_from - left
            return self._writing.is_over(now)
        return False
