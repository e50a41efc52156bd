"""Sites and visitors: what they send is drawn from the seed.

A site sends events with a person in them, from a backend with an API key or from a page with an Origin: more by day
than by night, now and then some hundred within minutes. It sends again what was not acknowledged, and now and then what
was, hours later, with the same body or another. Some sites make systematic mistakes: one of their templates produces
events that Meta refuses, or that our door does. Some visitors are remembered, and order later; some take back what they
sent; some have a pixel that reports.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

from tests.simulation.facts import Fact, Facts
from tests.simulation.machine import ORIGIN, Machine, Server
from tests.simulation.plan import SitePlan
from tests.simulation.scheduler import MICRO, START, Scheduler
from tests.simulation.templates import GOOD, custom_data, spoil

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
NAMES = (("Lead", 5), ("ViewContent", 8), ("Purchase", 2), ("CompleteRegistration", 2), ("Contact", 1))
AGES = (0,) * 60 + (5, 60, 3600) * 12 + (86_400, 3 * 86_400, 601_000)
"""Seconds between an event and its request. The last one is some 200 s younger than what we would still take."""
Sent = list[tuple[dict[str, Any], Fact]]


class Site:
    """One dataset's traffic.

    Over 150 lines: what a visitor may do next, in the order in which it happens."""

    def __init__(self, world: Scheduler, machine: Machine, facts: Facts, plan: SitePlan) -> None:
        self.world, self.machine, self.facts, self.plan = world, machine, facts, plan
        self.dataset = plan.dataset
        self.chance = world.random_of(f"site {plan.dataset}")
        self.zone = self.chance.randint(0, 23) if plan.has_nights else 0
        self._events = 0
        self.gives_no_time = world.random_of(f"times of {plan.dataset}").random() < 0.25
        """The door stamps its events, by the machine's clock."""
        self._twins = world.random_of(f"twins of {plan.dataset}")
        self._signed_up: str | None = None
        """The id of a CompleteRegistration that a Lead shall have, too: Meta tells events by id and name."""
        self.is_closed = False

    # -- when ----------------------------------------------------------------------------------------------------------

    def live(self) -> None:
        """A task, until it is closed."""
        chance = self.chance
        for hour in self.plan.bursts:
            self.world.spawn(lambda hour=hour: self._burst(hour), f"burst of {self.dataset}")
        while not self.is_closed:
            self.world.sleep(chance.expovariate(self.plan.per_hour / 3600))
            if self.is_closed:
                return
            if chance.random() > self._activity():
                continue
            self.visit(1 if chance.random() < 0.97 else chance.choice((5, 20, 80)))

    def _activity(self) -> float:
        """Between 0 and 1; at night nearly nobody comes, most come in the early afternoon."""
        if not self.plan.has_nights:
            return 1.0
        hour = (START + self.world.now / MICRO) / 3600 + self.zone
        return 0.02 + 0.98 * max(0.0, math.sin((hour - 7) / 24 * 2 * math.pi))

    def _burst(self, hour: float) -> None:
        """A mailing, or a backend that was away and sends what it kept."""
        self.world.sleep(hour * 3600)
        if self.is_closed:
            return
        self.world.note(f"burst of {self.dataset}")
        self.world.mark("a burst")
        for _ in range(self.chance.choice((1, 2))):
            self.visit(self.chance.randint(100, 280))
        for _ in range(self.chance.choice((20, 60))):
            self.world.sleep(self.chance.expovariate(1 / 3))
            self.visit(1)

    # -- one visitor ---------------------------------------------------------------------------------------------------

    def visit(self, n: int, *, broken: bool | None = None, page: str | None = None) -> None:
        """One request with `n` events, in a task of its own."""
        self.world.spawn(lambda: self._send(n, broken, page), f"visitor of {self.dataset}", self.world.outside)

    def _send(self, n: int, broken: bool | None, page: str | None) -> None:
        chance = self.chance
        is_page = n == 1 and chance.random() < 0.4
        order = (
            self._remember_visitor() if n == 1 and not is_page and broken is None and chance.random() < 0.1 else None
        )
        if self.is_closed and broken is None:
            return
        sent = [self._event(is_page, broken, order, page) for _ in range(n)]
        if not self._post(sent, is_page):
            return
        draw = chance.random()
        if is_page and draw < 0.06:
            self.world.sleep(chance.choice((0.0, chance.expovariate(1 / 5))))
            self._withdraw(sent)
        elif is_page and draw < 0.1:
            self._report_pixel(sent)
        elif draw < 0.13:
            self.world.sleep(chance.choice((chance.expovariate(1 / 600), chance.expovariate(1 / 7200))))
            self._submit_again(sent, is_page)

    def _post(self, sent: Sent, is_page: bool) -> bool:
        """Until it is answered, or the site gives up; whether it was answered."""
        for attempt in range(6):
            self._stamp(sent, is_page)
            status, answer = self._a_server().post(
                "/events", {"data": [event for event, _ in sent]}, self._headers(is_page)
            )
            self._stamp(sent, is_page)
            if status in (202, 422):
                self._note_answered(sent, answer)
                return True
            self._may_be_answered(status, answer)
            self.world.sleep(2.0**attempt)
        return False

    def _stamp(self, sent: Sent, is_page: bool) -> None:
        """By the machine's clock, before and after the door could: it may be set between them."""
        at = START + (self.world.now + self.machine.clock_offset) // MICRO
        for event, fact in sent:
            for one in fact.family:
                if "event_time" not in event:
                    one.stamp(at)
                elif is_page:
                    one.note_doors_time(at)

    def _may_be_answered(self, status: int, answer: Any) -> None:
        is_known = self.machine.knows(self.dataset)
        if status in (0, 503, 429) or (status in (401, 403) and not is_known):
            self.world.mark(f"a site was answered {status}")
        else:
            self.world.fail(f"a site was answered {status} {str(answer)[:200]}")

    def _headers(self, is_page: bool) -> dict[str, str]:
        if is_page:
            return {"Origin": f"{ORIGIN}-{self.dataset}", "User-Agent": BROWSER}
        return {"Authorization": f"Bearer {self.machine.key_of(self.dataset)}"}

    def _a_server(self) -> Server:
        return self.chance.choice(self.machine.servers)

    # -- what is sent --------------------------------------------------------------------------------------------------

    def _event(
        self, is_page: bool, broken: bool | None, order: str | None, page: str | None
    ) -> tuple[dict[str, Any], Fact]:
        chance = self.chance
        self._events += 1
        names = [(name, weight) for name, weight in NAMES if not is_page or name in ("Lead", "ViewContent", "Contact")]
        name = "Purchase" if order else chance.choices([n for n, _ in names], [w for _, w in names])[0]
        is_broken = chance.random() < self.plan.broken if broken is None else broken
        template = chance.choice(self.plan.mistakes if is_broken else GOOD)
        is_spoiled = broken is None and not order and chance.random() < self.plan.door_mistakes
        event_id = f"{self.dataset}-{self._events}"
        if not is_page:
            event_id = self._id_of_two(name, event_id)
        age = chance.choice(AGES) if broken is None and not order else 0
        event_time = START + self.world.now // MICRO - age
        if has_no_time := self.gives_no_time and not is_spoiled and not order:
            event_time = START + (self.world.now + self.machine.clock_offset) // MICRO
        place = page or (template if chance.random() < 0.7 else chance.choice("abc"))
        event: dict[str, Any] = {
            "event_name": name,
            "event_id": event_id,
            "event_time": event_time,
            "event_source_url": f"https://shop.example/{place.replace(' ', '-')}",
            "user_data": {"email": f"canary.{name.lower()}.{event_id}@example.org", "client_user_agent": BROWSER},
            "custom_data": custom_data(template),
        }
        is_silent = broken is None and chance.random() < 0.2 and not order  # whose visitor agreed
        if not is_silent:
            event["consent"] = "granted"
        if name == "Purchase":
            event["custom_data"] |= {"value": chance.randint(1, 500), "currency": "EUR"}
            event["custom_data"] |= {"order_id": order} if order else {}
        if is_spoiled:
            spoil(event, chance)
        fact = self.facts.new((self.dataset, name, event_id), is_broken=is_broken or is_spoiled, event_time=event_time)
        for other in self.machine.copies_of(self.dataset):
            copy = self.facts.new((other, name, event_id), is_broken=fact.is_broken, event_time=event_time)
            fact.family.append(copy)
            copy.family = fact.family
        for one in fact.family:
            one.digest, one.template = hashlib.sha256(event["user_data"]["email"].encode()).hexdigest(), template
            one.is_silent = is_silent
        if has_no_time:
            del event["event_time"]
        if is_spoiled:
            self.machine.spoiled |= dict.fromkeys(one.key for one in fact.family)
        return event, fact

    def _id_of_two(self, name: str, event_id: str) -> str:
        """Now and then, a Lead has the id of a CompleteRegistration before it."""
        if name == "Lead" and self._signed_up and self._twins.random() < 0.3:
            event_id, self._signed_up = self._signed_up, None
            self.world.mark("two events of one id, by their names")
        elif name == "CompleteRegistration":
            self._signed_up = event_id
        return event_id

    def _note_answered(self, sent: Sent, answer: Any) -> None:
        rows = {row["index"]: row for row in answer["accepted"]}
        copies = {row["index"]: row.get("copies", ()) for row in (*answer["accepted"], *answer["refused"])}
        for index, (_, fact) in enumerate(sent):
            self._note_copies(fact, copies.get(index, ()))
            if index not in rows:
                # Its mistake; or the machine's clock is days off, and finds it too old or in the future.
                self.world.mark("the door refused")
            elif fact.key in self.machine.spoiled:
                self.world.fail(f"the door let {fact.key} in, which Meta would refuse")
            else:
                if rows[index]["duplicate"]:
                    self.world.mark("the door knew an event")
                if not fact.may_be_gone:
                    fact.acknowledged_at = fact.acknowledged_at or self.world.now

    def _note_copies(self, fact: Fact, rows: Sequence[dict[str, Any]]) -> None:
        taken = {row["dataset"] for row in rows if "event_id" in row}
        for copy in fact.family:
            if copy is fact or copy.key[0] not in taken:
                continue
            if copy.key in self.machine.spoiled:
                self.world.fail(f"the door let {copy.key} in, which Meta would refuse")
            self.world.mark("another dataset got a copy")
            if not copy.may_be_gone:
                copy.acknowledged_at = copy.acknowledged_at or self.world.now

    # -- and later -----------------------------------------------------------------------------------------------------

    def _withdraw(self, sent: Sent) -> None:
        asked = {"event_ids": [event["event_id"] for event, _ in sent]}
        is_leased = any(fact.key in self.facts.graph.in_flight for _, fact in sent)
        status, _ = self._a_server().post("/withdraw", asked, self._headers(True))
        if status not in (200, 202, 204):
            return
        self.world.mark("a visitor took an event back" + " while Meta was asked" * is_leased)
        for fact in [one for _, own in sent for one in own.family]:
            if fact.acknowledged_at is not None:
                fact.taken_back_at = fact.taken_back_at or self.world.now
                self.facts.gone.append(fact)

    def _report_pixel(self, sent: Sent) -> None:
        pairs = [[event["event_name"], event["event_id"]] for event, _ in sent] + [["PageView", f"p{self._events}"]]
        status, answer = self._a_server().post("/events", {"data": [], "pixel": pairs}, self._headers(True))
        if status == 202:
            self.world.mark("a pixel reported")
        else:
            self._may_be_answered(status, answer)

    def _submit_again(self, sent: Sent, is_page: bool) -> None:
        """The same ids; a site that renders its pages anew sends another body with them."""
        if self.is_closed:
            return
        if self.chance.random() < 0.5:
            for event, _ in sent:
                event["custom_data"] = {**event["custom_data"], "content_name": "again"}
        self.world.mark("a site sent an event again")
        self._post(sent, is_page)

    def _remember_visitor(self) -> str | None:
        """Whose order comes later; its id."""
        self._events += 1
        order = f"order-{self.dataset}-{self._events}"
        now = START + self.world.now // MICRO
        visit = {"key": order, "fbp": f"fb.1.{now}000.{self._events}", "event_source_url": "https://shop.example/a"}
        status, answer = self._a_server().post("/visitors", visit | {"consent": "granted"}, self._headers(True))
        if status != 202:
            self._may_be_answered(status, answer)
            return None
        self.world.mark("a visitor was remembered")
        self.world.sleep(self.chance.expovariate(1 / 1800))
        return order
