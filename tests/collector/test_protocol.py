"""Bytes on a socket of a running server: what is too large or never ends is refused before anything is built of it."""

import re
import socket
import struct
from contextlib import suppress

import pytest

from tests.processes import installation

pytestmark = pytest.mark.xdist_group("the collector's protocol")
POST = b"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer test-api-key\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSE = b"Connection: close\r\n\r\n"
LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with installation(tmp_path_factory.mktemp("protocol")) as here:
        here.start("--no-worker")
        yield here
        log = (here.folder / "relay.log").read_text()
        assert "Traceback" not in log and "ERROR" not in log, "a strange client is no error of ours"


def exchange(here, *parts: bytes) -> bytes:
    """All that was answered until the server closed."""
    answer = b""
    with socket.create_connection(("127.0.0.1", here.port), timeout=60) as connection:
        with suppress(OSError):
            for part in parts:
                connection.sendall(part)
        with suppress(ConnectionResetError):
            while more := connection.recv(65_536):
                answer += more
    return answer


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


MEGABYTE = b"a" * 1_000_000
TOO_LARGE = {
    "a header without end": (431, [LIVE + b"A: ", *[MEGABYTE] * 64]),
    "a header's name without end": (431, [LIVE, *[MEGABYTE] * 64]),
    "a URL without end": (414, [b"GET /", *[MEGABYTE] * 64]),
    "a query without end": (414, [b"GET /?", *[MEGABYTE] * 64]),
    "a method without end": (400, [*[b"A" * 1_000_000] * 2]),
    "200,000 headers": (431, [LIVE, *[b"A: b\r\n" * 1_000] * 200]),
    "101 headers": (431, [LIVE, b"A: b\r\n" * 100 + CLOSE]),
    "66 kB in 99 headers": (431, [LIVE, (b"A: " + b"b" * 700 + b"\r\n") * 98 + CLOSE]),
    "a URL of 8,193 bytes": (414, [b"GET /" + b"a" * 8_192 + b" HTTP/1.1\r\nHost: x\r\n" + CLOSE]),
    "trailers without end": (431, [CHUNKED, b"1\r\n{\r\n0\r\n", *[b"Ab: c\r\n" * 10_000] * 100]),
    "a trailer without end": (431, [CHUNKED, b"0\r\nA: ", *[MEGABYTE] * 10]),
    "a chunk's size without end": (431, [CHUNKED, b"1;", *[MEGABYTE] * 10]),
    "a body without end": (413, [CHUNKED, *[b"100000\r\n" + b"x" * 0x100000 + b"\r\n"] * 80]),
}


def test_who_hangs_up_while_two_answers_are_owed_is_no_error(here):
    """uvicorn tells the newest request alone that its client is gone. The fixture looks at the log."""
    webhook = b"POST /webhooks/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", here.port), timeout=60) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close resets
            connection.sendall(webhook * 2)
    assert statuses(exchange(here, LIVE + CLOSE)) == [200]


@pytest.mark.parametrize("what", TOO_LARGE)
def test_what_is_too_large_or_never_ends_is_refused_and_the_connection_closed(here, what):
    status, parts = TOO_LARGE[what]
    assert statuses(exchange(here, *parts))[:1] == [status]


@pytest.mark.parametrize(
    "parts",
    [
        [LIVE, b"A: b\r\n" * 90 + CLOSE],
        [LIVE + b"A: " + b"a" * 60_000 + b"\r\n" + CLOSE],
        [b"GET /livez?" + b"a" * 8_000 + b" HTTP/1.1\r\nHost: x\r\n" + CLOSE],
        [bytes([byte]) for byte in LIVE + CLOSE],
        [LIVE + b"Upgrade: h2c\r\nConnection: upgrade\r\n\r\n"],
        [b"GET http://x/livez HTTP/1.1\r\nHost: x\r\n" + CLOSE],
    ],
    ids=["90 headers", "60 kB of head", "8 kB of query", "byte by byte", "upgrade", "absolute"],
)
def test_what_is_odd_but_allowed_is_answered(here, parts):
    assert statuses(exchange(here, *parts)) == [200]


SMUGGLED = [
    POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    POST + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n{}",
    POST + b"Content-Length: -2\r\n\r\n{}",
    POST + b"Content-Length: 2, 2\r\n\r\n{}",
    POST + b"Transfer-Encoding: xchunked\r\n\r\n{}",
    POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n{}",
    POST + b"Transfer-Encoding : chunked\r\n\r\n{}",
    CHUNKED + b"-1\r\n{}",
    CHUNKED + b"ffffffffffffffffff\r\n{}",
    b"GET /livez HTTP/1.1\nHost: x\n Authorization: x\n\n",
    b"GET /livez\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /liv\xffez HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET x HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01",
]


