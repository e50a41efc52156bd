"""Requests that go past ASGI, and heads that the parser is not asked about again: both say what the long way says."""

import asyncio
import re
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from uvicorn.server import ServerState

from conversion_relay import Relay, Settings
from conversion_relay.collector.app import create_app
from conversion_relay.collector.connections import GRACE, Limits
from conversion_relay.collector.direct import DirectProtocol
from conversion_relay.collector.whole import Whole
from tests import asgi

KEYS = b"Authorization: Bearer key\r\n"


class Line:
    """A transport that keeps what was written."""

    def __init__(self) -> None:
        self.sent, self.is_closed = b"", False

    def write(self, data: bytes) -> None:
        self.sent += b"" if self.is_closed else data

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    abort = write_eof = close

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("198.51.100.7", 1), "sockname": ("127.0.0.1", 2)}.get(name)

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    resume_reading = pause_reading


class App:
    """Answers each request with its body; `whole` only where it is asked for."""

    def __init__(self) -> None:
        self.by_asgi = 0
        self.owed: list[Any] | None = None

    async def __call__(self, scope, receive, send) -> None:
        self.by_asgi += 1
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        head = [(b"content-length", str(len(body)).encode()), (b"x-length", _length(scope["headers"]))]
        await send({"type": "http.response.start", "status": 202, "headers": head})
        await send({"type": "http.response.body", "body": body})


class Echo:
    """Stands for a `Whole`."""

    def __init__(self, door: Whole, owed: list[Any] | None = None) -> None:
        self.door, self.owed, self.taken = door, owed, 0
        self.head, self.still_says = door.head, door.still_says

    def take(self, head, body, answer) -> None:
        self.taken += 1
        if self.owed is None:
            asyncio.get_running_loop().call_soon(answer, 202, b"", body, False)
        else:
            self.owed.append(lambda: answer(202, b"", body, False))


def _length(headers) -> bytes:
    return dict(headers).get(b"content-length", b"")


class Server:
    def __init__(self, routes: dict[bytes, Any]) -> None:
        self.app = App()
        self.app.whole = routes  # type: ignore[attr-defined]
        self.config = uvicorn.Config(self.app, log_config=None, lifespan="off", proxy_headers=False)
        self.config.load()
        self.state = ServerState()

    def connect(self, limits: Limits | None = None) -> tuple[DirectProtocol, Line]:
        line = Line()
        protocol = DirectProtocol(self.config, self.state, {}, limits=limits or Limits())
        protocol.connection_made(line)
        return protocol, line

    async def answers(self, pieces: list[bytes]) -> list[tuple[bytes, bytes]]:
        protocol, line = self.connect()
        for piece in pieces:
            if not line.is_closed:
                protocol.data_received(piece)
            await turns()
        line.close()
        protocol.connection_lost(None)
        return split(line.sent)


def split(sent: bytes) -> list[tuple[bytes, bytes]]:
    """Status and body of each answer."""
    found, at = [], 0
    while head := re.compile(rb"HTTP/1.1 (\d+) .*?\r\n\r\n", re.DOTALL).match(sent, at):
        length = re.search(rb"content-length: (\d+)", head[0])
        end = head.end() + (int(length[1]) if length else 0)
        found.append((head[1], sent[head.end() : end]))
        at = end
    assert at == len(sent)
    return found


async def turns() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


@pytest.fixture(scope="module")
def route(tmp_path_factory):
    outbox = tmp_path_factory.mktemp("direct") / "outbox.db"
    told = {
        "META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAx", "RELAY_API_KEYS": "key", "RELAY_OUTBOX": f"sqlite:///{outbox}",
        "RELAY_ALLOWED_ORIGINS": "https://shop.example",
    }  # fmt: skip
    with Relay(Settings.from_env(told)) as relay:
        yield create_app(relay).whole[b"/events"]


def post(body: bytes, *lines: bytes, length: bytes | None = None) -> bytes:
    told = b"Content-Length: " + (str(len(body)).encode() if length is None else length)
    return b"\r\n".join([b"POST /events HTTP/1.1", b"Host: x", KEYS.strip(), told, *lines, b"", body])


BODIES = [b"{}", b'{"event_name":"Lead"}', b"x" * 300, b"", b"POST /events HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"]
ODD = [
    b"\r\n" + post(b"{}"),
    post(b"{}", b"Content-Length: 2"),
    post(b"{}", b"Transfer-Encoding: chunked"),
    post(b"{}", b"Connection: close"),
    post(b"{}", b"Expect: 100-continue"),
    post(b"{}", b"Upgrade: h2c", b"Connection: upgrade"),
    post(b"{}", length=b"02"),
    post(b"{}", length=b"+2"),
    post(b"{}", length=b"2 "),
    post(b"{}", length=b"2\r\n 0"),
    post(b"{}", b" folded"),
    post(b"{}").replace(b"1.1", b"1.0"),
    post(b"{}").replace(b"/events", b"/events?a=b"),
    post(b"{}").replace(b"POST", b"PUT"),
    post(b"{}").replace(b"\r\n", b"\n"),
    b"POST /events HTTP/1.1\r\nHost: x\r\n" + KEYS + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: b\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    b"nonsense\r\n\r\n",
]
REQUESTS = st.one_of(st.sampled_from(BODIES).map(post), st.sampled_from(ODD))


