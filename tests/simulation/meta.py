"""Meta as a population of moods: what it answers changes over virtual minutes and hours, drawn from the seed.

The answers are those that the stand-in has on record (`emulator/answers.py`, `emulator/graph_errors.py`), and the ways
in which a network and a gateway fail. Meta takes or refuses a request as a whole. What it took is remembered, since a
lost answer does not mean lost events.
"""

import hashlib
import json
import random
from collections import Counter
from typing import Any

from conversion_relay.http_client import Response
from conversion_relay.meta.graph import Request, Unreachable
from tests.simulation.plan import EVENTS_AT_META, MOODS, Plan
from tests.simulation.scheduler import MICRO, START, Scheduler, current

Key = tuple[str, str, str]
"""Dataset, event name, event id."""

ODD_CODES = (
    (400, 12, None), (400, 1, 99), (500, 5000, None), (429, 5000, 1), (412, 5, None), (400, 2500, None), (400, 100, 33),
    (400, 368, None), (403, 10, None), (400, 200, 1), (503, None, None), (404, 803, None), (400, 100, 1357045),
)  # fmt: skip
BROKEN = (100, 2804008, "Invalid Contents Parameter")


class DatasetAtMeta:
    def __init__(self, name: str, chance: random.Random) -> None:
        self.name, self.chance = name, chance
        self.token = f"EAA{name}x0"
        self.renewals = 0
        self.mood = "healthy"
        self.refused_templates: set[str] = {"broken"}
        """Values of `content_category` whose events are refused."""


class Graph:
    """Every dataset of the world. `offset`: how wrong Meta's clock is, in seconds."""

    def __init__(self, world: Scheduler, plan: Plan) -> None:
        self.world, self.plan = world, plan
        self.datasets = {
            site.dataset: DatasetAtMeta(site.dataset, world.random_of(f"meta {site.dataset}")) for site in plan.sites
        }
        self.taken: dict[Key, float] = {}
        self.bodies: dict[Key, str] = {}
        self.seen_at: dict[Key, float] = {}
        """When the last request that holds this event began."""
        self.calls: Counter[str] = Counter()
        self.refused_alone: set[Key] = set()
        """Events that were refused with nothing beside them, by a rule about events: these may be given up."""
        self.canaries: tuple[bytes, ...] = ()
        self.is_calm = False

    def changes_its_mood(self, name: str) -> None:
        """A task, for ever."""
        dataset, chance = self.datasets[name], self.world.random_of(f"moods {name}")
        while True:
            self.world.sleep(chance.expovariate(1 / (self.plan.mood_hours * 3600)))
            mood = chance.choices(list(MOODS), list(MOODS.values()))[0]
            happens = {what: chance.uniform(0, 100) < percent for what, percent in EVENTS_AT_META.items()}
            if self.is_calm:
                continue
            dataset.mood = mood if mood in self.plan.moods else "healthy"
            self.world.note(f"meta {name}: {dataset.mood}")
            self.world.mark(f"meta {dataset.mood}")
            if happens["a token ends"] and "a token ends" in self.plan.moods:
                self.end_token(dataset)
            if happens["a rule changes"] and "a rule changes" in self.plan.moods:
                self.change_rule(dataset)

    def change_rule(self, dataset: DatasetAtMeta) -> None:
        """What was fine is refused, or taken again."""
        dataset.refused_templates ^= {"good"}
        self.world.note(f"meta {dataset.name}: a rule changed")
        self.world.mark("meta changed a rule")

    def end_token(self, dataset: DatasetAtMeta) -> None:
        dataset.renewals += 1
        dataset.token = f"EAA{dataset.name}x{dataset.renewals}"
        self.world.note(f"meta {dataset.name}: the token ended")
        self.world.mark("a token ended")

    def calm_down(self) -> None:
        self.is_calm = True
        for dataset in self.datasets.values():
            dataset.mood = "healthy"
            dataset.refused_templates = {"broken"}


