"""Lambda's sandboxes: the real zip under the real runtime client, asked through a runtime API of our own.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import io
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

LAMBDAS_OWN = ("awslambdaric", "boto3", "botocore", "s3transfer", "urllib3", "dateutil", "jmespath",
               "snapshot_restore_py", "simplejson")  # fmt: skip
PREFIX = "/2018-06-01/runtime/"


class Function(msgspec.Struct, frozen=True):
    """What Lambda knows of a function."""

    name: str
    handler: str
    code: bytes
    environment: dict[str, str]
    timeout: int
    layers: tuple[Path, ...] = ()
    """Folders, each as a layer's `python`."""


class _Invocation:
    def __init__(self, payload: Any, timeout: int) -> None:
        self.id = str(uuid.uuid4())
        self.payload = json.dumps(payload).encode()
        self.deadline = time.time() + timeout
        self.done = threading.Event()
        self.answer: Any = None


class _RuntimeServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A process that was ended drops its connection; that is no error."""


class Sandbox:
    """One process; one invocation at a time."""

    def __init__(self, function: Function, log: Callable[[str], None]) -> None:
        self.function = function
        self.next: queue.SimpleQueue[_Invocation] = queue.SimpleQueue()
        self.open: dict[str, _Invocation] = {}
        self.server = _RuntimeServer(("127.0.0.1", 0), self.api())
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.folder = tempfile.TemporaryDirectory(prefix="sandbox-")
        with zipfile.ZipFile(io.BytesIO(function.code)) as code:
            code.extractall(self.folder.name)
        self.process = self.start()
        threading.Thread(target=self.read, args=(log,), daemon=True).start()

    def invoke(self, payload: Any) -> Any:
        """The function's answer; {"errorType", "errorMessage"} when it raised, hung or died."""
        invocation = _Invocation(payload, self.function.timeout)
        self.open[invocation.id] = invocation
        self.next.put(invocation)
        if not invocation.done.wait(self.function.timeout):
            self.end()
            return {"errorType": "Timeout", "errorMessage": "the function did not answer in time"}
        return invocation.answer

    def cpu_seconds(self) -> float:
        """Of the process since its start, user and system."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def most_memory(self) -> int:
        """Bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.server.shutdown()
        self.server.server_close()
        self.folder.cleanup()

    def start(self) -> "subprocess.Popen[str]":
        """Nothing of this project is importable but what the zip holds; botocore is Lambda's own."""
        site = next(path for path in sys.path if path.endswith("site-packages"))
        runtime = Path(self.folder.name, ".runtime")
        runtime.mkdir()
        for part in LAMBDAS_OWN:
            if (source := Path(site, part)).exists():
                (runtime / part).symlink_to(source)
        for file in (*Path(site).glob("runtime_client*.so"), Path(site, "six.py")):
            (runtime / file.name).symlink_to(file)
        for part in (part for layer in self.function.layers for part in layer.iterdir()):
            (runtime / part.name).symlink_to(part)
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{self.folder.name}:{runtime}",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": self.function.name,
            "LAMBDA_TASK_ROOT": self.folder.name,
            "TZ": ":UTC",
            **self.function.environment,
        }
        return subprocess.Popen(
            [sys.executable, "-S", "-m", "awslambdaric", self.function.handler],
            cwd=self.folder.name,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def read(self, log: Callable[[str], None]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            log(line.rstrip("\n"))
        for invocation in self.open.values():
            if not invocation.done.is_set():
                invocation.answer = {"errorType": "Runtime.ExitError", "errorMessage": "the process ended"}
                invocation.done.set()

    def api(self) -> type[BaseHTTPRequestHandler]:
        sandbox = self

        class RuntimeApi(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                invocation = sandbox.next.get()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", invocation.id)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(invocation.deadline * 1000)))
                arn = f"arn:aws:lambda:us-east-1:123456789012:function:{sandbox.function.name}"
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", arn)
                self.send_header("Lambda-Runtime-Trace-Id", f"Root=1-{invocation.id}")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(invocation.payload)))
                self.end_headers()
                self.wfile.write(invocation.payload)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                parts = self.path.removeprefix(PREFIX).split("/")
                if parts[0] == "invocation" and (invocation := sandbox.open.get(parts[1])):
                    invocation.answer = json.loads(body or b"null")
                    invocation.done.set()
                elif parts[0] == "init":
                    for waiting in sandbox.open.values():
                        waiting.answer = json.loads(body or b"null")
                        waiting.done.set()
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        return RuntimeApi


class Sandboxes:
    """Several for each function, started when all are busy; never more than `most`."""

    def __init__(self, look_up: Callable[[str], Function], log: Callable[[str, str], None], most: int = 4) -> None:
        self.look_up, self.log, self.most = look_up, log, most
        self.idle: dict[str, queue.LifoQueue[Sandbox]] = {}
        self.all: list[Sandbox] = []
        self.lock = threading.Lock()

    def invoke(self, name: str, payload: Any) -> Any:
        with self.lock:
            idle = self.idle.setdefault(name, queue.LifoQueue())
            mine = [sandbox for sandbox in self.all if sandbox.function.name == name]
            if idle.empty() and len(mine) < self.most:
                new = Sandbox(self.look_up(name), lambda line: self.log(name, line))
                self.all.append(new)
                idle.put(new)
        sandbox = idle.get()
        try:
            return sandbox.invoke(payload)
        finally:
            idle.put(sandbox)

    def forget(self) -> None:
        """End them all, so that the next call starts with today's code and settings."""
        with self.lock:
            for sandbox in self.all:
                sandbox.end()
            self.all, self.idle = [], {}
