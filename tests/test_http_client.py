"""One POST, one bounded answer, whatever the other end does. More of it: tests/delivery/test_transport.py."""

import os
import queue
import signal
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from conversion_relay.http_client import HttpClient, NoAnswer, Response
from tests.hostile_server import read_request, reset, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def client():
    client = HttpClient()
    yield client
    client.close()


def post(client: HttpClient, url: str, **how) -> Response | NoAnswer:
    return client.post(f"{url}/a", {"Content-Type": "application/json"}, b"{}", **{"deadline": 5, **how})


def answering(*answers: bytes):
    """Each connection gets one of them after its request, and is then closed."""
    left = list(answers)

    def answer(connection):
        read_request(connection)
        connection.sendall(left.pop(0))

    return serving(answer)


# -- what comes back ---------------------------------------------------------------------------------------------------


def test_headers_come_in_lower_case_and_repeated_ones_joined(client):
    head = b"HTTP/1.1 200 OK\r\nX-App-Usage: {}\r\nVARY: a\r\nVary: b\r\nContent-Length: 2\r\n\r\n{}"
    with answering(head) as url:
        response = post(client, url)
    assert isinstance(response, Response)
    assert response.headers == {"x-app-usage": "{}", "vary": "a, b", "content-length": "2"}


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", b"{}"),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", b"{}"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
        (b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + b"HTTP/1.0 200 OK\r\n\r\n{}", b"{}"),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    ],
    ids=["chunked", "until it closes", "no content", "continue first", "hints first", "processing first", "no phrase"],
)
def test_a_body_is_read_however_its_end_is_told(client, answer, body):
    with answering(answer) as url:
        response = post(client, url)
    assert isinstance(response, Response) and response.body == body


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", "cut_off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}", "cut_off"),
        (b"", "closed"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "network"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "network"),
        (b"SSH-2.0-OpenSSH_9\r\n", "network"),
    ],
    ids=["too short", "chunk cut", "nothing", "too many headers", "too long a header", "another protocol"],
)
def test_half_an_answer_is_none(client, answer, why):
    with answering(answer) as url:
        assert post(client, url) == NoAnswer(why, sent=True)


def test_a_longer_body_is_cut_off_where_the_caller_says(client):
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5_000) as url:
        response = post(client, url, most_bytes=100)
    assert isinstance(response, Response) and response.body == b"x" * 100


def test_a_connection_whose_body_was_cut_off_is_not_used_again(client):
    connections = []

    def answer(connection):
        connections.append(connection)
        while True:
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + b"x" * 200)

    with serving(answer) as url:
        first, second = (post(client, url, most_bytes=100) for _ in range(2))
    assert isinstance(first, Response) and isinstance(second, Response) and second.body == b"x" * 100
    assert len(connections) == 2


# -- connections -------------------------------------------------------------------------------------------------------


def test_a_connection_that_was_reset_while_idle_is_not_used_again(client):
    may_reset, was_reset = threading.Event(), threading.Event()

    def answer(connection):
        read_request(connection)
        connection.sendall(OK)
        may_reset.wait()
        reset(connection)
        was_reset.set()

    with serving(answer) as url:
        assert isinstance(post(client, url), Response)
        may_reset.set()
        was_reset.wait()
        assert isinstance(post(client, url), Response)


def test_twenty_threads_each_get_their_own_answer(client):
    def answer(connection):
        while True:
            body = read_request(connection).partition(b"\r\n\r\n")[2]
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with serving(answer) as url, ThreadPoolExecutor(20) as threads:
        bodies = [b"%d" % n for n in range(200)]
        answers = list(threads.map(lambda body: client.post(url, {}, body, 20), bodies))
    assert [answer.body for answer in answers if isinstance(answer, Response)] == bodies


def test_after_a_fork_the_child_calls_over_connections_of_its_own(client):
    peers = []

    def answer(connection):
        peers.append(connection.getpeername())
        while True:
            read_request(connection)
            connection.sendall(OK)

    with serving(answer) as url:
        post(client, url)
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(0 if isinstance(post(client, url, deadline=10), Response) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert isinstance(post(client, url), Response)
    assert len(set(peers)) == 2


def test_a_call_that_was_given_up_does_not_spoil_the_next(client):
    answered = threading.Event()

    def answer(connection):
        read_request(connection)
        answered.wait(60)
        connection.sendall(OK)

    with serving(answer) as url:
        assert post(client, url, deadline=0.2) == NoAnswer("deadline", sent=True)
        answered.set()
        assert isinstance(post(client, url), Response)


def test_a_closed_client_can_still_be_asked(client):
    """Whoever closes it while another thread calls must not make that call fail."""
    client.close()
    with answering(OK) as url:
        assert isinstance(post(client, url), Response)


# -- TLS ---------------------------------------------------------------------------------------------------------------


def test_closing_waits_for_nothing_that_a_call_took_meanwhile(client):
    """Between a look at what is idle and taking it, another thread may begin a call with the last one."""

    def take(of: type[queue.SimpleQueue | queue.LifoQueue]) -> type:
        def never(_, block=True, timeout=None):
            assert not block, "it would wait for ever"
            raise queue.Empty

        return type("Raced", (of,), {"empty": lambda _: False, "get": never, "get_nowait": lambda q: q.get(False)})

    client._runners = take(queue.SimpleQueue)()
    client._connections._idle[("http", "meta.example")] = take(queue.LifoQueue)()
    client.close()


def test_a_server_that_speaks_no_tls_gets_no_request(client):
    got = []

    def answer(connection):
        got.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(answer) as url:
        outcome = post(client, url.replace("http:", "https:"))
    assert outcome == NoAnswer("tls", sent=False)
    assert b"POST" not in b"".join(got)


def test_a_certificate_that_nobody_vouches_for_is_refused(client, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key, certificate = self_signed(tmp_path)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        try:
            context.wrap_socket(connection, server_side=True)
        except (ssl.SSLError, OSError):
            connection.close()

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    outcome = post(client, f"https://127.0.0.1:{listener.getsockname()[1]}")
    server.join(60)
    listener.close()
    assert outcome == NoAnswer("tls", sent=False)


def self_signed(folder):
    import subprocess

    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


# -- what is said, and what is not -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:99999", "http://[::1", "ftp://x", "http://", "http://a b", "http://x:y"]
)
def test_a_url_that_is_none_is_no_answer_and_shows_nothing(client, url):
    outcome = client.post(f"{url}/secret-token", {}, b"", 5)
    assert isinstance(outcome, NoAnswer) and not outcome.sent and "secret" not in repr(outcome)


def test_a_header_with_a_line_break_is_not_sent(client):
    got = []
    with serving(lambda connection: got.append(connection.recv(65536))) as url:
        outcome = client.post(url, {"X-Evil": "a\r\nHost: elsewhere"}, b"", 5)
    assert isinstance(outcome, NoAnswer) and not outcome.sent and b"elsewhere" not in b"".join(got)