@st.composite
def pieces(draw) -> list[bytes]:
    """Of some requests in a row; most are whole ones, as they arrive."""
    found: list[bytes] = []
    for request in draw(st.lists(REQUESTS, min_size=1, max_size=6)):
        match draw(st.sampled_from(["whole", "whole", "cut", "with the one before"])):
            case "cut":
                at = draw(st.integers(1, len(request)))
                found += [request[:at], request[at:]]
            case "with the one before" if found:
                found[-1] += request
            case _:
                found.append(request)
    return [piece for piece in found if piece]


@given(st.lists(pieces(), min_size=1, max_size=4))
@examples(max_examples=150, deadline=None)
def test_whatever_arrives_and_however_it_is_cut_the_answers_are_those_of_asgi(route, connections):
    async def run() -> None:
        short, long = Server({b"/events": Echo(route)}), Server({})
        for told in connections:
            assert await short.answers(told) == await long.answers(told)

    asgi.run(run())


def test_a_head_that_was_read_before_is_not_parsed_again_whatever_its_length_says(route, monkeypatch):
    async def scenario() -> None:
        server = Server({b"/events": Echo(route)})
        assert await server.answers([post(b"first")]) == [(b"202", b"first")]
        monkeypatch.setattr(DirectProtocol, "on_url", None)  # the parser would call it
        assert await server.answers([post(b"another one"), post(b"3")]) == [(b"202", b"another one"), (b"202", b"3")]
        assert server.app.by_asgi == 0

    asgi.run(scenario())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (post(b"{}"), post(b"{}").replace(b"Bearer key", b"Bearer kex")),
        (post(b"{}", b"Origin: https://shop.example").replace(KEYS, b""),) * 2,
        (post(b"{}").replace(KEYS, b""),) * 2,
        (post(b"{}"), post(b"{}")[:-1]),
        (post(b"{}"), post(b"{}") * 2),
    ],
    ids=["another key", "a visitor", "a stranger", "not all of it", "two at once"],
)
def test_what_must_be_read_anew_is(route, monkeypatch, first, second):
    async def scenario() -> None:
        server = Server({b"/events": Echo(route)})
        await server.answers([first])
        read, asked = DirectProtocol.on_url, []
        monkeypatch.setattr(DirectProtocol, "on_url", lambda self, url: (asked.append(url), read(self, url))[1])
        await server.answers([second])
        assert asked

    asgi.run(scenario())


INNER = post(b"{}")


@pytest.mark.parametrize("begun", [b"X: ", b"Content-Length: %d\r\n\r\n" % len(INNER)], ids=["head", "body"])
def test_a_known_request_inside_of_another_one_is_a_part_of_that(route, begun):
    async def scenario() -> None:
        echo = Echo(route)
        server = Server({b"/events": echo})
        await server.answers([INNER])
        await server.answers([b"POST /livez HTTP/1.1\r\nHost: x\r\n" + begun, INNER])
        assert (echo.taken, server.app.by_asgi) == (1, 1)

    asgi.run(scenario())


def test_an_answer_that_is_owed_keeps_the_next_request_waiting_and_comes_first(route):
    async def scenario() -> None:
        owed: list[Any] = []
        server = Server({b"/events": Echo(route, owed)})
        protocol, line = server.connect()
        protocol.data_received(post(b"one"))
        protocol.data_received(post(b"two"))
        await turns()
        assert line.sent == b"" and len(owed) == 1 and server.app.by_asgi == 0
        owed[0]()
        await turns()
        assert split(line.sent) == [(b"202", b"one"), (b"202", b"two")]
        protocol.connection_lost(None)

    asgi.run(scenario())


def test_a_client_that_hung_up_before_its_answer_is_no_error_and_a_server_that_stops_closes_after_it(route):
    async def scenario() -> None:
        owed: list[Any] = []
        server = Server({b"/events": Echo(route, owed)})
        gone, line = server.connect()
        gone.data_received(post(b"one"))
        line.close()
        gone.connection_lost(None)
        owed.pop()()
        assert line.sent == b""
        stays, line = server.connect()
        stays.data_received(post(b"two"))
        stays.shutdown()
        assert not line.is_closed, "the answer is owed"
        owed.pop()()
        assert split(line.sent) == [(b"202", b"two")] and b"connection: close" in line.sent and line.is_closed

    asgi.run(scenario())


def test_a_connection_is_closed_when_no_request_came_for_a_while(route):
    async def scenario() -> None:
        server = Server({b"/events": Echo(route)})
        for first in (post(b"{}"), b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"):
            protocol, line = server.connect()
            protocol.data_received(first)
            await turns()
            now = asyncio.get_running_loop().time()
            protocol.sweep(now + server.config.timeout_keep_alive - 1.0)
            assert not line.is_closed
            protocol.sweep(now + server.config.timeout_keep_alive + GRACE)
            assert line.is_closed
            protocol.connection_lost(None)

    asgi.run(scenario())
