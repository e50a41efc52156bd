"""Clients without a key that try to stop the server, and a customer beside them who must not notice.

    python -m tests.failures.attacks [seconds]

prints the customer's 99th percentile before and during the attack, and their ratio. The attackers run in a process of
their own at the lowest priority: theirs would be other machines, and these two cores are the server's.
"""

import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.failures.load import Progress, Result, event
from tests.processes import Installation, Process, installation, until

PAGE = b"POST /events HTTP/1.1\r\nHost: x\r\nOrigin: https://shop.example\r\n"
ENDLESS = b"Transfer-Encoding: chunked\r\n\r\n"
MOST_GROWTH = 160
"""MB. Ten clients hold some hundred connections and bodies of 256 kB; a header of 64 MB would not fit."""
Attack = Callable[[int], str]


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def _sent(port: int, *parts: bytes) -> str:
    """The status that came, or "closed"."""
    with _connect(port) as connection:
        try:
            for part in parts:
                connection.sendall(part)
        except OSError:
            pass
        try:
            answer = connection.recv(200)
        except OSError:
            return "closed"
    return answer.split(b" ", 2)[1].decode() if answer.startswith(b"HTTP/1.1 ") else "closed"


def _page(body: bytes) -> bytes:
    return PAGE + b"Content-Length: %d\r\n\r\n" % len(body) + body


def huge_header(port: int) -> str:
    return _sent(port, b"GET / HTTP/1.1\r\nA: ", *[b"a" * 1_000_000] * 64)


def huge_url(port: int) -> str:
    return _sent(port, b"GET /", *[b"a" * 1_000_000] * 64)


def many_headers(port: int) -> str:
    return _sent(port, b"GET / HTTP/1.1\r\nHost: x\r\n", *[b"A: b\r\n" * 1_000] * 200)


def endless_trailers(port: int) -> str:
    return _sent(port, PAGE, ENDLESS, b"1\r\n{\r\n0\r\n", *[b"Ab: c\r\n" * 10_000] * 100)


def endless_chunk_size(port: int) -> str:
    return _sent(port, PAGE, ENDLESS, b"1;", *[b"a" * 100_000] * 20)


def thousand_events(port: int) -> str:
    return _sent(port, _page(json.dumps([event(str(n)) for n in range(1_000)]).encode()))


def hundred_events(port: int) -> str:
    return _sent(port, _page(json.dumps([event(f"{random.random()}-{n}") for n in range(100)]).encode()))


def huge_body(port: int) -> str:
    return _sent(port, _page(b" " * 3_000_000))


def disguise(port: int) -> str:
    """S1, S2: what made scanners and readers slow."""
    values = ["a" * 25_000 + "@", [0] * 60_000, {str(n): n for n in range(10_000)}]
    custom_data = {"x": random.choice(values)}
    return _sent(port, _page(json.dumps(event("s1") | {"custom_data": custom_data}).encode()[:262_000]))


def _held(port: int, start: bytes, drip: bytes = b"", n: int = 40) -> str:
    """Many connections that come to no end."""
    held = []
    try:
        for _ in range(n):
            held.append(_connect(port))
            held[-1].sendall(start)
        for _ in range(12):
            for connection in held:
                connection.sendall(drip)
            threading.Event().wait(1.0)
    except OSError:
        return "closed"
    finally:
        for connection in held:
            connection.close()
    return "held"


def stalled_heads(port: int) -> str:
    return _held(port, b"GET / HTTP/1.1\r\nHost:")


def dripped_heads(port: int) -> str:
    return _held(port, b"GET / HTTP/1.1\r\nHost: ", b"x")


def dripped_bodies(port: int) -> str:
    return _held(port, PAGE + b"Content-Length: 10000\r\n\r\n", b"x")


def unread_answers(port: int) -> str:
    return _held(port, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 15, n=20)


ATTACKS: list[Attack] = [
    huge_header, huge_url, many_headers, endless_trailers, endless_chunk_size, thousand_events, hundred_events,
    huge_body, stalled_heads, dripped_heads, dripped_bodies, unread_answers,
]  # fmt: skip
REFUSED = {"400", "408", "413", "414", "422", "429", "431", "closed", "held"}


