"""The load generator against a server of ten lines: what it sends, and what it counts."""

import re
import socket
import threading

import pytest

from bench import traffic
from bench.load_generator import Plan, load

NOW = 1_795_435_200.0
STALL = 1.0


@pytest.fixture
def events(tmp_path) -> str:
    return str(traffic.write(tmp_path / "events.jsonl", 20, seed=1, now=NOW))


class Server:
    """Answers one connection after the other; the first answer comes late."""

    def __init__(self, status: int = 202, stall: float = 0.0) -> None:
        self.status, self.stall = status, stall
        self.bodies: list[bytes] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self.socket.accept()
        with connection, connection.makefile("rb") as lines:
            while head := lines.readline():
                while (line := lines.readline()) != b"\r\n":
                    head += line
                self.bodies.append(lines.read(int(re.search(rb"Content-Length: (\d+)", head)[1])))
                threading.Event().wait(self.stall if len(self.bodies) == 1 else 0)
                connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n{}" % self.status)


def test_every_event_has_an_id_of_its_own_and_is_valid_traffic(events):
    server = Server()
    found = load(Plan(port=server.port, events=events, seconds=0, connections=1, requests=50))
    assert found["requests"] == found["answered"] == 50 and found["other"] == {}
    ids = [re.search(rb'"event_id":"(r[0-9a-f]{8}-[0-9a-f]{16})"', body)[1] for body in server.bodies]
    assert len(set(ids)) == 50


def test_a_bulk_request_holds_different_events(events):
    server = Server()
    load(Plan(port=server.port, events=events, seconds=0, connections=1, requests=3, per_request=10))
    assert [len(set(re.findall(rb'"event_id":"([^"]+)"', body))) for body in server.bodies] == [10] * 3


def test_other_answers_are_not_counted_as_accepted(events):
    server = Server(status=503)
    found = load(Plan(port=server.port, events=events, seconds=0, connections=1, requests=5))
    assert found["answered"] == 0 and found["other"] == {"503": 5}


def test_in_an_open_loop_a_stall_shows_in_every_request_that_was_due_meanwhile(events):
    server = Server(stall=STALL)
    found = load(Plan(port=server.port, events=events, seconds=STALL, connections=1, rate=50))
    assert found["answered"] == 50
    assert found["p50_ms"] > 300, "half of the requests were due in the first half of the stall"
