"""What `track` adds to a request, with a Meta that hangs: `python -m bench.library [EVENTS]`.

Each figure stands beside one write and fsync of the same disk, measured in turn with it, since a busy disk slows both.
`fsync` is the least that a durable event can cost; the ratio is what holds on another machine. Then the same in
/dev/shm, where an fsync is free and what is left is ours; there it stands beside `turn`, 1 ms of arithmetic in the same
process, which shows how long the machine lets anybody wait.

Called in a thread, as a server with threads calls it: an event of the main thread goes through another one, since a
signal handler may come in between. `BENCH_FIRST=1` as of `bench.shops`, which measures whole requests.
"""

import asyncio
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.machine import put_first
from conversion_relay import CustomData, Event, Relay, UserData

IN_MEMORY = Path("/dev/shm")


def main(events: int) -> None:
    print("on the disk")
    measure(events, None, "fsync")
    if IN_MEMORY.is_dir():
        print("in memory, where an fsync is free")
        measure(events, IN_MEMORY, "turn")


def measure(events: int, beneath: Path | None, baseline: str) -> None:
    with tempfile.TemporaryDirectory(dir=beneath) as folder, socket.create_server(("127.0.0.1", 0)) as hanging:
        env = {
            "META_PIXEL_ID": "1",
            "META_ACCESS_TOKEN": "x",
            "META_GRAPH_URL": f"http://127.0.0.1:{hanging.getsockname()[1]}",
            "RELAY_OUTBOX": f"sqlite:///{folder}/outbox.db",
        }
        with Relay.from_env(env) as relay, Path(folder, "probe").open("wb") as probe:
            relay.start_delivery()
            relay.track(purchase(-1))  # opens the file, loads what is loaded when first used

            def fsync(n: int) -> None:
                probe.write(b"x" * 4096)
                probe.flush()
                os.fsync(probe.fileno())

            loop = asyncio.new_event_loop()
            took = timed(
                events,
                fsync=fsync,
                turn=turn,
                track=lambda n: relay.track(purchase(n)),
                track_async=lambda n: loop.run_until_complete(relay.track_async(purchase(events + n))),
            )
            loop.close()
    for name, seconds in took.items():
        p50, p99 = (sorted(seconds)[int(len(seconds) * share)] * 1000 for share in (0.5, 0.99))
        least = sorted(took[baseline])[int(len(seconds) * 0.99)] * 1000
        print(f"{name:12} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms   p99 to {baseline}'s {p99 / least:5.1f}")


def turn(_: int) -> None:
    """About as much work as a `track` without a disk, and none of it ours."""
    until = time.thread_time() + 0.001
    while time.thread_time() < until:
        pass


def timed(rounds: int, **work: Callable[[int], object]) -> dict[str, list[float]]:
    """Seconds of each call; one of each in turn."""
    took: dict[str, list[float]] = {name: [] for name in work}
    for n in range(rounds):
        for name, call in work.items():
            began = time.perf_counter()
            call(n)
            took[name].append(time.perf_counter() - began)
    return took


def purchase(n: int) -> Event:
    person = UserData(email=f"jane{n}@shop.example", phone="+1 650 555 1212", first_name="Jane", last_name="Smith")
    worth = CustomData(value=299.99, currency="EUR", order_id=str(n))
    return Event(event_name="Purchase", event_id=f"purchase_{n}", user_data=person, custom_data=worth)


if __name__ == "__main__":
    put_first(os.getpid())
    calls = threading.Thread(target=main, args=(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000,))
    calls.start()
    calls.join()
