"""What `track` adds to a request of a shop, with a Meta that hangs: `python -m bench.shops [RATE [SECONDS [ROUNDS]]]`.

The Django and the FastAPI shop of examples/ run as real servers (gunicorn with threads, uvicorn), each three times side
by side: as it is; with `track` taken out; and with one write and fsync in its place, which is the least that a durable
event can cost. Requests are due at fixed moments, RATE a second for each server, and go to the three in turn, so that
what disturbs one disturbs all. A latency counts from the moment at which the request was due. On the disk first, then
in /dev/shm, where an fsync is free and what is left is ours.

With BENCH_FIRST=1 servers and visitors come before all other work of the machine (SCHED_RR; root alone may ask for
that). On a machine that others use, too, the figures are the scheduler's without it.
"""

import os
import select
import socket
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from statistics import median

from bench.figures import percentile
from bench.machine import Running, put_first
from bench.rounds import ROOT

IN_MEMORY = Path("/dev/shm")
KINDS = ("without", "fsync", "track")
SERVERS = {
    "django": ["gunicorn", "--threads", "8", "--keep-alive", "60", "--log-level", "error", "--bind"],
    "fastapi": ["uvicorn", "--factory", "--log-level", "error", "--no-access-log", "--port"],
}
BODIES = {
    "django": ("application/x-www-form-urlencoded", b"email=jane@shop.example&total=9.5"),
    "fastapi": ("application/json", b'{"email": "jane@shop.example", "total": 9.5}'),
}
CONNECTIONS = 16
"""To each server at once, at most."""
WARM = 50


def main(rate: float, seconds: float, rounds: int) -> None:
    put_first(os.getpid())
    for beneath in (None, IN_MEMORY):
        if beneath is None or beneath.is_dir():
            for shop in SERVERS:
                print(f"{shop}, {'in memory, where an fsync is free' if beneath else 'on the disk'}")
                say(measured(shop, beneath, rate, seconds, rounds))


def say(rounds: list[dict[str, list[float]]]) -> None:
    """Medians over the rounds, of the figures and of how much more each is than without `track` in the same round."""
    for kind in KINDS:
        told = []
        for share in (0.5, 0.99):
            figures = [percentile(sorted(took[kind]), share) for took in rounds]
            more = [at - percentile(sorted(took["without"]), share) for at, took in zip(figures, rounds, strict=True)]
            told.append(f"p{share * 100:.0f} {median(figures):6.2f} ms ({median(more):+.2f})")
        print(f"  {kind:8} {'   '.join(told)}", flush=True)
    by_round = [percentile(sorted(took["track"]), 0.99) - percentile(sorted(took["without"]), 0.99) for took in rounds]
    print(f"  p99 of track more than without, by round: {', '.join(f'{more:+.1f}' for more in by_round)}", flush=True)


def measured(shop: str, beneath: Path | None, rate: float, seconds: float, rounds: int) -> list[dict[str, list[float]]]:
    """Milliseconds of each request, for each round."""
    with tempfile.TemporaryDirectory(dir=beneath) as folder, socket.create_server(("127.0.0.1", 0)) as hanging:
        running: list[Running] = []
        try:
            visitors = []
            for kind in KINDS:
                place = Path(folder, kind)
                place.mkdir()
                running.append(started(shop, kind, place, hanging.getsockname()[1], port := free_port()))
                visitors.append(Visitors(shop, port))
            for one in visitors:
                one.wait_until_open()
            visit(visitors, rate, WARM)
            took = [visit(visitors, rate, int(rate * seconds)) for _ in range(rounds)]
        except RuntimeError:
            print(*(process.last_words() for process in running), sep="\n", file=sys.stderr)
            raise
        finally:
            for process in running:
                process.end()
    return [dict(zip(KINDS, one, strict=True)) for one in took]


def started(shop: str, kind: str, place: Path, meta: int, port: int) -> Running:
    at = f"127.0.0.1:{port}" if shop == "django" else str(port)
    environment = {
        "META_PIXEL_ID": "1",
        "META_ACCESS_TOKEN": "x",
        "META_GRAPH_URL": f"http://127.0.0.1:{meta}",
        "RELAY_OUTBOX": f"sqlite:///{place}/outbox.db",
        "SHOP_DATABASE": f"{place}/shop.db",
        "BENCH_KIND": kind,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'examples' / f'{shop}_shop'}",
    }
    app = "bench.shop_apps:django()" if shop == "django" else "bench.shop_apps:fastapi"
    server = Running([sys.executable, "-m", *SERVERS[shop], at, app], None, environment)
    put_first(server.pid)
    return server


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Visitors:
    """Connections to one server, kept open; each waits for one answer at most."""

    def __init__(self, shop: str, port: int) -> None:
        kind, body = BODIES[shop]
        head = f"POST /checkout HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Mozilla/5.0\r\nContent-Type: {kind}\r\n"
        cookies = "Cookie: _fbp=fb.1.1596403881668.1116446470; marketing=granted\r\n"
        self.request = f"{head}{cookies}Content-Length: {len(body)}\r\n\r\n".encode() + body
        self.port, self.took, self.free = port, list[float](), deque["Connection"]()

    def wait_until_open(self) -> None:
        ends = time.monotonic() + 30
        while True:
            try:
                self.free = deque(Connection(self) for _ in range(CONNECTIONS))
                return
            except OSError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.05)


class Connection:
    def __init__(self, of: Visitors) -> None:
        self.of, self.due, self.buffer = of, 0.0, b""
        self.socket = socket.create_connection(("127.0.0.1", of.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, due: float) -> None:
        self.due, self.buffer = due, b""
        self.socket.sendall(self.of.request)

    def is_answered(self) -> bool:
        """Raises RuntimeError for anything but an order that was taken."""
        data = self.socket.recv(65_536)
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not data or (found and head[9:12] != b"200"):
            raise RuntimeError(f"the shop answered {self.buffer[:300]!r}")
        if not found:
            return False
        if b"chunked" in head:
            return body.endswith(b"0\r\n\r\n")
        return len(body) >= int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])


def visit(visitors: list[Visitors], rate: float, requests: int) -> list[list[float]]:
    """`requests` to each, in an open loop: what is late counts from when it was due."""
    for one in visitors:
        one.took = []
    epoll, known = select.epoll(), {c.socket.fileno(): c for one in visitors for c in one.free}
    for number in known:
        epoll.register(number, select.EPOLLIN)
    every = 1 / rate / len(visitors)
    started, sent, most, busy = time.perf_counter(), 0, requests * len(visitors), 0
    while sent < most or busy:
        now = time.perf_counter()
        while sent < most and started + sent * every <= now and visitors[sent % len(visitors)].free:
            one = visitors[sent % len(visitors)]
            one.free.popleft().send(started + sent * every)
            sent, busy = sent + 1, busy + 1
        # epoll rounds up to milliseconds: the last one is waited for without it.
        wait = started + sent * every - now if sent < most else 0.1
        for number, _ in epoll.poll(max(0.0, min(0.1, int(wait * 1e3) / 1e3 - 0.001))):
            connection = known[number]
            if connection.is_answered():
                connection.of.took.append((time.perf_counter() - connection.due) * 1e3)
                connection.of.free.append(connection)
                busy -= 1
    epoll.close()
    return [one.took for one in visitors]


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    rate, seconds, rounds = [*given, *(30, 10, 7)[len(given) :]]
    main(rate, seconds, int(rounds))
