"""Invocations of the delivery function, interleaved as a test says: no clock, no chance, no busy machine decides.

Each invocation is a thread that stops before every call to AWS and every request to Meta; only one of them runs at a
time, and the test says which. It may also be killed at such a step, before the step or right after it (the answer then
reaches nobody), and time may pass. What Lambda and SQS promise is played here, and nothing more:
- an invocation that is older than its timeout is killed;
- a message in a function's hands is not handed out again before its visibility timeout, six times the function's own;
- a message is deleted when the function answered and did not name it as failed.
"""

import json
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from conversion_relay.aws import DeliveryFunction
from conversion_relay.delivery.transport import Response
from conversion_relay.meta.graph import Unreachable
from conversion_relay.outbox.sqs_message import Kept, encode
from tests.aws.table import Table

START = 1_795_435_200.0
REMEMBERED = 48 * 3_600
"""How long Meta knows an event id again."""
ENVIRONMENT = {
    "META_PIXEL_ID": "1",
    "META_ACCESS_TOKEN": "EAAtoken",
    "RELAY_OUTBOX": "sqs://sqs.us-east-1.amazonaws.com/1/events",
    "PURCHASE_TABLE": "purchases",
}


def purchase(event_id: str = "purchase_1") -> Kept:
    event = {"event_name": "Purchase", "event_id": event_id, "event_time": int(START), "action_source": "website"}
    body = json.dumps(event | {"user_data": {"em": ["0" * 64]}, "custom_data": {"currency": "EUR", "value": 1}})
    return Kept("Purchase", event_id, int(START), int(START) + 7 * 86_400 - 300, zlib.crc32(body.encode()), body)


class Killed(BaseException):
    """The process is gone: no line of the product can do anything about it."""


class Waiting:
    """A message in the queue."""

    def __init__(self, number: int, body: str, visible_at: float) -> None:
        self.id, self.body, self.visible_at, self.receives = f"m{number}", body, visible_at, 0


class World:
    """AWS, Meta and the time. `answers`: what Meta does with its requests, in turn; afterwards it takes all."""

    def __init__(self, copies: int, *, timeout: float = 60.0, answers: tuple[str, ...] = ()) -> None:
        self.now, self.timeout, self.answers = START, timeout, list(answers)
        self.table, self.dead, self.messages = Table(), list[dict[str, Any]](), list[Waiting]()
        self.sends: list[tuple[float, str]] = []
        self.back = threading.Semaphore(0)
        self.running: list[Invocation] = []
        for _ in range(copies):
            self.put(encode("1", self.now, [purchase()]))

    def put(self, body: str, delay: float = 0.0) -> None:
        self.messages.append(Waiting(len(self.sends) + len(self.messages) + len(self.dead), body, self.now + delay))

    def invoke(self) -> "Invocation | None":
        """With the next visible message; None when there is none."""
        for message in self.messages:
            if message.visible_at <= self.now:
                message.visible_at, message.receives = self.now + 6 * self.timeout, message.receives + 1
                self.running.append(Invocation(self, message))
                return self.running[-1]
        return None

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for invocation in self.alive():
            if self.now > invocation.ends_at:
                invocation.go("kill")

    def alive(self) -> "list[Invocation]":
        return [invocation for invocation in self.running if not invocation.is_over]

    def drain(self) -> None:
        """Hours pass, until the queue is empty; nobody is killed any more."""
        for _ in range(60):
            for invocation in self.alive():
                invocation.run()
            if not self.messages:
                return
            if self.invoke() is None:
                self.pass_time(max(1.0, min(message.visible_at for message in self.messages) - self.now))
        raise AssertionError("the queue never empties")

    def counted(self) -> int:
        """Purchases that Meta counts: it drops a repetition of an id within two days."""
        counted: list[float] = []
        for at, _ in self.sends:
            if not counted or at - counted[-1] >= REMEMBERED:
                counted.append(at)
        return len(counted)

    def held(self) -> bool:
        reasons = [entry["MessageAttributes"]["reason"]["StringValue"] for entry in self.dead]
        return "ambiguous_late" in reasons

    # -- what a function calls -----------------------------------------------------------------------------------------

    def call(self, service: str, target: str, body: dict[str, Any], *, version: str = "1.0") -> dict[str, Any]:
        action = target.rpartition(".")[2]
        effect: Callable[[], dict[str, Any]]
        match action:
            case "GetItem" | "UpdateItem":
                effect = lambda: self.table.call(action, body)  # noqa: E731
            case "SendMessageBatch":
                effect = lambda: self._send(body)  # noqa: E731
            case "ChangeMessageVisibilityBatch":
                effect = lambda: self._hide(body)  # noqa: E731
        return _current.invocation.step(effect)

    def _send(self, body: dict[str, Any]) -> dict[str, Any]:
        for entry in body["Entries"]:
            if body["QueueUrl"].endswith("-dead"):
                self.dead.append(entry)
            else:
                self.put(entry["MessageBody"], entry.get("DelaySeconds", 0))
        return {"Successful": [{"Id": entry["Id"]} for entry in body["Entries"]]}

    def _hide(self, body: dict[str, Any]) -> dict[str, Any]:
        for entry in body["Entries"]:
            for message in self.messages:
                if message.id == entry["ReceiptHandle"]:
                    message.visible_at = self.now + entry["VisibilityTimeout"]
        return {}

    def send(self, request: Any, deadline: float) -> Response | Unreachable:
        return _current.invocation.step(lambda: self._taken(request))

    def _taken(self, request: Any) -> Response | Unreachable:
        said = self.answers.pop(0) if self.answers else "taken"
        if said == "away":
            return Unreachable("connect", sent=False)
        if said == "refused":
            return Response(400, {}, b'{"error": {"code": 100, "error_subcode": 2804036}}')
        ids = [event["event_id"] for event in json.loads(request.body)["data"]]
        self.sends += [(self.now, event_id) for event_id in ids]
        if said == "silent":
            return Unreachable("deadline", sent=True)
        return Response(200, {}, b'{"events_received":%d}' % len(ids))

    def close(self) -> None:
        """Meta's client is of the process."""


