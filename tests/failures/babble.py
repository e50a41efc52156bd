"""A server at Meta's address that answers anything: random statuses, headers, bytes and delays.

Delivery runs as it is, over real sockets; only its clocks go a thousand times as fast, so that pauses of minutes pass.
Nothing may be lost, killed or believed to be delivered; when the server becomes Meta again, everything is.
"""

import json
import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from conversion_relay.delivery.transport import GraphTransport
from conversion_relay.delivery.turn import Delivery
from conversion_relay.event import SealedEvent
from conversion_relay.outbox import open_outbox
from conversion_relay.settings import Settings
from tests.delivery.standins import wire
from tests.failures.load import Progress, Result
from tests.hostile_server import read_request, reset, serving
from tests.processes import until

FASTER = 1_000.0
EVENTS = 300
CODES = [0, 1, 2, 4, 5, 10, 12, 17, 190, 200, 368, 803, 2500, 5000, 10**400, "100", 100.0, True, None, [], {"a": 1}]
SUBCODES = [None, 33, 463, 2804003.0, "2804009", True, 2804999]
HEADERS = ["Retry-After", "Date", "X-App-Usage", "X-Business-Use-Case-Usage", "X-Ad-Account-Usage", "Content-Type"]
VALUES = [
    "9" * 400,
    "-1",
    "NaN",
    "",
    "Thu, 01 Jan 2099 00:00:00 GMT",
    "Thu, 99 Foo 0000",
    '{"call_count":1e999}',
    "[" * 3_000,
]


class Babbler:
    """Answers each request with nonsense until it is told to be Meta; counts what it was asked."""

    def __init__(self, seed: int) -> None:
        self.random, self.lock = random.Random(seed), threading.Lock()
        self.is_meta, self.answers = False, 0
        self.got: set[str] = set()

    def __call__(self, connection: socket.socket) -> None:
        while True:
            _, _, body = read_request(connection).partition(b"\r\n\r\n")
            ids = [event["event_id"] for event in json.loads(body)["data"]]
            with self.lock:
                self.answers += 1
                answer, delay = (self.taken(ids), 0.0) if self.is_meta else self.nonsense(ids)
            time.sleep(delay)
            if answer is None:
                reset(connection)
                return
            connection.sendall(answer)

    def taken(self, ids: list[str]) -> bytes:
        self.got.update(ids)
        return _http(200, [], json.dumps({"events_received": len(ids), "fbtrace_id": "A"}).encode())

    def nonsense(self, ids: list[str]) -> tuple[bytes | None, float]:
        choose = self.random.choice
        delay = choose([0.0] * 20 + [0.02, 0.5])
        kind = choose(["bytes", "reset", "status", "status", "error", "error", "count"])
        if kind == "bytes":
            return self.random.randbytes(choose([1, 40, 5_000])), delay
        if kind == "reset":
            return None, delay
        headers = [(choose(HEADERS), choose(VALUES)) for _ in range(choose([0, 1, 4]))]
        status = choose([*range(200, 600, 7), 400, 429, 500, 503, 100, 999])
        body = self.random.randbytes(choose([0, 30, 2_000]))
        if kind == "count":
            wrong = choose([0, -1, len(ids) + 1, str(len(ids)), None, 10**400])
            status, body = 200, json.dumps({"events_received": wrong, "fbtrace_id": "A"}).encode()
        elif kind == "error":
            error = {
                "code": choose(CODES),
                "error_subcode": choose(SUBCODES),
                "message": choose(["", "x" * 9_000, "\x00"]),
            }
            body = json.dumps({"error": error}).encode()
            status = choose([200, 400, 403, 500, 418])
        return _http(status, headers, body), delay


def _http(status: int, headers: list[tuple[str, str]], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def babble(folder: Path, answers: int, progress: Progress = lambda _: None, seconds: float = 0.0) -> Result:
    """At least so many answers, and for so many seconds."""
    started = time.monotonic()
    faster: Callable[[], float] = lambda: 1_795_435_200.0 + (time.monotonic() - started) * FASTER  # noqa: E731
    babbler = Babbler(seed=answers)
    outbox = open_outbox(f"sqlite:///{folder}/outbox.db")
    now = int(faster())
    ids = [f"e{n}" for n in range(EVENTS)]
    times = {"event_time": now, "expires_at": now + 60 * 86_400}
    outbox.put([SealedEvent(dataset="1", event_name="Lead", event_id=i, body=wire(i), **times) for i in ids], now)
    with serving(babbler) as url:
        environ = {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "EAAx", "META_GRAPH_URL": url, "META_APP_SECRET": "hush"}
        delivery = Delivery(
            outbox, GraphTransport(), Settings.from_env(environ), clock=faster, steady_clock=faster, deadline=0.3
        )
        failures: list[str] = []
        stopping = threading.Event()
        workers = [threading.Thread(target=_work, args=(delivery, stopping, failures)) for _ in range(3)]
        [worker.start() for worker in workers]
        try:
            while not failures and (babbler.answers < answers or time.monotonic() - started < seconds):
                time.sleep(0.02)
                progress(f"{babbler.answers} answers")
            book = outbox.counts()["1"]
            trouble = "" if (book.dead, book.expired, book.delivered) == (0, 0, 0) else f"believed: {book}"
            babbler.is_meta = True
            until(lambda: outbox.counts()["1"].delivered == EVENTS, 60)
        finally:
            stopping.set()
            [worker.join() for worker in workers]
            outbox.close()
    trouble = "; ".join(failures) or trouble
    lost = EVENTS - len(babbler.got)
    return Result("random answers", 1, EVENTS, lost, 0, "kept", f"{babbler.answers} answers").unless(trouble)


def _work(delivery: Delivery, stopping: threading.Event, failures: list[str]) -> None:
    """A worker by itself would sleep for real seconds."""
    while not stopping.is_set():
        try:
            if delivery.step() is None:
                time.sleep(0.002)
        except Exception as error:
            failures.append(f"a turn raised {type(error).__name__}: {error}")
            return


def for_minutes(folder: Path, minutes: int, progress: Progress = lambda _: None) -> Result:
    return babble(folder, 1, progress, seconds=60.0 * minutes)
