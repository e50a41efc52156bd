"""An hour's backlog after an outage: how fast it drains, beside a bare loop that posts the same rows.

    python -m bench.drain [EVENTS]     (default 200,000; 100 ms of latency at Meta)

Meta is played by the least that can read a request and say how many events it held. The bare loop claims nothing,
records nothing and judges nothing; it reads rows in order and posts them with the same number of calls in flight.
"""

import asyncio
import multiprocessing
import queue
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import msgspec
import urllib3

from bench.load import memory_mb, sealed_event
from conversion_relay.cli.serve import spare_memory
from conversion_relay.delivery.transport import GraphTransport
from conversion_relay.delivery.turn import Delivery
from conversion_relay.delivery.worker import Worker
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.settings import Settings

LATENCY = 0.1
BATCH = 1_000
MOST_CALLS = (4, 8, 16)


class Drained(msgspec.Struct):
    """Events per second of ours and of the bare loop; resident memory of ours, in MB and MB per minute."""

    ours: float
    bare: float
    memory: float
    slope: float


def main() -> None:
    report(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)


def report(events: int) -> None:
    title = f"draining {events:,} events, {LATENCY * 1000:.0f} ms at Meta"
    print(f"{title:42}{'ours':>12}{'bare loop':>12}{'ratio':>8}{'RSS':>26}")
    for calls in MOST_CALLS:
        found = measure(events, calls)
        name, memory = f"  {calls} calls in flight (events/s)", f"{found.memory:.0f} MB, {found.slope:+.1f} MB/min"
        print(f"{name:42}{found.ours:12,.0f}{found.bare:12,.0f}{found.ours / found.bare:8.2f}{memory:>26}", flush=True)


def measure(events: int, calls: int) -> Drained:
    ready: multiprocessing.Queue[int] = multiprocessing.Queue()
    meta = multiprocessing.Process(target=_meta, args=(ready,), daemon=True)
    meta.start()
    url = f"http://127.0.0.1:{ready.get()}"
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "outbox.db")
            _fill(path, events)
            bare = _bare_loop(path, url, calls, events)
            ours, samples = _ours(path, url, calls, events)
        return Drained(ours, bare, samples[-1][1], _slope(samples))
    finally:
        meta.terminate()


def _slope(samples: list[tuple[float, float]]) -> float:
    """MB per minute, by least squares, once the first third has warmed up; 0 when the run was too short to tell: a page
    more or less is 10 MB a minute in the first seconds."""
    warm = samples[len(samples) // 3 :]
    if len(warm) < 40:
        return 0.0
    return 60 * statistics.linear_regression(*zip(*warm, strict=True)).slope


def _fill(path: Path, events: int) -> None:
    outbox = SqliteOutbox(str(path))
    accepted_at = time.time() - 3_600
    for first in range(0, events, BATCH):
        outbox.put([sealed_event(n, accepted_at) for n in range(first, min(events, first + BATCH))], accepted_at)
    outbox.tidy(time.time())  # as a worker does every second of that hour
    outbox.close()


def _ours(path: Path, url: str, calls: int, events: int) -> tuple[float, list[tuple[float, float]]]:
    """Events/s, and (second, resident MB) four times a second."""
    spare_memory()  # as `serve` does
    settings = Settings.from_env(
        {"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x", "META_GRAPH_URL": url, "RELAY_MOST_CALLS": str(calls)}
    )
    outbox, transport = SqliteOutbox(str(path)), GraphTransport()
    worker = Worker(Delivery(outbox, transport, settings), outbox)
    drained = threading.Event()
    samples = [(time.perf_counter(), memory_mb())]

    def watch() -> None:
        while not drained.wait(0.25):
            samples.append((time.perf_counter(), memory_mb()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    worker.start()
    while outbox.counts()["1"].delivered < events:
        drained.wait(0.1)
    took = time.perf_counter() - started
    drained.set()
    watcher.join()
    worker.stop()
    outbox.close()
    transport.close()
    return events / took, samples


def _bare_loop(path: Path, url: str, calls: int, events: int) -> float:
    pool = urllib3.PoolManager(maxsize=calls, retries=False)
    batches: queue.Queue[bytes] = queue.Queue(calls)

    def post(_: int) -> None:
        while body := batches.get():
            pool.request("POST", f"{url}/v27.0/1/events", body=body, headers={"Authorization": "Bearer x"})

    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    started = time.perf_counter()
    with ThreadPoolExecutor(calls) as threads:
        posts = [threads.submit(post, n) for n in range(calls)]
        for first in range(0, events, BATCH):
            rows = db.execute("SELECT body FROM body WHERE key > ? AND key <= ?", (first, first + BATCH)).fetchall()
            batches.put(b'{"data":[' + b",".join([body for (body,) in rows]) + b"]}")
        for _ in posts:
            batches.put(b"")
    took = time.perf_counter() - started
    db.close()
    return events / took


def _meta(ready: "multiprocessing.Queue[int]") -> None:
    asyncio.run(_serve(ready))


async def _serve(ready: "multiprocessing.Queue[int]") -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, limit=1 << 21)
    ready.put(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            await asyncio.sleep(LATENCY)
            said = b'{"events_received":%d,"messages":[],"fbtrace_id":"A"}' % body.count(b'"event_name"')
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(said))
            writer.write(said)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


if __name__ == "__main__":
    main()
