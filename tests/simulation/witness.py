"""What is seen of delivery from outside: every call to Meta, from its beginning until the process has its answer.

`Calls` keeps those that are under way, and tells the checks when one begins and when one ends. What a call came to is
read from the request, the answer and what Meta remembers, never from the product.
"""

import json
import re
from collections.abc import Callable
from typing import ClassVar, Literal

from conversion_relay.http_client import Response
from conversion_relay.meta.graph import Request, Unreachable
from tests.simulation.facts import replays
from tests.simulation.meta import Graph, Key, Transport
from tests.simulation.scheduler import Process, Scheduler

CameTo = Literal[
    "delivered", "delivered again", "refused alone", "refused by name", "refused again", "refused together", "trouble",
    "nobody heard",
]  # fmt: skip
_PLACE = re.compile(rb"\$\['data'\]\[([0-9]+)\]")
PAUSING_HEADERS = ("retry-after", "x-business-use-case-usage", "x-app-usage", "x-ad-account-usage")


class Call:
    """One request. Times are virtual microseconds."""

    __slots__ = ("asked_pause", "began_at", "came_to", "dataset", "ended_at", "keys", "new", "pauses", "process")

    def __init__(self, dataset: str, keys: list[Key], process: Process, began_at: int) -> None:
        self.dataset, self.keys, self.process, self.began_at = dataset, keys, process, began_at
        self.ended_at: int | None = None
        self.came_to: CameTo = "nobody heard"
        self.new: list[Key] = []
        """Those that Meta did not have before, or had not refused before, as far as a process can know."""
        self.pauses = False
        """The answer may ask for a pause by its headers."""
        self.asked_pause = 0.0
        """Seconds, for which a refusal asked that nothing be sent."""

    @property
    def was_taken(self) -> bool:
        return self.came_to in ("delivered", "delivered again")

    @property
    def was_refused(self) -> bool:
        return self.came_to.startswith("refused")

    @property
    def ended_one(self) -> bool:
        """Meta refused one event, alone or by its place among others."""
        return self.came_to in ("refused alone", "refused by name")

    @property
    def is_under_way(self) -> bool:
        return self.ended_at is None and self.process.is_alive


class Calls:
    """All calls of a world. A check gives two functions; `at_end` is not called for a process that was killed."""

    def __init__(self, world: Scheduler, graph: Graph) -> None:
        self.world, self.graph = world, graph
        self.at_begin: list[Callable[[Call], None]] = []
        self.at_end: list[Callable[[Call], None]] = []
        self._refused: set[Key] = set()
        """Alone, since the last replay."""
        self._replays = self._backups = 0
        self._forgotten: set[Key] = set()
        """Meta took it, and a backup was put back since: nobody who reads the outbox can know."""

    def begin(self, dataset: str, keys: list[Key]) -> Call:
        call = Call(dataset, keys, self.world.task.process, self.world.now)
        for check in self.at_begin:
            check(call)
        if replays(self.world) != self._replays:
            self._replays = replays(self.world)
            self._refused.clear()
        if self.world.marks["a backup was put back"] != self._backups:
            self._backups = self.world.marks["a backup was put back"]
            self._refused.clear()
            self._forgotten = set(self.graph.taken)
        call.new = [key for key in keys if self._is_new(key)]
        return call

    def _is_new(self, key: Key) -> bool:
        return (key not in self.graph.taken or key in self._forgotten) and key not in self._refused

    def end(self, call: Call, answer: Response | Unreachable | None) -> None:
        call.ended_at = self.world.now
        if answer is None or not call.process.is_alive:
            return
        call.came_to = came_to(call, answer)
        if call.was_taken:
            self._forgotten.difference_update(call.keys)
        if call.came_to == "refused alone":
            self._refused.update(call.keys)
        elif call.came_to == "refused by name":
            self._refused.update(named(call, answer))
        call.pauses = isinstance(answer, Response) and any(name in answer.headers for name in PAUSING_HEADERS)
        if isinstance(answer, Response) and answer.status != 200:
            call.asked_pause = asked_pause(answer)
        for check in self.at_end:
            check(call)


def asked_pause(answer: Response) -> float:
    """Seconds, by the two headers of `answers.throttled`; 0 for what is no number of them."""
    rows = _document(answer.headers.get("x-business-use-case-usage", "").encode()).get("1")
    minutes = rows[0].get("estimated_time_to_regain_access") if isinstance(rows, list) and rows else 0
    seconds = answer.headers.get("retry-after", "")
    longest = max(minutes * 60 if isinstance(minutes, int | float) else 0, int(seconds) if seconds.isdecimal() else 0)
    return float(longest)


def came_to(call: Call, answer: Response | Unreachable) -> CameTo:
    """As a reader of the answer sees it."""
    document = _document(answer.body) if isinstance(answer, Response) else {}
    if isinstance(answer, Response) and answer.status == 200 and _is_count(document, len(call.keys)):
        return "delivered" if call.new else "delivered again"
    error = document.get("error")
    if isinstance(answer, Response) and answer.status == 400 and isinstance(error, dict) and _is_about_events(error):
        if len(call.keys) > 1:
            return "refused by name" if set(named(call, answer)) & set(call.new) else "refused together"
        return "refused alone" if call.new else "refused again"
    return "trouble"


def named(call: Call, answer: Response | Unreachable | None) -> list[Key]:
    """The event that Meta names by its place in the request."""
    found = _PLACE.search(answer.body) if isinstance(answer, Response) else None
    return [call.keys[int(found[1])]] if found and int(found[1]) < len(call.keys) else []


def _is_count(document: dict[str, object], n: int) -> bool:
    received = document.get("events_received")
    return type(received) is int and received == n


def _is_about_events(error: dict[str, object]) -> bool:
    """Of the errors with code 100, those whose subcode is one about events, or that have none."""
    subcode = error.get("error_subcode")
    return error.get("code") == 100 and (subcode is None or (isinstance(subcode, int) and subcode // 1_000 == 2_804))


def _document(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


class WatchedTransport(Transport):
    """Meta's transport, with a witness beside it."""

    calls: ClassVar[Calls]

    def send(self, request: Request, deadline: float) -> Response | Unreachable:
        dataset = request.url.rpartition("/events")[0].rpartition("/")[2]
        keys = [(dataset, event["event_name"], event["event_id"]) for event in json.loads(request.body)["data"]]
        call, answer = self.calls.begin(dataset, keys), None
        try:
            answer = super().send(request, deadline)
        finally:  # a killed process hears nothing
            self.calls.end(call, answer)
        return answer
