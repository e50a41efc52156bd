"""Meta as a population of moods: what it answers changes over virtual minutes, hours and days, drawn from the seed.

The answers are those that the stand-in has on record (`answers.py`, `templates.py`), and the ways in which a network
and a gateway fail. Meta takes or refuses a request as a whole, and judges the age of events by a clock of its own. What
it took is remembered, since a lost answer does not mean lost events.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from conversion_relay.emulator import graph_errors
from conversion_relay.http_client import Response
from conversion_relay.meta.graph import Request, Unreachable
from tests.simulation import answers
from tests.simulation.dataset_at_meta import DECAY, DatasetAtMeta
from tests.simulation.plan import EVENTS_AT_META, MISTAKES, MOODS, Plan
from tests.simulation.scheduler import MICRO, START, Scheduler, current
from tests.simulation.templates import GOOD, TRACE, refusal, refused_templates, response

Key = tuple[str, str, str]
"""Dataset, event name, event id."""

WEEK = 7 * 86_400
FUTURE_SECONDS = 600
"""So far ahead of Meta's clock an event may lie."""
CLOCKS = (0, 0, 45, -60, -240, 1_500, 3 * 3_600)
"""Seconds by which Meta's clock is wrong. Never far behind: then all that is fresh lies in its future and has to wait,
which is right, and leaves nothing to demand."""
PROXY_BYTES = 4_000


