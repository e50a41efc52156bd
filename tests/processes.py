"""The real command line in processes of its own, on loopback, ended by process id."""

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

API_KEY = "test-api-key"
TOKEN = "EAAtest-canary-token"
DATASET = "1232612085335834"


def free_port() -> int:
    """Never one of those that the system gives to connections: by the time a server takes it, a connection might have
    it. None is given twice soon, and each worker of pytest's has a part of its own."""
    while True:
        port = next(_PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def free_pair() -> int:
    """A port whose next one is free too; the demo takes both."""
    first = free_port()
    while (port := free_port()) != first + 1:
        first = port
    return first


def _ports() -> Iterator[int]:
    part = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
    first, size = 14_000 + 2_000 * part, 2_000
    start = os.getpid() % size  # another run may go on beside this one
    return itertools.cycle([first + (start + n) % size for n in range(size)])


_PORTS = _ports()


class Process:
    """One `conversion-relay` verb. Its output goes to a file that a test can read."""

    def __init__(
        self,
        *arguments: str,
        log: Path,
        env: dict[str, str],
        cwd: Path | None = None,
        under: tuple[str, ...] = (),
        planted: tuple[str, ...] = (),
        user: int | None = None,
    ) -> None:
        """`under`: a command to run it with (strace, faketime); `planted`: options of tests/failures/launcher.py."""
        self.log = log
        module = ("tests.failures.launcher", *planted, "--") if planted else ("conversion_relay.cli",)
        ours = ("META_", "RELAY_", "STRIPE_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        if arguments[:1] == ("demo",):
            clean["TMPDIR"] = str(log.parent)  # who is killed leaves its 64 MB behind
        with log.open("ab") as output:
            self.popen = subprocess.Popen(
                [*under, sys.executable, "-m", *module, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=clean | env,
                cwd=cwd,
                user=user,
            )

    def kill(self) -> None:
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(60)

    def end(self) -> None:
        if self.popen.poll() is None:
            self.kill()


def answers(port: int) -> bool:
    """Somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True


def call(method: str, url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """(status, JSON or text); (0, None) when nobody answered."""
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {k.replace("_", "-"): v for k, v in headers.items()}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, _read(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, _read(error.read())
    except (OSError, ValueError, http.client.HTTPException):
        return 0, None


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def until(
    condition: Callable[[], Any], seconds: float = 60.0, every: float = 0.05, so_far: Callable[[], Any] = lambda: ""
) -> Any:
    """The condition's first true value; fails after `seconds`, and says what `so_far` tells of the way there."""
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if result := condition():
            return result
        threading.Event().wait(every)
    raise AssertionError(f"not so within {seconds} s: {condition} {so_far()}")


class Installation:
    """An emulator and a relay over one outbox file; either can be ended and started again."""

    def __init__(self, folder: Path, *, data: Path | None = None, emulator_under: tuple[str, ...] = ()) -> None:
        """`data`: where the outbox lies, when not beside the logs."""
        self.folder = folder
        self.port, self.meta_port = free_port(), free_port()
        self.url, self.meta = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.meta_port}"
        self.database = (data or folder) / "outbox.db"
        self.env = {
            "META_PIXEL_ID": DATASET,
            "META_ACCESS_TOKEN": TOKEN,
            "META_GRAPH_URL": self.meta,
            "RELAY_OUTBOX": f"sqlite:///{self.database}",
            "RELAY_API_KEYS": API_KEY,
            "RELAY_ALLOWED_ORIGINS": "https://shop.example",
        }
        if data is None:  # a disk of its own may be filled to the last byte; on this machine's 64 MB each are a waste
            self.env["RELAY_BALLAST"] = "false"
        self.relay: Process | None = None
        self.start_emulator(emulator_under)

    def start_emulator(self, under: tuple[str, ...] = ()) -> None:
        arguments = ("emulator", "--port", str(self.meta_port))
        self.emulator = Process(*arguments, log=self.folder / "emulator.log", env={}, under=under)
        until(lambda: call("GET", f"{self.meta}/_emulator/state")[0] == 200)

    def start(self, *arguments: str, wait: bool = True, **how: Any) -> None:
        log = self.folder / "relay.log"
        self.relay = Process("serve", "--port", str(self.port), *arguments, log=log, env=self.env, **how)
        if wait:
            until(lambda: self.is_ready() or not self.is_running())

    def is_ready(self) -> bool:
        return call("GET", f"{self.url}/readyz")[0] == 200

    def is_running(self) -> bool:
        return self.relay is not None and self.relay.popen.poll() is None

    def kill(self) -> None:
        assert self.relay is not None
        self.relay.kill()

    def stop(self) -> int:
        assert self.relay is not None
        return self.relay.stop()

    def post(self, body: Any, *, to: str | None = None, **headers: str) -> tuple[int, Any]:
        """`to`: another collector on the same file."""
        return call("POST", f"{to or self.url}/events", body, **({"Authorization": f"Bearer {API_KEY}"} | headers))

    def misbehave(self, **how: Any) -> None:
        assert call("POST", f"{self.meta}/_emulator/misbehave", how)[0] == 200

    def arrived(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = call("GET", f"{self.meta}/_emulator/events")[1]["events"]
        return events

    def requests(self) -> int:
        """How many requests reached Meta."""
        return int(call("GET", f"{self.meta}/_emulator/state")[1]["requests"])

    def command(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "conversion_relay.cli", *arguments],
            input=stdin,
            capture_output=True,
            env=os.environ | self.env,
            timeout=60,
            check=False,
        )

    def books(self) -> dict[str, Any]:
        """The dataset's counts, read by the command line as an operator would."""
        done = self.command("status", "--json")
        if b"no outbox at" in done.stderr:
            return {"accepted": 0, "pending": 0, "leased": 0}
        assert done.returncode in (0, 1), done.stderr.decode()
        (book,) = json.loads(done.stdout)["datasets"] or [{"accepted": 0, "pending": 0, "leased": 0}]
        return book

    def settled(self) -> dict[str, Any] | None:
        book = self.books()
        return book if book["pending"] == book["leased"] == 0 else None

    def end(self) -> None:
        for process in (self.relay, self.emulator):
            if process is not None:
                process.end()

    def logs(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("*.log"))


@contextlib.contextmanager
def installation(folder: Path, **how: Any) -> Iterator[Installation]:
    here = Installation(folder, **how)
    try:
        yield here
    finally:
        here.end()
