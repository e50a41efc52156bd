"""No call outlives its deadline, in no phase, and no thread is left behind; what was sent is told truly."""

import gc
import socket
import ssl
import threading

import pytest

from conversion_relay import http_connections
from conversion_relay.http_client import HttpClient, NoAnswer, Response
from tests.hostile_server import read_request, received, reset, serving
from tests.one_module import replace_in
from tests.processes import until
from tests.test_http_client import self_signed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
HELLO = b"\x16\x03\x03\x40\x00"
"""A TLS record of 16 kB begins."""


@pytest.fixture
def client():
    client = HttpClient()
    yield client
    client.close()


def post(client: HttpClient, url: str, deadline: float = 10, body: bytes = b"{}") -> Response | NoAnswer:
    return client.post(f"{url}/a", {}, body, deadline)


def exchanges() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "http-exchange"}


def hang(connection: socket.socket) -> None:
    while True:
        received(connection)


def drip(start: bytes):
    """Goes on for ever after this start, a byte at a time."""

    def answer(connection: socket.socket) -> None:
        received(connection)
        connection.sendall(start)
        while True:
            connection.sendall(b"a")
            threading.Event().wait(0.02)

    return answer


@pytest.mark.parametrize(
    ("scheme", "answer", "sent"),
    [
        ("http", hang, True),
        ("http", drip(b"HTTP/1.1 200 OK\r\nX-Slow: "), True),
        ("http", drip(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n"), True),
        ("http", drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 10), True),
        ("https", hang, False),
        ("https", drip(HELLO), False),
    ],
    ids=["hangs", "drips a header", "drips a body", "drips after interim answers", "hangs in TLS", "drips in TLS"],
)
def test_the_deadline_ends_the_call_and_the_thread_behind_it(client, scheme, answer, sent):
    before = exchanges()
    with serving(answer) as url:
        # A machine that is busy may take longer to begin than the call may last: then it is asked again.
        until(lambda: post(client, url.replace("http", scheme, 1), deadline=0.5) == NoAnswer("deadline", sent=sent))
        until(lambda: not exchanges() - before)


def test_over_tls_the_deadline_wakes_a_read_that_drips(client, tmp_path, monkeypatch):
    key, certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def answer(connection):
        with context.wrap_socket(connection, server_side=True) as secure:
            drip(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n")(secure)

    before = exchanges()
    with serving(answer) as url:
        assert post(client, url.replace("http", "https", 1), deadline=2) == NoAnswer("deadline", sent=True)
        until(lambda: not exchanges() - before)


def test_a_lookup_that_never_returns_holds_nobody_and_sends_nothing_later(client, monkeypatch):
    found, heard = threading.Event(), threading.Event()
    look_up = socket.getaddrinfo

    def slow_look_up(*arguments, **named):
        found.wait()
        return look_up(*arguments, **named)

    def answer(connection):
        assert connection.recv(65_536) == b"", "the request came after it was given up"
        heard.set()

    before = exchanges()
    with serving(answer) as url:
        replace_in(http_connections, "socket", monkeypatch, getaddrinfo=slow_look_up)
        assert post(client, url, deadline=0.2) == NoAnswer("deadline", sent=False)
        found.set()
        assert heard.wait(60)
        until(lambda: not exchanges() - before)


def test_a_client_that_nobody_holds_any_more_leaves_no_thread():
    before = exchanges()

    def answer(connection):
        while True:
            read_request(connection)
            connection.sendall(OK)

    with serving(answer) as url:
        forgotten = HttpClient()
        assert isinstance(post(forgotten, url), Response)
        assert exchanges() - before
        del forgotten
        gc.collect()
        until(lambda: not exchanges() - before)


def test_without_a_thread_nothing_is_sent(client, monkeypatch):
    with serving(hang) as url, monkeypatch.context() as patch:
        real = threading.Thread.start

        def start(thread):
            if thread.name == "http-exchange":
                raise RuntimeError("can't start new thread")
            real(thread)

        patch.setattr(threading.Thread, "start", start)
        assert post(client, url) == NoAnswer("no_thread", sent=False)


def test_a_refusal_that_comes_before_the_body_was_read_is_heard(client, monkeypatch):
    """The server has closed its side for reading; the rest of the request finds a broken pipe."""

    def answer(connection):
        received(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")

    from http.client import HTTPConnection

    end_headers = HTTPConnection.endheaders

    def cut_off(self, body=None, **more):
        end_headers(self, None, **more)
        raise BrokenPipeError

    monkeypatch.setattr(HTTPConnection, "endheaders", cut_off)
    with serving(answer) as url:
        response = post(client, url, body=b"x" * 1_000_000)
    assert isinstance(response, Response) and response.status == 413


def test_a_server_that_breaks_off_in_the_middle_of_a_large_request_may_have_read_it(client):
    def answer(connection):
        received(connection)
        reset(connection)

    with serving(answer) as url:
        outcome = post(client, url, body=b"x" * 50_000_000)
    assert isinstance(outcome, NoAnswer) and outcome.sent and outcome.why in ("reset", "closed")


@pytest.mark.parametrize("headers", [{"X-Evil": "a\r\nHost: elsewhere"}, {"X:": "a"}, {"X\n": "a"}, {"X": "é€"}])
def test_a_header_that_cannot_be_sent_is_told_as_not_sent(client, headers):
    with serving(hang) as url:
        outcome = client.post(url, headers, b"", 5)
    assert isinstance(outcome, NoAnswer) and not outcome.sent
