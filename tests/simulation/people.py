"""Sites, visitors and operators: what they send and do is drawn from the seed.

A site sends events with a person in them, from a backend with an API key or from a page with an Origin. It sends again
what was not acknowledged, and now and then what was. Some sites make a systematic mistake: one of their templates
produces events that Meta refuses. Operators do what operators do: they restart, set clocks, fill disks, renew tokens.
"""

import hashlib
import time
from typing import Any

from conversion_relay.outbox import open_outbox
from tests.simulation.disk import close_connections
from tests.simulation.facts import Fact, Facts
from tests.simulation.machine import API_KEY, ORIGIN, Machine, Server
from tests.simulation.plan import ACTS, Plan, SitePlan
from tests.simulation.scheduler import START, Scheduler

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
NAMES = (("Lead", 5), ("ViewContent", 8), ("Purchase", 2), ("CompleteRegistration", 2), ("Contact", 1))


class Site:
    """One dataset's traffic."""

    def __init__(self, world: Scheduler, machine: Machine, facts: Facts, plan: SitePlan) -> None:
        self.world, self.machine, self.facts, self.plan = world, machine, facts, plan
        self.dataset = plan.dataset
        self.chance = world.random_of(f"site {plan.dataset}")
        self._events = 0
        self.is_closed = False

    def live(self) -> None:
        """A task, until it is closed: single events, and now and then a burst."""
        chance = self.chance
        while not self.is_closed:
            self.world.sleep(chance.expovariate(self.plan.per_hour / 3600))
            if self.is_closed:
                return
            n = 1 if chance.random() < 0.97 else chance.choice((5, 20, 80))
            self.visit(n)

    def visit(self, n: int, *, broken: bool | None = None) -> None:
        """One request with `n` events, in a task of its own."""
        self.world.spawn(lambda: self._send(n, broken), f"visitor of {self.dataset}", self.world.outside)

    def _send(self, n: int, broken: bool | None) -> None:
        chance = self.chance
        is_page = n == 1 and chance.random() < 0.4
        events = [self._event(is_page, broken) for _ in range(n)]
        headers = (
            {"Origin": f"{ORIGIN}-{self.dataset}", "User-Agent": BROWSER}
            if is_page
            else {"Authorization": f"Bearer {API_KEY}-{self.dataset}"}
        )
        for attempt in range(6):
            server = self._a_server()
            status, answer = server.post("/events", {"data": [event for event, _ in events]}, headers)
            if status in (202, 422):
                self._note_answered(events, answer)
                break
            if status in (0, 503, 429):
                self.world.mark(f"a site was answered {status}")
                self.world.sleep(2.0**attempt)
                continue
            self.world.fail(f"a site was answered {status} {str(answer)[:200]}")
        if is_page and chance.random() < 0.05:
            self.world.sleep(chance.expovariate(1 / 5))
            self._withdraw(events, headers)
        elif chance.random() < 0.03:
            self.world.sleep(chance.expovariate(1 / 600))
            self._a_server().post("/events", {"data": [event for event, _ in events]}, headers)

    def _a_server(self) -> Server:
        return self.chance.choice(self.machine.servers)

    def _event(self, is_page: bool, broken: bool | None) -> tuple[dict[str, Any], Fact]:
        chance = self.chance
        self._events += 1
        names = [(name, weight) for name, weight in NAMES if not is_page or name in ("Lead", "ViewContent", "Contact")]
        name = chance.choices([n for n, _ in names], [w for _, w in names])[0]
        is_broken = chance.random() < self.plan.broken if broken is None else broken
        event_id = f"{self.dataset}-{self._events}"
        event_time = START + self.world.now // 1_000_000 - chance.choice((0, 0, 0, 5, 60, 3600))
        event: dict[str, Any] = {
            "event_name": name,
            "event_id": event_id,
            "event_time": event_time,
            "event_source_url": f"https://shop.example/{chance.choice('abc')}",
            "user_data": {"email": f"canary.{event_id}@example.org", "client_user_agent": BROWSER},
            "custom_data": {"content_category": "broken" if is_broken else "good"},
        }
        if name == "Purchase":
            event["custom_data"] |= {"value": chance.randint(1, 500), "currency": "EUR"}
        fact = self.facts.new((self.dataset, name, event_id), is_broken=is_broken, event_time=event_time)
        fact.digest = hashlib.sha256(f"canary.{event_id}@example.org".encode()).hexdigest()
        return event, fact

    def _note_answered(self, events: list[tuple[dict[str, Any], Fact]], answer: Any) -> None:
        rows = {row["index"]: row for row in answer["accepted"]}
        for index, (_, fact) in enumerate(events):
            if index in rows:
                fact.acknowledged_at = fact.acknowledged_at or self.world.now
            else:
                # The machine's clock may be days off, and then an event is too old or in the future for it.
                self.world.mark("the door refused")

    def _withdraw(self, events: list[tuple[dict[str, Any], Fact]], headers: dict[str, str]) -> None:
        status, _ = self._a_server().post("/withdraw", {"event_ids": [e["event_id"] for e, _ in events]}, headers)
        if status in (200, 202, 204):
            self.world.mark("a visitor took an event back")
            for _, fact in events:
                fact.taken_back_at = fact.taken_back_at or self.world.now
                self.facts.gone.append(fact)


