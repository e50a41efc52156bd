"""What the network does to a request, and that no call outlives its deadline."""

import gzip
import threading
import time
import zlib

import pytest

from conversion_relay.delivery.transport import GraphTransport, Response
from conversion_relay.http_client import MOST_BYTES
from conversion_relay.meta.graph import Request, Unreachable
from tests.hostile_server import read_request, reset, serving
from tests.processes import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def transport():
    transport = GraphTransport()
    yield transport
    transport.close()


def request_to(url: str) -> Request:
    return Request(url=f"{url}/v27.0/1/events", headers={"Authorization": "Bearer T0KEN"}, body=b'{"data":[]}')


def test_the_request_arrives_as_it_was_built(transport):
    got = []

    def answer(connection):
        got.append(read_request(connection))
        connection.sendall(OK)

    with serving(answer) as url:
        response = transport.send(request_to(url), 5)
    assert isinstance(response, Response) and response.status == 200 and response.body == b"{}"
    head, _, body = got[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v27.0/1/events HTTP/1.1") and b"Authorization: Bearer T0KEN" in head
    assert b"T0KEN" not in head.split(b"\r\n")[0] and body == b'{"data":[]}'


@pytest.mark.parametrize(
    ("coding", "packed", "read"),
    [
        (b"gzip", gzip.compress(b'{"events_received":1}'), b'{"events_received":1}'),
        (b"Deflate", zlib.compress(b'{"events_received":1}'), b'{"events_received":1}'),
        (b"gzip", gzip.compress(bytes(9_000_000)), bytes(MOST_BYTES)),
        (b"gzip", b"{}", b"{}"),
        (b"identity", b"{}", b"{}"),
    ],
    ids=["gzip", "deflate", "bomb", "not packed", "identity"],
)
def test_what_a_proxy_packed_unasked_is_read_within_bounds(transport, coding, packed, read):
    def answer(connection):
        read_request(connection)
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
        connection.sendall(head % (coding, len(packed)) + packed)

    with serving(answer) as url:
        assert transport.send(request_to(url), 5).body == read


def test_a_connection_is_kept_for_the_next_batch(transport):
    connections = []

    def answer(connection):
        connections.append(connection)
        while True:
            read_request(connection)
            connection.sendall(OK)

    with serving(answer) as url:
        for _ in range(3):
            assert isinstance(transport.send(request_to(url), 5), Response)
    assert len(connections) == 1


def test_nobody_listening_is_unreachable_and_nothing_was_sent(transport):
    refused = Unreachable("connection_refused", sent=False)
    assert transport.send(request_to(f"http://127.0.0.1:{free_port()}"), 5) == refused


def test_a_name_that_does_not_resolve_was_not_sent(transport):
    outcome = transport.send(request_to("http://no-such-host.invalid"), 5)
    assert isinstance(outcome, Unreachable) and not outcome.sent


def test_a_reset_after_the_request_may_have_been_read(transport):
    def answer(connection):
        read_request(connection)
        reset(connection)

    with serving(answer) as url:
        outcome = transport.send(request_to(url), 5)
    assert outcome == Unreachable("reset", sent=True)


def hang(connection):
    connection.recv(65536)
    threading.Event().wait(20)


def drip_headers(connection):
    connection.recv(65536)
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def drip_body(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b" ")
        time.sleep(0.05)


@pytest.mark.parametrize("answer", [hang, drip_headers, drip_body])
def test_the_deadline_ends_a_server_that_hangs_or_drips(transport, answer):
    with serving(answer) as url:
        begun = time.monotonic()
        outcome = transport.send(request_to(url), 2)
        took = time.monotonic() - begun
    assert outcome == Unreachable("deadline", sent=True)
    assert took < 10  # without the deadline: 20 s to 50 s


def test_after_a_deadline_the_transport_still_works(transport):
    with serving(hang) as url:
        transport.send(request_to(url), 0.2)
    with serving(lambda connection: (read_request(connection), connection.sendall(OK))) as url:
        assert isinstance(transport.send(request_to(url), 5), Response)


def test_an_endless_body_is_cut_off(transport):
    def answer(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with serving(answer) as url:
        response = transport.send(request_to(url), 5)
    assert isinstance(response, Response) and len(response.body) == 1_048_576


def test_a_compressed_bomb_is_cut_off(transport):
    import gzip

    bomb = gzip.compress(b"x" * 50_000_000)

    def answer(connection):
        read_request(connection)
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
        connection.sendall(head + bomb)

    with serving(answer) as url:
        response = transport.send(request_to(url), 5)
    assert isinstance(response, Response) and len(response.body) <= 1_048_576


def test_a_redirect_is_not_followed(transport):
    elsewhere = []
    with serving(lambda connection: elsewhere.append(read_request(connection))) as other:

        def answer(connection):
            read_request(connection)
            connection.sendall(b"HTTP/1.1 307 Moved\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n" % other.encode())

        with serving(answer) as url:
            response = transport.send(request_to(url), 5)
    assert isinstance(response, Response) and response.status == 307 and elsewhere == []


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\x00\xff" * 50, b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
)
def test_garbage_is_an_answer_or_unreachable_and_never_an_exception(transport, garbage):
    def answer(connection):
        read_request(connection)
        connection.sendall(garbage)

    with serving(answer) as url:
        assert isinstance(transport.send(request_to(url), 5), Unreachable | Response)


def test_neither_token_nor_body_is_in_a_repr():
    assert "T0KEN" not in repr(request_to("http://127.0.0.1")) and "data" not in repr(request_to("http://x"))