_current = threading.local()


class Invocation(threading.Thread):
    """One call of the delivery function with one message. Begun, it stands before its first step."""

    def __init__(self, world: World, message: Waiting) -> None:
        super().__init__(daemon=True)
        self.world, self.message, self.ends_at = world, message, world.now + world.timeout
        self.is_over = False
        self._command, self._may_go = "", threading.Semaphore(0)
        self.start()
        world.back.acquire()

    def get_remaining_time_in_millis(self) -> int:
        return int((self.ends_at - self.world.now) * 1_000)

    def go(self, command: str = "go") -> None:
        """`go`: take the step. `kill`: die before it. `die`: take it and die before hearing of it."""
        self._command = command
        self._may_go.release()
        self.world.back.acquire()

    def run(self) -> None:  # type: ignore[override]
        if threading.current_thread() is not self:
            while not self.is_over:
                self.go()
            return
        _current.invocation = self
        try:
            function = DeliveryFunction(
                ENVIRONMENT, calls=self.world, transport=self.world, clock=lambda: self.world.now, jitter=lambda: 1.0
            )
            answer = function.handle({"Records": [self._record()]}, self)
            if not answer["batchItemFailures"]:
                self.world.messages.remove(self.message)
        except Killed:
            pass
        finally:
            self.is_over = True
            self.world.back.release()

    def _record(self) -> dict[str, Any]:
        return {
            "messageId": self.message.id,
            "receiptHandle": self.message.id,
            "body": self.message.body,
            "attributes": {"ApproximateReceiveCount": str(self.message.receives), "SentTimestamp": "1795435200000"},
        }

    def step(self, effect: Callable[[], Any]) -> Any:
        if self._command in ("kill", "die"):
            raise Killed
        self.world.back.release()
        self._may_go.acquire()
        if self._command == "kill":
            raise Killed
        try:
            return effect()
        finally:
            if self._command == "die":
                raise Killed


def orders(explore: Callable[[Callable[[int], int]], None]) -> Iterator[None]:
    """Calls `explore(choose)` once for every way in which its choices can fall; `choose(n)` gives one of 0 to n - 1."""
    path: list[tuple[int, int]] = []
    while True:
        depth = 0

        def choose(n: int) -> int:
            nonlocal depth
            if depth == len(path):
                path.append((0, n))
            depth += 1
            return path[depth - 1][0]

        explore(choose)
        yield
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        if not path:
            return
        path[-1] = path[-1][0] + 1, path[-1][1]