class Transport:
    """What a process has instead of `GraphTransport`."""

    graph: Graph

    def send(self, request: Request, deadline: float) -> Response | Unreachable:
        graph, world = self.graph, current()
        name = request.url.rpartition("/events")[0].rpartition("/")[2]
        dataset = graph.datasets[name]
        graph.calls[name] += 1
        events = json.loads(request.body)["data"]
        keys = [(name, event["event_name"], event["event_id"]) for event in events]
        for key in keys:
            graph.seen_at[key] = world.now
        for canary in graph.canaries:
            if canary in request.body:
                world.fail(f"personal data on the wire: {canary!r}")
        answer = self._answer(dataset, events, keys, request, deadline)
        world.note(f"meta {name}: {len(events)} events from {world.task.process.name}: {_shown(answer)}")
        return answer

    def close(self) -> None:
        """Nothing is open."""

    def _answer(
        self, dataset: DatasetAtMeta, events: list[Any], keys: list[Key], request: Request, deadline: float
    ) -> Response | Unreachable:
        world, chance = current(), dataset.chance
        mood = dataset.mood
        if mood == "no connection":
            world.sleep(chance.choice((0.001, 1.0, deadline)))
            return Unreachable("connection refused", sent=False)
        world.sleep(chance.uniform(2, 12) if mood == "slow" else chance.uniform(0.05, 0.3))
        if mood == "500":
            return _error(500, 2, None, "Service temporarily unavailable", transient=True)
        if mood == "502":
            if chance.random() < 0.5:
                self._judge(dataset, events, keys, request)
            return Response(502, {}, b"<html>Bad Gateway</html>")
        if mood == "throttled" and chance.random() < 0.8:
            usage = json.dumps({"1": [{"call_count": 100, "estimated_time_to_regain_access": chance.randint(0, 5)}]})
            headers = {"x-business-use-case-usage": usage}
            return _error(400, 80004, 2446079, "too many calls", transient=True, headers=headers)
        if mood == "odd codes" and chance.random() < 0.7:
            return _error(*chance.choice(ODD_CODES), "odd")
        if mood == "odd bytes" and chance.random() < 0.7:
            status = chance.choice((200, 204, 301, 400, 403, 404, 418, 500, 503, 599))
            return Response(status, _odd_headers(chance), chance.randbytes(chance.randint(0, 60)))
        answer = self._judge(dataset, events, keys, request)
        if mood == "answers get lost" and chance.random() < 0.5:
            return Unreachable("the connection was closed", sent=True)
        if mood == "answers come late" and chance.random() < 0.5:
            world.sleep(deadline)
            return Unreachable("timeout", sent=True)
        if mood == "near a limit" and answer.status == 200:
            percent = chance.randint(60, 100)
            return Response(200, {**answer.headers, "x-app-usage": json.dumps({"call_count": percent})}, answer.body)
        return answer

    def _judge(self, dataset: DatasetAtMeta, events: list[Any], keys: list[Key], request: Request) -> Response:
        """All are taken, or one refuses them all."""
        graph, world = self.graph, current()
        if dataset.token not in str(request.headers.get("Authorization")):
            return _error(401, 190, None, "Error validating access token")
        for event in events:
            if (event.get("custom_data") or {}).get("content_category") in dataset.refused_templates:
                if len(events) == 1:
                    graph.refused_alone.update(keys)
                code, subcode, title = BROKEN
                return _error(400, code, subcode, title)
            if event["event_time"] > START + world.now / MICRO + 600:
                return _error(400, 100, 2804019, "Unexpected time")
        for key, event in zip(keys, events, strict=True):
            body = hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()
            if graph.bodies.setdefault(key, body) != body:
                world.fail(f"two bodies of {key}")
            if key in graph.taken:
                world.mark("Meta got a copy")
            graph.taken.setdefault(key, world.now / MICRO)
        taken = {"events_received": len(events), "messages": [], "fbtrace_id": "Asimulated"}
        return Response(200, {"date": _date()}, json.dumps(taken).encode())


def _shown(answer: Response | Unreachable) -> str:
    if isinstance(answer, Unreachable):
        return answer.why
    return f"{answer.status} {ascii(answer.body[:70].decode('latin-1'))[1:-1]}"


def _error(
    status: int, code: int | None, subcode: int | None, message: str, *, transient: bool = False, headers: Any = None
) -> Response:
    error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "error_user_title": message}
    if subcode is not None:
        error |= {"error_subcode": subcode, "is_transient": transient}
    return Response(status, {"date": _date(), **(headers or {})}, json.dumps({"error": error}).encode())


def _odd_headers(chance: Any) -> dict[str, str]:
    return chance.choice(
        (
            {},
            {"x-app-usage": '{"call_count":' + "9" * 400 + "}"},
            {"x-business-use-case-usage": "[[[["},
            {"retry-after": "-1"},
            {"retry-after": "1e999"},
            {"date": "yesterday"},
        )
    )


def _date() -> str:
    from email.utils import formatdate

    return formatdate(START + current().now / MICRO, usegmt=True)