def attack(port: int, seconds: float, clients: int = 10, seed: int = 1) -> Counter[str]:
    """Ten clients, each with one attack after the other in an order of its own. What came back, counted."""
    ends_at, heard, lock = time.monotonic() + seconds, Counter[str](), threading.Lock()

    def run(client: int) -> None:
        chance = random.Random(f"{seed}-{client}")
        share = ATTACKS[client::clients]  # so that each is tried, however short the time
        while share or time.monotonic() < ends_at:
            tried = share.pop() if share else chance.choice(ATTACKS)
            try:
                answer = tried(port)
            except OSError:
                answer = "closed"
            with lock:
                heard[f"{tried.__name__} {answer}"] += 1

    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return heard


class Customer:
    """Posts with a key, ten times a second; knows how long each answer took."""

    def __init__(self, here: Installation) -> None:
        self.here, self.seconds, self.statuses = here, list[float](), Counter[int]()

    def post(self) -> None:
        began = time.perf_counter()
        status, _ = self.here.post(event(f"customer-{time.monotonic_ns()}"))
        self.seconds.append(time.perf_counter() - began)
        self.statuses[status] += 1

    def until(self, done: Callable[[], bool], gap: float = 0.1) -> float:
        """The 99th percentile, in seconds."""
        self.seconds.clear()
        while not done():
            self.post()
            threading.Event().wait(gap)
        return statistics.quantiles(self.seconds, n=100)[98]


def resident_of(process: Process) -> int:
    """MB."""
    pages = int(Path(f"/proc/{process.popen.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def attacked(folder: Path, seconds: int, progress: Progress = lambda _: None) -> Result:
    """`seconds` of attacks. Nothing in the verdict depends on how busy the machine is; the note tells the ratio."""
    with installation(folder) as here:
        here.start("--no-worker")
        customer = Customer(here)
        calm_ends = time.monotonic() + max(5, seconds / 4)
        before = customer.until(lambda: time.monotonic() > calm_ends)
        assert here.relay is not None
        memory = resident_of(here.relay)
        # The same process, once more: this file's other verb.
        command = [sys.executable, "-m", "tests.failures.attacks", "--attack", str(here.port), str(seconds)]
        attackers = subprocess.Popen(["nice", "-n", "19", *command], stdout=subprocess.PIPE)
        try:
            during = customer.until(lambda: attackers.poll() is not None)
        finally:
            attackers.kill()
            out, _ = attackers.communicate()
        heard = Counter(json.loads(out))
        progress(f"{sum(heard.values())} attacks")
        until(here.is_ready)
        grown = resident_of(here.relay) - memory
        let_through = {
            what: n for what, n in heard.items() if what.split()[1] not in REFUSED and "hundred_events" not in what
        }
        wrong = {
            f"a customer was answered {dict(customer.statuses)}": set(customer.statuses) - {202},
            f"an attack was answered {let_through}": let_through,
            f"{grown} MB more": grown > MOST_GROWTH,
            "a traceback or an error": any(word in here.logs() for word in ("Traceback", '"level": "ERROR"')),
            "not every attack was tried": len({what.split()[0] for what in heard}) < len(ATTACKS),
        }
        note = f"p99 {before * 1e3:.1f} ms, then {during * 1e3:.1f} ms ({during / before:.1f}x), {grown} MB more"
        verdict = "; ".join(what for what, found in wrong.items() if found) or "kept"
        return Result("ten clients attack", sum(heard.values()), customer.statuses[202], 0, 0, verdict, note)


def main() -> None:
    if sys.argv[1:2] == ["--attack"]:
        print(json.dumps(attack(int(sys.argv[2]), float(sys.argv[3]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        result = attacked(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else 60)
    print(f"{result.rounds} attacks, {result.acknowledged} answers to the customer: {result.verdict}\n{result.note}")


if __name__ == "__main__":
    main()
