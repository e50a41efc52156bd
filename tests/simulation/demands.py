"""What is demanded after the calm, when all is well, in this order.

    fresh       a good event of each dataset is at Meta within FRESH_SECONDS
    beside      in one world of seven, a site sends some hundred events that are all broken, and then good ones from
                other pages: these are at Meta within FRESH_SECONDS, and so are those that come after them
    replayed    Meta drops its rules and a person replays what is dead: whatever was acknowledged, and neither taken
                back nor erased nor too old, is at Meta within REPLAYED_SECONDS
    balanced    the books are in balance, and what is dead was refused by itself
    no person   nothing of a delivered event's person stands in the outbox, and no address of anybody in a file

That a good event may be tried late which looks like those that Meta refuses is the product's rule (ADR 15); so these
good ones come from other pages.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from conversion_relay.outbox import open_outbox
from tests.simulation.facts import Fact
from tests.simulation.scheduler import MICRO

if TYPE_CHECKING:
    from tests.simulation.run import World

FRESH_SECONDS = 40.0
"""A good event of a healthy dataset is at Meta within this time."""
REPLAYED_SECONDS = 300.0
"""For at most some hundred events: one worker sends them within a minute, if it looks once every two minutes."""
BESIDE_SHARE = 0.15
"""Of worlds: to part some hundred events costs as much as an hour of faults."""


class Demands:
    def __init__(self, of: "World") -> None:
        self.of, self.world, self.facts, self.graph = of, of.world, of.facts, of.graph
        self.chance = of.world.random_of("demands")

    def make(self) -> None:
        self._fresh()
        if self.chance.random() < BESIDE_SHARE:
            self._beside()
        self.of.watch.look()
        self.of.watch.work.weigh_after_the_calm()
        self._replayed()
        self.of.machine.kill_all()
        self._balanced()
        self.of.watch.files.at_end()
        self._no_person()

    def _fresh(self) -> None:
        for site in self.of.sites:
            site.visit(1, broken=False, page="calm")
        self._arrive("though all is well")

    def _arrive(self, why: str) -> None:
        self.world.sleep(FRESH_SECONDS)
        if missing := self.facts.missing():
            first = missing[0].key
            self.world.fail(f"{first} and {len(missing) - 1} more did not arrive within {FRESH_SECONDS:.0f} s {why}")

    def _beside(self) -> None:
        """All in one request or a few, as a feed with one mistake sends them; the good ones at once, or when Meta has
        refused so much for so long that nothing else is expected of the dataset."""
        chance, site = self.chance, self.chance.choice(self.of.sites)
        self.world.mark("hundreds of refused events were followed by good ones")
        self.world.note(f"{site.dataset} sends nothing but broken events")
        for _ in range(chance.choice((1, 1, 4))):
            site.visit(chance.choice((100, 400)) // chance.choice((1, 2)), broken=True, page="feed")
        self.world.sleep(chance.choice((0.5, 5, 30, 60)))
        for page in ("visit", "again"):
            site.visit(chance.choice((1, 20, 200)), broken=False, page=page)
            self._arrive("beside refused ones")

    def _replayed(self) -> None:
        for dataset in self.graph.datasets.values():
            dataset.refused_templates = {}
        self.of.operator.replay_all()
        ends_at = self.world.now + round(REPLAYED_SECONDS * MICRO)
        while self.world.now < ends_at and self._not_replayed():
            self.world.sleep(10)
        if missing := self._not_replayed():
            self.world.fail(f"{missing[0].key} and {len(missing) - 1} more were replayed in vain: Meta takes all now")

    def _not_replayed(self) -> list[Fact]:
        """A clock that was days ahead may have let the ledger drop what was dead."""
        facts = self.facts
        return [
            fact
            for fact in facts.known.values()
            if facts.is_alive(fact) and not (facts.clock_was_wrong and fact.key in self.graph.refused_alone)
        ]

    def _balanced(self) -> None:
        world = self.world
        process = world.process("books")
        found: list[Any] = []

        def look() -> None:
            outbox: Any = open_outbox(f"sqlite:///{self.of.machine.outbox}")
            found.append((outbox.counts(), outbox.dead(100_000)))
            outbox.close()

        task = world.spawn(look, "books", process)
        while not task.greenlet.dead:
            world.sleep(0.1)
        ((counts, dead),) = found
        for name, book in counts.items():
            if book.imbalance:
                world.fail(f"the books of {name} are off by {book.imbalance}")
            for state in ("pending", "delivered", "dead", "expired", "erased"):
                if getattr(book, state):
                    world.mark(f"state {state}")
            world.note(f"books {name}: {msgspec.to_builtins(book)}")
        for story in dead:
            key = (story.dataset, story.event_name, story.event_id)
            if key in self.facts.known and key not in self.graph.refused_alone | self.graph.may_differ:
                world.fail(f"{key} is dead ({story.reason}), and Meta never refused it by itself")

    def _no_person(self) -> None:
        content = b"".join(path.read_bytes() for path in self.of.folder.iterdir() if path.is_file())
        for canary in self.graph.canaries:
            if canary in content:
                self.world.fail(f"personal data in a file: {canary!r}")