@pytest.mark.parametrize("raw", SMUGGLED)
def test_what_two_servers_could_read_differently_is_a_4xx_and_ends_the_connection(here, raw):
    (status,) = statuses(exchange(here, raw + LIVE))
    assert 400 <= status < 500


def test_a_trailer_is_no_header(here):
    body = (
        b"POST /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    )
    assert statuses(exchange(here, body + b"Authorization: Bearer test-api-key\r\n\r\n")) == [401]


def test_requests_that_come_at_once_are_answered_in_their_order(here):
    answer = exchange(here, (LIVE + b"\r\n") * 3 + b"GET /nothing HTTP/1.1\r\nHost: x\r\n" + CLOSE)
    assert statuses(answer) == [200] * 3 + [404]


def event(event_id: str, *lines: bytes) -> bytes:
    body = b'{"event_name":"Lead","event_id":"%s","user_data":{"email":"canary@example.org"}}' % event_id.encode()
    return POST + b"".join(b"%s\r\n" % line for line in (*lines, b"Content-Length: %d" % len(body), b"")) + body


OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"


OFFERED = event("kept", OFFER)
CHUNKED_OFFER = POST + OFFER + b"\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
ENDS = [OFFERED.replace(b"HTTP/1.1", b"HTTP/1.0"), event("ends", OFFER.replace(b"Upgrade,", b"Upgrade, close,"))]


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("last", ENDS, ids=["1.0", "close"])
def test_a_client_that_offers_http_2_as_javas_does_gets_its_events_in(here, last, is_cut):
    """Each new connection offers it, also with a body."""
    body = OFFERED.partition(b"\r\n\r\n")[2]
    raw = OFFERED + CHUNKED_OFFER % (len(body), body) + LIVE + OFFER + b"\r\n\r\n" + last
    parts = [raw[at : at + 1] for at in range(len(raw))] if is_cut else [raw]
    assert statuses(exchange(here, *parts)) == [202, 202, 200, 202]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (event("half"), [202]),
        (event("half", OFFER), [202]),
        (event("half") * 3, [202] * 3),
        (event("half") + POST, [202]),
        (b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", [200]),
        (event("half")[:-1], []),
        (POST, []),
    ],
    ids=["event", "offer", "three", "half of another", "readyz", "half of a body", "half of a head"],
)
def test_who_closes_its_own_side_after_a_request_still_hears_the_answer(here, raw, expected):
    """Otherwise an event that was kept would be sent again."""
    with socket.create_connection(("127.0.0.1", here.port), timeout=60) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(65_536):
            answer += more
    assert statuses(answer) == expected


def test_a_thousand_requests_at_once_are_not_kept(here):
    assert len(statuses(exchange(here, (LIVE + b"\r\n") * 5_000))) < 1_000


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_client_that_hangs_up_anywhere_is_no_error(here, method):
    raw = POST.replace(b"POST", method) + b"Content-Length: 400\r\n\r\n{"
    for end in range(0, len(raw), 7):
        with socket.create_connection(("127.0.0.1", here.port), timeout=60) as connection:
            connection.sendall(raw[:end])
    assert here.post({"event_name": "Lead"})[0] == 422


def test_a_flood_of_connections_that_say_nothing_keeps_nobody_out(here):
    idle = [socket.create_connection(("127.0.0.1", here.port), timeout=60) for _ in range(1_100)]
    try:
        assert statuses(exchange(here, LIVE + CLOSE)) == [200]
    finally:
        for connection in idle:
            connection.close()


def test_an_answer_in_one_piece_says_what_one_in_two_messages_says(here):
    """A connection that is kept gets its answer in one write, one that ends gets it by ASGI's two messages."""
    body = b'{"event_name":"Lead","event_id":"whole","user_data":{"email":"canary@example.org"}}'
    page = b"POST /events HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example\r\n"
    for head in (POST, page):
        request = head + b"Content-Length: %d\r\n" % len(body)
        kept_then_ended = exchange(here, request + b"\r\n" + body + request + CLOSE + body)
        first, second = re.split(rb"(?<=\})(?=HTTP/1\.1)", kept_then_ended)
        assert statuses(kept_then_ended) == [202, 202]
        lines = [set(answer.lower().partition(b"\r\n\r\n")[0].split(b"\r\n")) for answer in (first, second)]
        differ = {line.partition(b":")[0] for line in lines[0] ^ lines[1]}
        assert differ <= {b"connection", b"date", b"content-length"}, "the second one says `duplicate`"
        assert b"connection: close" in lines[1]