class Graph:
    """Every dataset of the world."""

    def __init__(self, world: Scheduler, plan: Plan) -> None:
        self.world, self.plan = world, plan
        self.datasets = {
            site.dataset: DatasetAtMeta(site.dataset, world.random_of(f"meta {site.dataset}")) for site in plan.sites
        }
        self.taken: dict[Key, float] = {}
        self.bodies: dict[Key, str] = {}
        self.in_flight: dict[Key, None] = {}
        self.calls: Counter[str] = Counter()
        self.refused_together: set[Key] = set()
        """Events that stood in any refused request: a worker tries them in parts, and remembers their shapes."""
        self.refused_alone: set[Key] = set()
        """Events that were refused with nothing beside them, or named, or with others that have the same offence, by a
        rule about events: these may be given up."""
        self.may_differ: set[Key] = set()
        """Events that may come with another body, since the outbox lost what it knew of them."""
        self.canaries: tuple[bytes, ...] = ()
        self.at_take: Callable[[Key, dict[str, Any]], None] = lambda key, event: None
        self.is_calm = False
        self.offset = self.most_ahead = 0
        """How wrong Meta's clock is, in seconds; the most that it was ever ahead."""
        self.asked_until = 0
        """Until then a caller may wait at most, since Meta asked for it; in microseconds."""

    def now(self) -> float:
        """Unix seconds by Meta's clock."""
        return START + self.world.now / MICRO + self.offset

    def date(self) -> str:
        return formatdate(self.now(), usegmt=True)

    # -- how it changes ------------------------------------------------------------------------------------------------

    def changes_its_mood(self, name: str) -> None:
        """A task, for ever."""
        dataset, chance = self.datasets[name], self.world.random_of(f"moods {name}")
        for outage in self.plan.outages:
            if outage.dataset == name:
                self.world.spawn(lambda outage=outage: self._is_away(dataset, outage), "outage")
        while True:
            self.world.sleep(chance.expovariate(1 / (self.plan.mood_hours * 3600)))
            mood = chance.choices(list(MOODS), list(MOODS.values()))[0]
            happens = {what: chance.uniform(0, 100) < percent for what, percent in EVENTS_AT_META.items()}
            cost, offset, template, mistake = (chance.choice(of) for of in ((2, 8, 20), CLOCKS, GOOD, MISTAKES))
            if self.is_calm:
                continue
            dataset.mood = mood if mood in self.plan.moods else "healthy"
            dataset.cost = cost
            self.world.note(f"meta {name}: {dataset.mood}")
            self.world.mark(f"meta {dataset.mood}")
            if happens["a token ends"] and "a token ends" in self.plan.moods:
                self.end_token(dataset)
            if happens["a rule changes"] and "a rule changes" in self.plan.moods:
                self.change_rule(dataset, template, mistake)
            if happens["the clock moves"] and "the clock moves" in self.plan.moods:
                self.move_clock(offset)

    def _is_away(self, dataset: DatasetAtMeta, outage: Any) -> None:
        self.world.sleep(outage.begins * 3600)
        if self.is_calm:
            return
        dataset.away = outage.mood
        self.world.note(f"meta {dataset.name}: away, {outage.mood}")
        self.world.mark(f"meta away: {outage.mood}")
        self.world.sleep(outage.hours * 3600)
        if dataset.away:
            self.world.note(f"meta {dataset.name}: back")
        dataset.away = None

    def change_rule(self, dataset: DatasetAtMeta, template: str, mistake: str) -> None:
        """What was fine is refused, or taken again."""
        if dataset.refused_templates.pop(template, None) is None:
            dataset.refused_templates[template] = mistake
        self.world.note(f"meta {dataset.name}: a rule changed")
        self.world.mark("meta changed a rule")

    def end_token(self, dataset: DatasetAtMeta) -> None:
        dataset.renewals += 1
        dataset.token = f"EAA{dataset.name}x{dataset.renewals}"
        self.world.note(f"meta {dataset.name}: the token ended")
        self.world.mark("a token ended")

    def move_clock(self, offset: int) -> None:
        self.offset, self.most_ahead = offset, max(self.most_ahead, offset)
        self.world.note(f"meta: its clock is {offset} s ahead")
        self.world.mark("meta's clock moved")

    def asks_for(self, seconds: float) -> None:
        """A caller may wait twice as long, so that not all come back at once; a quarter of an hour is the most."""
        self.asked_until = max(self.asked_until, self.world.now + round(2 * min(900.0, max(60.0, seconds)) * MICRO))

    def calm_down(self) -> None:
        self.is_calm = True
        self.offset = 0
        for dataset in self.datasets.values():
            dataset.mood, dataset.away = "healthy", None
            dataset.refused_templates = refused_templates()

    # -- what it thinks of events --------------------------------------------------------------------------------------

    def judge(self, dataset: DatasetAtMeta, events: list[Any], keys: list[Key], request: Request) -> Response:
        """All are taken, or one refuses them all."""
        if dataset.token not in str(request.headers.get("Authorization")):
            return answers.bad_token(self.date())
        if not events:
            return response(graph_errors.NO_DATA, self.date())
        offences = [self._offence(dataset, event) for event in events]
        for index, offence in enumerate(offences):
            if offence is None:
                continue
            error, data = (
                (graph_errors.TOO_OLD, None)
                if offence == "too old"
                else (graph_errors.wrong(index, "event_time", must="not lie in the future"), None)
                if offence == "in the future"
                else refusal(offence, index)
            )
            if offence == "in the future":  # an hour later it may be taken
                self.world.mark("meta found an event to lie in the future")
            elif len({"forgets" if each == "named" else each for each in offences}) == 1:  # both miss the same member
                self.refused_alone.update(keys)
            elif "['data']" in str(error.text):
                self.refused_alone.add(keys[index])
            dataset.refused = frozenset(keys)
            self.refused_together.update(keys)
            return response(error, self.date(), data)
        self._take(keys, events)
        taken = {"events_received": len(events), "messages": [], "fbtrace_id": TRACE}
        return Response(200, {"date": self.date()}, json.dumps(taken).encode())

    def _offence(self, dataset: DatasetAtMeta, event: Any) -> str | None:
        if event["event_time"] < self.now() - WEEK:
            return "too old"
        if event["event_time"] > self.now() + FUTURE_SECONDS:
            return "in the future"
        return dataset.refused_templates.get((event.get("custom_data") or {}).get("content_category"))

    def _take(self, keys: list[Key], events: list[Any]) -> None:
        for key, event in zip(keys, events, strict=True):
            body = hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()
            if self.bodies.setdefault(key, body) != body and key not in self.may_differ:
                self.world.fail(f"two bodies of {key}")
            self.at_take(key, event)
            if key in self.taken:
                self.world.mark("Meta got a copy")
            if key[1] == "Purchase" and "fbp" in event["user_data"]:
                self.world.mark("Meta got an order with its visitor")
            self.taken.setdefault(key, self.world.now / MICRO)


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
        for canary in graph.canaries:
            if canary in request.body:
                world.fail(f"personal data on the wire: {canary!r}")
        graph.in_flight.update(dict.fromkeys(keys))
        if dataset.refused.issuperset(keys) and len(dataset.refused) > len(keys) > 0:
            world.mark("a refused batch came again in parts")
        answer = self._answer(dataset, events, keys, request, deadline)
        for key in keys:
            graph.in_flight.pop(key, None)
        world.note(f"meta {name}: {len(events)} events from {world.task.process.name}: {_shown(answer)}")
        return answer

    def close(self) -> None:
        """Nothing is open."""

    def _answer(
        self, dataset: DatasetAtMeta, events: list[Any], keys: list[Key], request: Request, deadline: float
    ) -> Response | Unreachable:
        world, chance, graph = current(), dataset.chance, self.graph
        mood = dataset.away or dataset.mood
        if mood == "no connection":
            world.sleep(chance.choice((0.001, 1.0, deadline)))
            return Unreachable("connection refused", sent=False)
        if mood == "hangs" and chance.random() < 0.5:
            world.sleep(chance.uniform(30, 90))  # as when the machine sleeps while it waits
            return Unreachable("timeout", sent=True)
        if mood == "silent":
            world.sleep(deadline)
            return Unreachable("timeout", sent=True)
        wait = chance.uniform(2, 12) if mood == "slow" else chance.uniform(0.05, 0.3)
        if mood == "answers come late" and chance.random() < 0.5:
            wait = deadline + chance.choice((0.0, 0.1, 3, 60))
        if wait > deadline:
            world.sleep(deadline)
            world.spawn(
                lambda: self._judge_late(wait - deadline, dataset, events, keys, request), "late", world.outside
            )
            return Unreachable("timeout", sent=True)
        world.sleep(wait)
        if (refused := self._refuses(mood, dataset, request)) is not None:
            return refused
        if mood in ("502", "odd successes") and chance.random() < 0.5:
            if chance.random() < 0.5:
                graph.judge(dataset, events, keys, request)
            return answers.bad_gateway() if mood == "502" else answers.odd_success(chance, len(events), graph.date())
        answer = graph.judge(dataset, events, keys, request)
        if mood == "answers get lost" and chance.random() < 0.5:
            return Unreachable("the connection was closed", sent=True)
        if answer.status == 200 and mood in ("near a limit", "metered"):
            percent = chance.randint(60, 100) if mood == "near a limit" else dataset.usage
            graph.asks_for((percent - 80) * 3)
            return Response(200, {**answer.headers, **answers.usage(min(percent, 100))}, answer.body)
        return answer

    def _refuses(self, mood: str, dataset: DatasetAtMeta, request: Request) -> Response | None:
        """What is answered before anybody looks at the events."""
        graph, chance = self.graph, dataset.chance
        match mood:
            case "500":
                return answers.unavailable(graph.date())
            case "unknown":
                return answers.error(400, 5000, None, "unknown", date=graph.date())
            case "throttled" if chance.random() < 0.8:
                minutes, retry_after = chance.randint(0, 5), chance.choice((None, None, 7, 600))
                graph.asks_for(max(minutes * 60, retry_after or 0))
                return answers.throttled(minutes, 100, graph.date(), retry_after=retry_after)
            case "throttled for long":
                graph.asks_for(3600)
                return answers.throttled(60, 100, graph.date())
            case "metered" if (used := dataset.use(current().now)) > 100:
                minutes = (used - 60) / DECAY / 60
                graph.asks_for(minutes * 60)
                current().mark("meta: over the metered limit")
                return answers.throttled(round(minutes, 1), used, graph.date())
            case "odd codes" if chance.random() < 0.7:
                return answers.odd_code(chance, graph.date())
            case "odd bytes" if chance.random() < 0.7:
                return answers.odd_bytes(chance)
            case "a small proxy" if len(request.body) > PROXY_BYTES:
                current().mark("meta: a request was too large")
                return answers.too_large()
        return None

    def _judge_late(
        self, seconds: float, dataset: DatasetAtMeta, events: list[Any], keys: list[Key], request: Request
    ) -> None:
        """Nobody hears the answer any more."""
        current().sleep(seconds)
        self.graph.judge(dataset, events, keys, request)


def _shown(answer: Response | Unreachable) -> str:
    if isinstance(answer, Unreachable):
        return answer.why
    return f"{answer.status} {ascii(answer.body[:70].decode('latin-1'))[1:-1]}"
