"""Careful clients under a fault, and the reckoning afterwards.

A client posts until it is told 202 and notes only then what was promised to it; the reckoning holds the promises
against what Meta's stand-in got and what the outbox says of itself.
"""

import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from tests.processes import Installation, until

CANARY = "canary.person"
Progress = Callable[[str], None]
"""Told from time to time how far it is."""


class Result(msgspec.Struct):
    """One row of the table in docs/guarantees.md."""

    fault: str
    rounds: int
    acknowledged: int
    lost: int
    duplicates: int
    verdict: str
    note: str = ""

    def unless(self, trouble: str) -> "Result":
        """The same row; `trouble` is its verdict where there is any."""
        return msgspec.structs.replace(self, verdict=trouble) if trouble else self


class Load:
    """Clients that post to a relay which comes and goes. `gap`: seconds between two posts; 0 means without a pause."""

    def __init__(
        self,
        here: Installation,
        *,
        clients: int = 4,
        gap: float = 0.0,
        most: int = 20,
        seed: int = 1,
        poison: bool = False,
        also_to: str | None = None,
    ) -> None:
        """`most`: events in one post. `poison`: one event in fifty has an id with that word in it. `also_to`: another
        collector that every second client posts to."""
        self.here, self.gap, self.most, self.poison = here, gap, most, poison
        self.to = (None, also_to)
        self.acknowledged: set[str] = set()
        self.statuses: dict[int, int] = {}
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(seed, n), daemon=True) for n in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self, seed: int, client: int) -> None:
        chance = random.Random(f"{seed}-{client}")
        number = 0
        while not self.stopping.is_set():
            numbers = range(number, number + chance.randint(1, self.most))
            number = numbers.stop
            events = [event(f"{seed}-{client}-{n}{self.mark(n)}") for n in numbers]
            while not self.stopping.is_set():
                status, answer = self.here.post(events, to=self.to[client % 2])
                self.statuses[status] = self.statuses.get(status, 0) + 1
                if status == 202:
                    self.acknowledged.update(receipt["event_id"] for receipt in answer["accepted"])
                    break
                self.stopping.wait(0.02)
            self.stopping.wait(self.gap)

    def mark(self, number: int) -> str:
        return "-poison" if self.poison and number % 50 == 13 else ""


def event(event_id: str, name: str = "Lead", at: float | None = None) -> dict[str, Any]:
    return {
        "event_name": name,
        "event_id": event_id,
        "event_time": int(at or time.time()),
        "user_data": {"email": f"{CANARY}{event_id}@example.com", "client_ip_address": "203.0.113.9"},
        "custom_data": {"value": 1.5, "currency": "EUR"},
    }


def reckon(
    fault: str, rounds: int, here: Installation, acknowledged: set[str], *, most_duplicates: int = 0, note: str = ""
) -> Result:
    """Waits until everything is settled. Lost: promised, and neither at Meta nor a dead letter with Meta's reason."""
    book = until(here.settled, seconds=150, every=0.3)
    arrived = [row["event"] for row in here.arrived()]
    bodies: dict[str, set[str]] = {}
    for found in arrived:
        bodies.setdefault(found["event_id"], set()).add(json.dumps(found, sort_keys=True))
    dead = {story["event_id"] for story in json.loads(here.command("dead", "list", "--json").stdout)}
    lost = acknowledged - bodies.keys() - dead
    duplicates = len(arrived) - len(bodies)
    wrong = [
        problem
        for problem, found in {
            "lost": lost,
            "books do not balance": book["imbalance"],
            "fewer accepted than acknowledged": book["accepted"] < len(acknowledged),
            "dead": dead,
            "one event, two bodies": any(len(versions) > 1 for versions in bodies.values()),
            f"more than {most_duplicates} duplicates": duplicates > most_duplicates,
            "a person in the log": CANARY in here.logs(),
        }.items()
        if found
    ]
    return Result(fault, rounds, len(acknowledged), len(lost), duplicates, ", ".join(wrong) or "kept", note)
