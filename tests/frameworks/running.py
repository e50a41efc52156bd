"""A shop as real processes: a server with its workers, visitors who check out, and kill -9."""

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from tests.frameworks.shops import EXAMPLES, HEADERS
from tests.processes import free_port, until

MORE = int(os.environ.get("SHOP_ORDERS", "40"))
ORDER = re.compile(rb"purchase_[0-9a-f-]+")


class Server:
    """One command and the processes that it starts; they are ended by their ids."""

    def __init__(self, folder: str, command: list[str], env: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=EXAMPLES / folder,
                env=os.environ | {"PYTHONPATH": str(EXAMPLES.parent)} | env,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def workers(self) -> list[int]:
        """Its children and theirs: a process may start helpers of its own."""
        return _below(self.process.pid)

    def kill_a_worker(self) -> None:
        os.kill(self.workers()[-1], signal.SIGKILL)

    def kill(self) -> None:
        """All of its processes, at once: the machine lost its power."""
        workers = self.workers()
        for pid in (self.process.pid, *workers):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()


def _below(pid: int) -> list[int]:
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [found for child in children for found in (child, *_below(child))]


@contextmanager
def running(folder: str, command: list[str], env: dict[str, str], log: Path) -> Iterator[Server]:
    server = Server(folder, command, env, log)
    try:
        yield server
    finally:
        server.kill()


class Visitors:
    """Some that check out again and again; what the shop confirmed is in `confirmed`."""

    def __init__(self, port: int, *, form: bool) -> None:
        self.port, self.form = port, form
        self.confirmed: set[str] = set()
        self.failed = 0
        self._lock = threading.Lock()

    def check_out(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        cart: dict[str, str] = {"email": "jane@shop.example", "total": "9.5"}
        kind = "application/x-www-form-urlencoded" if self.form else "application/json"
        body = urlencode(cart) if self.form else '{"email": "jane@shop.example", "total": 9.5}'
        try:
            connection.request("POST", "/checkout", body, {**HEADERS, "Content-Type": kind})
            answer = connection.getresponse()
            found = ORDER.search(answer.read())
        except (OSError, http.client.HTTPException):
            answer = found = None  # the worker that answered was killed; nothing was promised
        finally:
            connection.close()
        with self._lock:
            if answer is not None and found and answer.status in (200, 201):
                self.confirmed.add(found.group().decode())
                return True
            self.failed += 1
            return False

    def all_at_once(self, orders: int = MORE, *, then: threading.Event | None = None) -> None:
        """`then` is set when half of them are done."""

        def some(n: int) -> None:
            for _ in range(n):
                self.check_out()
                if then is not None and len(self.confirmed) >= orders // 2:
                    then.set()

        threads = [threading.Thread(target=some, args=(orders // 8,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if then is not None:
            then.set()


def open_port() -> int:
    return free_port()


def answers(port: int, *, form: bool) -> Visitors:
    """Once the shop takes orders."""
    visitors = Visitors(port, form=form)
    until(visitors.check_out)
    visitors.failed = 0
    return visitors
