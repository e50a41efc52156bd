"""What an operator does to events: by the verbs of the command line, each in a process of its own."""

import time
from typing import TYPE_CHECKING, Any

from tests.simulation.scheduler import current

if TYPE_CHECKING:
    from tests.simulation.facts import Fact
    from tests.simulation.operators import Operator


def replay(operator: "Operator") -> None:
    operator.as_command("replay", lambda outbox: _note(outbox.replay(time.time())))


def replay_some(operator: "Operator") -> None:
    """By their ids, and one that nobody knows."""

    def some(outbox: Any) -> None:
        dead = [story.event_id for story in outbox.dead(20)]
        _note(outbox.replay(time.time(), [*dead[:: operator.chance.choice((1, 2, 5))], "unknown"]))

    operator.as_command("replay some", some)


def _note(replayed: int) -> None:
    if replayed:
        current().mark("dead events were sent again")


def look_and_release(outbox: Any) -> None:
    """What became of events, and what waits for a person."""
    for story in outbox.recent(1_000):
        if story.reason:
            current().mark(f"an event is {story.state}: {story.reason}")
    if held := [story.event_id for story in outbox.held(1_000)]:
        current().mark("held events were sent again")
        outbox.replay(time.time(), held)


def erase(operator: "Operator") -> None:
    known = [fact for fact in operator.facts.known.values() if fact.acknowledged_at and not fact.is_gone]
    waiting = [fact for fact in known if fact.key not in operator.facts.graph.taken]
    known = waiting if waiting and operator.chance.random() < 0.5 else known
    if known:
        _erase(operator, operator.chance.choice(known))


def erase_in_flight(operator: "Operator") -> None:
    """Somebody whose event is at Meta's door at that moment."""
    for _ in range(400):
        for key in operator.facts.graph.in_flight:
            fact = operator.facts.known.get(key)
            if fact and fact.acknowledged_at and not fact.is_gone:
                return _erase(operator, fact)
        if operator.is_done:
            return None
        operator.world.sleep(0.13)
    return None


def _erase(operator: "Operator", fact: "Fact") -> None:
    dataset, name, event_id = fact.key

    def work(outbox: Any) -> None:
        for story in outbox.find(event_id):
            if (story.dataset, story.event_name) == (dataset, name):
                current().mark(f"erased what was {story.state}")
        outbox.erase([fact.digest], time.time())

    if operator.as_command("erase", work):
        for one in fact.family:  # the same person
            if one.acknowledged_at and not one.is_gone:
                one.erased_at = operator.world.now
                operator.facts.gone.append(one)
                operator.at_erased(one)
