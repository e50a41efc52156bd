"""One machine: a disk, and the processes of the product on it.

A process runs what `conversion-relay serve` runs in each of its server processes (`Service`: collector, outbox,
worker), or what `conversion-relay deliver` runs. Requests come as our server hands them over, whole or by ASGI;
delivery reaches Meta by the transport's two verbs. Nothing else of the product is replaced.
"""

import asyncio
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conversion_relay.cli import serve
from tests.simulation.disk import Disk, close_connections
from tests.simulation.loop import Running
from tests.simulation.meta import Graph, Key
from tests.simulation.plan import Plan
from tests.simulation.scheduler import MICRO, Process, current

API_KEY = "simulated-api-key"
ORIGIN = "https://shop.example"
ANSWER_SECONDS = 30.0


class Server:
    """One process that answers requests."""

    def __init__(self, process: Process, running: Running) -> None:
        self.process, self.running = process, running
        self.service: serve.Service | None = None

    def post(self, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        """Status and JSON; status 0 where no answer came: the process died, or it was not up."""
        if self.service is None or not self.process.is_alive:
            return 0, None
        current().given += len(body["data"]) if isinstance(body.get("data"), list) else 1
        try:
            return self.running.call(_request(self.service, path, json.dumps(body).encode(), headers), ANSWER_SECONDS)
        except TimeoutError:
            return 0, None


async def _request(service: Any, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    """As our own server hands it over: some arrive whole, some in pieces and so by ASGI."""
    if (whole := service.whole.get(path.encode())) and len(body) % 2:
        return await _whole_request(whole, body, headers)
    told = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-length", str(len(body)).encode()), (b"host", b"relay.example"), *told],
        "client": ("81.2.69.142", 40000),
        "scheme": "http",
    }
    status, answer = 0, b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, answer
        status = message.get("status", status)
        answer += message.get("body", b"")

    await service(scope, receive, send)
    return status, json.loads(answer) if answer else None


async def _whole_request(whole: Any, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    answered = asyncio.get_running_loop().create_future()
    told = {"host": "relay.example", **{name.lower(): value for name, value in headers.items()}}
    whole.take(whole.head(told, "81.2.69.142", "http"), body, lambda *answer: answered.set_result(answer))
    status, _, answer, _ = await answered
    return status, json.loads(answer) if answer else None


@dataclass
class Wanted:
    """What the operator wants to stand in the file of settings, by dataset where that matters."""

    top: list[str] = field(default_factory=list)
    removed: str | None = None
    unsure: dict[str, None] = field(default_factory=dict)
    """Datasets that some process may not know, since it started while they were removed."""
    keys: dict[str, int] = field(default_factory=dict)
    """The number of the API key that sites use."""
    keys_taken: dict[str, tuple[int, ...]] = field(default_factory=dict)


class Machine:
    """The first processes also deliver."""

    def __init__(self, folder: Path, graph: Graph, plan: Plan) -> None:
        self.disk = Disk(folder, current().random_of("disk"))
        self.graph = graph
        self.plan = plan
        self.servers: list[Server] = []
        self.config = folder / "relay.toml"
        self.outbox = folder / "outbox.db"
        self.clock_offset = 0
        self.is_in_work = False
        """The operator is in the middle of an act."""
        self.settings = Wanted()
        self.spoiled: dict[Key, None] = {}
        """Events that the door must refuse."""

    def knows(self, dataset: str) -> bool:
        """Whether every process was started with this dataset."""
        return dataset not in self.settings.unsure

    def copies_of(self, dataset: str) -> tuple[str, ...]:
        """The datasets that get a copy of each of its events."""
        first, *others = self.graph.datasets
        return tuple(others[:1]) if self.plan.copies and dataset == first else ()

    def key_of(self, dataset: str) -> str:
        return f"{API_KEY}-{dataset}-{self.settings.keys.get(dataset, 0)}"

    def write_settings(self) -> None:
        """The tokens as Meta knows them now."""
        wanted = self.settings
        tables = [*wanted.top]
        for name in self.graph.datasets:
            keys = [f"{API_KEY}-{name}-{n}" for n in wanted.keys_taken.get(name, (0,))]
            if name != wanted.removed:
                copies = [f'"{other}"' for other in self.copies_of(name) if other != wanted.removed]
                tables.append(
                    f'[[dataset]]\nMETA_PIXEL_ID = "{name}"\nMETA_ACCESS_TOKEN = "{self.graph.datasets[name].token}"\n'
                    f'RELAY_API_KEYS = "{",".join(keys)}"\nRELAY_ALLOWED_ORIGINS = "{ORIGIN}-{name}"\n'
                    f"RELAY_COPIES_TO = [{', '.join(copies)}]\n"
                )
        self.write_config("\n".join(tables))

    def write_config(self, text: str) -> None:
        fresh = self.config.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.config)

    def settle_environment(self) -> None:
        os.environ["RELAY_CONFIG"] = str(self.config)
        os.environ["RELAY_OUTBOX"] = f"sqlite:///{self.outbox}"
        os.environ["RELAY_LOG_FORMAT"] = "json"

    def start(self) -> None:
        self.servers = [self._start_server(number) for number in range(self.plan.servers)]

    def _start_server(self, number: int) -> Server:
        world = current()
        process = world.process(f"serve {number}")
        process.clock_offset = self.clock_offset
        process.at_kill.append(lambda: close_connections(process))
        server = Server(process, Running())

        def main() -> None:
            try:
                os.environ["RELAY_NO_WORKER"] = "" if number < self.plan.workers else "1"
                service = serve.create_service()
            except Exception as error:  # a supervisor would start it again
                world.note(f"{process.name} cannot start: {type(error).__name__}: {error}")
                world.mark("a process that could not start")
                return
            service.start()
            server.service = service
            server.running.run()

        world.spawn(main, "main", process)
        return server

    def kill(self, server: Server) -> None:
        self.kill_process(server.process)

    def kill_process(self, process: Process) -> None:
        if process.is_alive:
            current().kill(process)

    def kill_all(self) -> None:
        for server in self.servers:
            self.kill(server)

    def restart(self, server: Server) -> None:
        """As a supervisor does after the process ended, however it ended."""
        self.servers[self.servers.index(server)] = self._start_server(int(server.process.name.split()[1]))

    def stop(self, server: Server) -> None:
        """On SIGTERM."""
        world = current()
        if server.service is not None and server.process.is_alive:
            done = world.spawn(server.service.stop, "stop", server.process)
            for _ in range(200):
                if done.greenlet.dead:
                    break
                world.sleep(0.1)
        self.kill(server)

    def set_clock(self, offset_seconds: float) -> None:
        current().mark("the clock was set")
        self.shift_clock(round(offset_seconds * MICRO))

    def shift_clock(self, offset: int) -> None:
        """In microseconds; of the running processes, too."""
        self.clock_offset = offset
        for server in self.servers:
            server.process.clock_offset = offset
