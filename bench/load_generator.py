"""Puts a server under load from one process, with plain sockets and epoll: 20 us a request, a third of what the barest
server costs.

    python -m bench.load_generator '{"port": 8000, "events": "traffic.jsonl", "seconds": 4, "connections": 50}'

Closed loop by default: each connection sends when it has its answer. With `rate` it is an open loop: requests are due
at fixed moments whatever the server does, and a latency counts from the moment at which its request was due, so a
server that stalls cannot hide it (https://www.scylladb.com/2021/04/22/on-coordinated-omission/ tells why).

Each event gets an id of its own that says when it was sent (`traffic.ID_MARK`). `datasets`: API keys k0000 to k9999
take turns. `per_request`: so many events in one body.
"""

import json
import os
import select
import socket
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import msgspec

from bench.figures import percentile
from bench.traffic import ID_DIGITS, ID_MARK

GIVES_UP = 60.0
"""Seconds without any answer."""


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    port: int
    events: str
    seconds: float
    connections: int = 50
    rate: float = 0.0
    per_request: int = 1
    datasets: int = 1
    first_dataset: int = 0
    requests: int = 0
    """So many, however long that takes; 0: as many as fit into the seconds."""
    path: str = "/events"


class Templates:
    """Requests with a hole for each event id."""

    def __init__(self, plan: Plan, run: bytes) -> None:
        documents = Path(plan.events).read_bytes().splitlines()
        n = plan.per_request
        groups = [documents[at : at + n] for at in range(0, len(documents) - n + 1, n)][:5_000]
        self._split = [self._parts(plan, group, run) for group in groups]
        self._datasets, self._first, self._n = plan.datasets, plan.first_dataset, 0

    @staticmethod
    def _parts(plan: Plan, group: list[bytes], run: bytes) -> list[bytes]:
        body = group[0] if plan.per_request == 1 else b'{"data":[' + b",".join(group) + b"]}"
        head = f"POST {plan.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\nAuthorization: Bearer k"
        pieces, mark = [head.encode(), b"\r\n\r\n"], len(ID_MARK)
        while (at := body.find(ID_MARK)) >= 0:
            pieces[-1] += body[:at] + run
            pieces.append(b"")
            body = body[at + mark + ID_DIGITS :]
        pieces[-1] += body
        return pieces

    def next(self) -> bytes:
        pieces = self._split[self._n % len(self._split)]
        key, self._n = self._first + self._n % self._datasets, self._n + 1
        sent = time.time_ns()
        request = [pieces[0], b"%04d" % key, pieces[1]]
        for number, piece in enumerate(pieces[2:]):
            request += (b"%016x" % (sent + number), piece)
        return b"".join(request)


class Connection:
    def __init__(self, plan: Plan) -> None:
        self.socket = socket.create_connection(("127.0.0.1", plan.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due, self.buffer = 0.0, b""

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self.socket.setblocking(True)  # the barest server takes a large body late; then waiting is what a client does
        self.socket.sendall(request)
        self.socket.setblocking(False)

    def status(self) -> int | None:
        """None until the answer is whole. Raises ConnectionError when the server closed."""
        data = self.socket.recv(262_144)
        if not data:
            raise ConnectionError
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            return None
        self.buffer = b""
        return int(head[9:12])


def load(plan: Plan) -> dict[str, Any]:
    templates = Templates(plan, b"r%08x-" % (os.getpid() ^ time.time_ns() // 1000 & 0xFFFFFFFF))
    epoll, connections = select.epoll(), {}
    for _ in range(plan.connections):
        one = Connection(plan)
        connections[one.socket.fileno()] = one
        epoll.register(one.socket.fileno(), select.EPOLLIN)
    free, latencies, statuses = deque(connections.values()), [], Counter[int]()
    started = last = time.perf_counter()
    # An open loop sends all that was due, also late, or an overload would leave out the slowest.
    most = plan.requests or int(plan.rate * plan.seconds) or sys.maxsize
    ends = started + plan.seconds if most == sys.maxsize else float("inf")
    sent = busy = 0
    while True:
        now = time.perf_counter()
        while free and now < ends and sent < most:
            due = started + sent / plan.rate if plan.rate else now
            if due > now:
                break
            free.popleft().send(templates.next(), due)
            sent, busy, now = sent + 1, busy + 1, time.perf_counter()
        if not busy and (now >= ends or sent >= most or not free):
            break
        if busy and now - last > GIVES_UP:
            break
        wait = 0.2
        if plan.rate and free and sent < most:
            # Until the next request is due. epoll rounds up to milliseconds, so the last one is waited for without it:
            # a request that is sent late would look like a slow answer.
            wait = max(0.0, min(0.2, int((started + sent / plan.rate - now) * 1e3) / 1e3 - 0.001))
        for file, _ in epoll.poll(wait):
            one = connections[file]
            try:
                status = one.status()
            except OSError:
                epoll.unregister(file)
                statuses[0], busy = statuses[0] + 1, busy - 1
                continue
            if status is not None:
                last = time.perf_counter()
                latencies.append((last - one.due) * 1e3)
                statuses[status], busy = statuses[status] + 1, busy - 1
                free.append(one)
    statuses[0] += busy  # never answered
    latencies.sort()
    took = max(last, started + 1e-6) - started
    return {
        "requests": sent,
        "answered": statuses[202],
        "other": {str(status): n for status, n in statuses.items() if status != 202 and n},
        "seconds": took,
        "per_second": statuses[202] / took,
        "p50_ms": percentile(latencies, 0.5),
        "p99_ms": percentile(latencies, 0.99),
        "max_ms": latencies[-1] if latencies else float("nan"),
    }


if __name__ == "__main__":
    print(json.dumps(load(msgspec.json.decode(sys.argv[1], type=Plan))))
