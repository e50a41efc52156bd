"""Meta, played by the least that can read a request and say how many events it held. It costs 2 us an event, so that it
is not what is measured.

    python -m bench.stand_in PORT

A load generator writes the nanosecond of sending into each event id (`traffic.ID_MARK`), so the delay of an event is
known here. `POST /bench?latency_ms=100&hang=7,8` sets how long answers take, and datasets that are never answered;
`&forget=1` forgets what was seen. `GET /bench` tells what was seen since.
"""

import asyncio
import json
import re
import sys
import time
from array import array
from collections import defaultdict
from urllib.parse import parse_qs, urlsplit

EVENT_ID = re.compile(
    rb'event_id(?:\\|%5C)?(?:"|%22)(?::|%3A)(?:\+|%20|\s)?(?:\\|%5C)?(?:"|%22)(r[0-9a-f]{8}-([0-9a-f]{16}))'
)
"""In JSON, in JSON within JSON, and both in a form, as Meta's Python SDK sends it."""
HANG_SECONDS = 30.0


class Seen:
    """Since it was last asked to forget."""

    def __init__(self) -> None:
        self.requests, self.events, self.bytes = 0, 0, 0
        self.ids: set[bytes] = set()
        self.delays: dict[str, array[float]] = defaultdict(lambda: array("d"))

    def take(self, dataset: str, body: bytes) -> int:
        now, found = time.time_ns(), EVENT_ID.findall(body)
        delays = self.delays[dataset]
        for event_id, sent in found:
            self.ids.add(event_id)
            delays.append((now - int(sent, 16)) / 1e6)
        self.requests, self.events, self.bytes = self.requests + 1, self.events + len(found), self.bytes + len(body)
        return len(found)

    def told(self) -> dict[str, object]:
        return {
            "requests": self.requests,
            "events": self.events,
            "distinct": len(self.ids),
            "bytes": self.bytes,
            "by_dataset": {dataset: len(delays) for dataset, delays in self.delays.items()},
            "delays_ms": {dataset: _summary(sorted(delays)) for dataset, delays in self.delays.items()},
        }


def _summary(ordered: list[float]) -> list[float]:
    """At most 200 of them, evenly spread, the largest included."""
    step = max(1, len(ordered) // 200)
    return ordered[::-1][::step]


class Meta:
    def __init__(self) -> None:
        self.seen, self.latency = Seen(), 0.0
        self.hanging: list[str] = []

    async def serve(self, port: int) -> None:
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), "127.0.0.1", port, backlog=2048
        )
        await server.serve_forever()

    def control(self, query: dict[str, list[str]]) -> None:
        self.latency = float(query.get("latency_ms", [str(self.latency * 1000)])[0]) / 1000
        if "hang" in query:
            self.hanging = query["hang"][0].split(",")
        if "forget" in query:
            self.seen = Seen()


class Connection(asyncio.Protocol):
    """One request at a time, as HTTP/1.1 without pipelining has it."""

    def __init__(self, meta: Meta) -> None:
        self.meta, self.buffer, self.body_at, self.length = meta, bytearray(), 0, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.body_at:
            at = self.buffer.find(b"\r\n\r\n")
            if at < 0:
                return
            head = bytes(self.buffer[:at]).lower()
            self.body_at, self.length = at + 4, int((re.search(rb"content-length: *(\d+)", head) or [0, 0])[1])
            if b"expect: 100-continue" in head:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # type: ignore[attr-defined]
        if len(self.buffer) - self.body_at >= self.length:
            method, target, _ = bytes(self.buffer.partition(b"\r\n")[0]).decode().split()
            body = bytes(self.buffer[self.body_at : self.body_at + self.length])
            self.buffer, self.body_at = bytearray(), 0
            self._answer(method, target, body)

    def _answer(self, method: str, target: str, body: bytes) -> None:
        meta, url = self.meta, urlsplit(target)
        if url.path == "/bench":
            if method == "POST":
                meta.control(parse_qs(url.query))
            self._say(json.dumps(meta.seen.told()).encode())
            return
        dataset = url.path.split("/")[-2]
        wait = HANG_SECONDS if dataset in meta.hanging else meta.latency
        said = b'{"events_received":%d,"messages":[],"fbtrace_id":"A"}' % meta.seen.take(dataset, body)
        asyncio.get_running_loop().call_later(wait, self._say, said)

    def _say(self, body: bytes) -> None:
        if not self.transport.is_closing():
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            self.transport.write(head + body)  # type: ignore[attr-defined]


if __name__ == "__main__":
    try:
        import uvloop

        uvloop.run(Meta().serve(int(sys.argv[1])))
    except ImportError:
        asyncio.run(Meta().serve(int(sys.argv[1])))
