"""What a world is made of, drawn from its seed, and how a failing one is made smaller.

Each actor has a stream of chance of its own, named after it. So leaving out one kind of act, one mood or one dataset
does not change what the others draw, and a plan that was cut down still fails for the same reason, or not at all.
"""

import random
from collections.abc import Callable, Iterator

import msgspec

MOODS = {
    "healthy": 60,
    "slow": 8,
    "near a limit": 4,
    "throttled": 4,
    "no connection": 4,
    "500": 4,
    "502": 3,
    "answers get lost": 4,
    "answers come late": 3,
    "odd codes": 4,
    "odd bytes": 3,
}
"""Of Meta, with their weights."""
EVENTS_AT_META = {"a token ends": 3, "a rule changes": 3}
"""Beside the moods; out of a hundred changes of mood."""
ACTS = {
    "restart": 6,
    "kill": 8,
    "cut_power": 4,
    "set_clock": 3,
    "fill_disk": 2,
    "slow_disk": 2,
    "failing_disk": 3,
    "rot": 2,
    "replay": 2,
    "erase": 3,
    "renew_token": 6,
}
"""Of the operator, with their weights."""


class SitePlan(msgspec.Struct, frozen=True):
    dataset: str
    per_hour: float
    """Visits."""
    broken: float
    """The share of events that come from a template with a mistake."""


class Plan(msgspec.Struct, frozen=True):
    """Hours are virtual."""

    seed: int
    hours: float
    sites: tuple[SitePlan, ...]
    servers: int
    workers: int
    """How many of the servers deliver, too."""
    moods: tuple[str, ...] = (*MOODS, *EVENTS_AT_META)
    mood_hours: float = 0.7
    acts: tuple[str, ...] = tuple(ACTS)
    act_hours: float = 1.0


def draw(seed: int, hours: float) -> Plan:
    """`hours`: of faults, on average."""
    chance = random.Random(f"plan {seed}")
    servers = chance.choice((1, 1, 1, 1, 1, 2, 2, 3))
    return Plan(
        seed=seed,
        hours=round(hours * chance.uniform(0.5, 1.5), 2),
        sites=tuple(
            SitePlan(str(100 + n), chance.choice((2, 6, 20)), chance.choice((0.0, 0.0, 0.02, 0.1, 0.5)))
            for n in range(chance.choice((1, 1, 2, 3)))
        ),
        servers=servers,
        workers=chance.randint(1, servers),
        mood_hours=chance.choice((0.25, 0.7, 2)),
        act_hours=chance.choice((0.2, 0.7, 2)),
    )


def shrink(plan: Plan, fails: Callable[[Plan], bool]) -> Iterator[Plan]:
    """Smaller plans that still fail, each smaller than the one before."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(plan):
            if fails(candidate):
                plan, smaller = candidate, True
                yield plan
                break


def _smaller(plan: Plan) -> Iterator[Plan]:
    change = msgspec.structs.replace
    if plan.hours > 0.1:
        yield change(plan, hours=round(plan.hours / 2, 2))
        yield change(plan, hours=round(plan.hours * 0.8, 2))
    for site in plan.sites if len(plan.sites) > 1 else ():
        yield change(plan, sites=tuple(other for other in plan.sites if other is not site))
    if plan.servers > 1:
        yield change(plan, servers=1, workers=1)
    half = len(plan.acts) // 2
    if half > 1:
        yield change(plan, acts=plan.acts[half:])
        yield change(plan, acts=plan.acts[:half])
    for act in plan.acts:
        yield change(plan, acts=tuple(other for other in plan.acts if other != act))
    for mood in plan.moods:
        if mood != "healthy":
            yield change(plan, moods=tuple(other for other in plan.moods if other != mood))