class Operator:
    """One person with a machine. `acts` is a task for the time of faults."""

    def __init__(self, world: Scheduler, machine: Machine, facts: Facts, plan: Plan) -> None:
        self.world, self.machine, self.facts = world, machine, facts
        self.is_done = False
        self.chance = world.random_of("operator")
        self.plan = plan

    def live(self) -> None:
        while not self.is_done:
            self.world.sleep(self.chance.expovariate(1 / (self.plan.act_hours * 3600)))
            act = self.chance.choices(list(ACTS), list(ACTS.values()))[0]
            if self.is_done or act not in self.plan.acts:
                continue
            self.world.mark(f"operator: {act}")
            self.world.note(f"operator: {act}")
            getattr(self, act)()
            self.supervise()

    def supervise(self) -> None:
        for server in list(self.machine.servers):
            if not server.process.is_alive or server.service is None:
                self.machine.kill(server)
                self.machine.restart(server)

    def _a_server(self) -> Server:
        return self.chance.choice(self.machine.servers)

    def restart(self) -> None:
        self.machine.stop(self._a_server())
        self.world.sleep(self.chance.choice((0.1, 2, 60)))

    def kill(self) -> None:
        self.machine.kill(self._a_server())
        self.world.sleep(self.chance.choice((0, 0.5, 5, 200)))

    def cut_power(self) -> None:
        self.machine.kill_all()
        self.machine.disk.cut_power()
        self.world.sleep(self.chance.choice((10, 600)))

    def set_clock(self) -> None:
        self.machine.set_clock(self.chance.choice((0, 0, -3600, 90, 3600, 20 * 86_400, -10 * 86_400)))

    def fill_disk(self) -> None:
        disk = self.machine.disk
        disk.filled = max(1, disk.room() - self.chance.choice((0, 100_000, 6_000_000)))
        self.world.sleep(self.chance.choice((5, 120)))
        disk.filled = 0

    def slow_disk(self) -> None:
        self.machine.disk.sync_seconds = self.chance.choice((0.05, 0.5))
        self.world.sleep(60)
        self.machine.disk.sync_seconds = 0.002

    def failing_disk(self) -> None:
        disk, chance = self.machine.disk, self.chance
        disk.sync_fails, disk.write_fails, disk.read_fails = chance.choice(((0.5, 0, 0), (0, 0.2, 0), (0, 0, 0.05)))
        self.world.sleep(chance.choice((20, 300)))
        disk.heal()

    def rot(self) -> None:
        """The file is damaged while nothing runs; the next start salvages it, and may be killed in the middle."""
        self.machine.kill_all()
        if not self.machine.disk.rot(self.machine.outbox, "sqlite_autoindex_event_1"):
            return
        self.world.mark("a file was damaged")
        for _ in range(self.chance.choice((0, 0, 1, 3))):
            self.supervise()
            self.world.sleep(self.chance.choice((0.0, 0.002, 0.01, 0.05)))
            self.machine.kill_all()

    def renew_token(self) -> None:
        self.machine.write_settings()

    def replay(self) -> None:
        self._as_command("replay", lambda outbox: outbox.replay(time.time()))

    def erase(self) -> None:
        known = [fact for fact in self.facts.known.values() if fact.acknowledged_at and not fact.is_gone]
        if not known:
            return
        fact = self.chance.choice(known)
        if self._as_command("erase", lambda outbox: outbox.erase([fact.digest], time.time())):
            fact.erased_at = self.world.now
            self.facts.gone.append(fact)

    def _as_command(self, name: str, work: Any) -> bool:
        """In a process of its own, as `conversion-relay dead replay` and `erase` run; whether it succeeded."""
        process = self.world.process(name)
        process.clock_offset = self.machine.clock_offset
        process.at_kill.append(lambda: close_connections(process))
        done: list[object] = []

        def run() -> None:
            try:
                outbox = open_outbox(f"sqlite:///{self.machine.outbox}")
                try:
                    done.append(work(outbox))
                finally:
                    outbox.close()
            except Exception as error:
                self.world.note(f"{name}: {type(error).__name__}: {error}")

        task = self.world.spawn(run, name, process)
        for _ in range(600):
            if task.greenlet.dead:
                break
            self.world.sleep(0.1)
        self.machine.kill_process(process)
        return bool(done)
