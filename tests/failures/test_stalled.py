"""Clients that come to no end, at every door of the demo: each is closed, and the person beside them is served."""

import contextlib
import select
import socket

import pytest

from tests.processes import API_KEY, Process, call, free_pair, until

JSON = "Content-Type: application/json\r\n"
STALLED = {
    "nothing at all": "",
    "half a head": "GET / HTTP/1.1\r\nHost: x",
    "half a second head": "GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /liv",
    **{
        f"half a body at {path}": f"POST {path} HTTP/1.1\r\nHost: x\r\n{JSON}Content-Length: 90\r\n\r\n{{"
        for path in ("/register", "/contact", "/view-content", "/payment-webhook", "/events", "/visitors", "/nothing")
    },
    "half a chunk": "POST /register HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "half a body with a key": f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_KEY}\r\n"
    "Content-Length: 90\r\n\r\n{",
    "half a body of a page": "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n{",
}
DRIPPED = {
    "dripped head": "GET / HTTP/1.1\r\nHost: x",
    "dripped body": "POST /register HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n{",
    "dripped trailer": "POST /register HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ",
}


def never_reads(port: int) -> socket.socket:
    """Asks until nothing more is taken from it, and reads nothing of what it is answered."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.connect(("127.0.0.1", port))
    connection.setblocking(False)
    asked = b"GET /meta-tracking.js HTTP/1.1\r\nHost: x\r\n\r\n"
    while select.select([], [connection], [], 1.0)[1]:
        try:
            connection.send(asked * 8)
        except ConnectionError:
            break
    return connection


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(65_536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def is_reset(connection: socket.socket) -> bool:
    """Told without reading: to read would make room for what it must not get."""
    poll = select.poll()
    poll.register(connection, select.POLLERR | select.POLLHUP | select.POLLRDHUP)
    return bool(poll.poll(0))


@pytest.mark.timeout(200)
def test_who_comes_to_no_end_is_closed_and_no_error_is_logged(tmp_path):
    port = free_pair()
    demo = Process("demo", "--port", str(port), log=tmp_path / "demo.log", env={"RELAY_API_KEYS": API_KEY})
    try:
        until(lambda: call("GET", f"http://127.0.0.1:{port}/readyz")[0] == 200)
        clients = {what: socket.create_connection(("127.0.0.1", port)) for what in STALLED | DRIPPED}
        for what, start in (STALLED | DRIPPED).items():
            clients[what].sendall(start.encode())
        unread = never_reads(port)

        def all_closed() -> bool:
            assert call("GET", f"http://127.0.0.1:{port}/")[0] == 200
            for what in DRIPPED:
                with contextlib.suppress(OSError):
                    clients[what].send(b"x")
            return all(is_closed(client) for client in clients.values())

        until(all_closed, seconds=100, every=0.5)
        until(lambda: is_reset(unread), seconds=100, every=0.5)
        for client in (*clients.values(), unread):
            client.close()
    finally:
        demo.end()
    log = (tmp_path / "demo.log").read_text()
    assert "Traceback" not in log and "ERROR" not in log
