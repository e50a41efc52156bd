"""What a world is made of, drawn from its seed, and how a failing one is made smaller.

Each actor has a stream of chance of its own, named after it. So leaving out one kind of act, one mood or one dataset
does not change what the others draw, and a plan that was cut down still fails for the same reason, or not at all.
"""

import random
from collections.abc import Callable, Iterator

import msgspec

MOODS = {
    "healthy": 60,
    "slow": 7,
    "near a limit": 3,
    "metered": 5,
    "throttled": 4,
    "no connection": 4,
    "500": 4,
    "502": 3,
    "answers get lost": 4,
    "answers come late": 4,
    "hangs": 2,
    "odd codes": 4,
    "odd bytes": 3,
    "odd successes": 3,
    "a small proxy": 2,
}
"""Of Meta, with their weights."""
EVENTS_AT_META = {"a token ends": 3, "a rule changes": 3, "the clock moves": 3}
"""Beside the moods; out of a hundred changes of mood."""
AWAY_MOODS = ("no connection", "500", "throttled for long", "unknown", "silent")
"""Of an outage that lasts for hours or days."""
ACTS = {
    "restart": 6,
    "upgrade": 3,
    "kill": 8,
    "stop_signal": 4,
    "cut_power": 4,
    "set_clock": 3,
    "drift": 2,
    "fill_disk": 3,
    "slow_disk": 2,
    "failing_disk": 3,
    "bad_sector": 2,
    "lying_disk": 1,
    "rot": 2,
    "restore_backup": 2,
    "delete_file": 2,
    "move_file": 2,
    "replay": 2,
    "replay_some": 2,
    "erase": 3,
    "erase_in_flight": 3,
    "renew_token": 6,
    "remove_dataset": 2,
    "change_keys": 2,
    "break_settings": 2,
    "ask_for_consent": 1,
}
"""Of the operator, with their weights."""
MISTAKES = ("broken", "unnamed", "forgets", "named", "odd key")
"""Templates whose events Meta refuses; `templates.py` says how."""
LONG_SHARE = 0.25
"""Of worlds that are long and quiet: there days of outage, nights, and events that grow old are met."""
WEEKS_EVERY = 20
"""One world of so many lasts for weeks; not those that every run of the tests plays."""
IN_THE_TESTS = 200
LEAST_HOURS = 0.5
"""Who asks for worlds shorter than this gets no long ones."""


class Outage(msgspec.Struct, frozen=True):
    """Hours of the world's time."""

    dataset: str
    begins: float
    hours: float
    mood: str


class SitePlan(msgspec.Struct, frozen=True):
    dataset: str
    per_hour: float
    """Visits; at the busiest time of the day where it has one."""
    broken: float
    """The share of events that come from a template with a mistake."""
    mistakes: tuple[str, ...] = ("broken",)
    door_mistakes: float = 0.0
    """The share of events that our own door refuses."""
    has_nights: bool = False
    bursts: tuple[float, ...] = ()
    """Hours of the world's time at which some hundred events come within minutes."""


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
    outages: tuple[Outage, ...] = ()
    poll_seconds: float = 15.0
    """Between two looks of an idle worker: an idle second costs as much as a busy one."""
    longest_pause: float | None = None
    """Of a worker whose dataset is away; None: as in the product. In a long world it asks less often."""
    copies: bool = False
    """The second dataset gets a copy of each event of the first."""


def draw(seed: int, hours: float) -> Plan:
    """`hours`: as in `_draw`. In half of the worlds with several datasets the first one's events are copied."""
    plan = _draw(seed, hours)
    has_copies = len(plan.sites) > 1 and random.Random(f"copies {seed}").random() < 0.5
    return msgspec.structs.replace(plan, copies=has_copies)


def _draw(seed: int, hours: float) -> Plan:
    """`hours`: of faults, on average, in a dense world; a long and quiet one has 12 to 72, one of weeks 200 to 800."""
    chance = random.Random(f"plan {seed}")
    if hours >= LEAST_HOURS and seed > IN_THE_TESTS and seed % WEEKS_EVERY == 0:
        return _weeks(seed, chance)
    if hours >= LEAST_HOURS and chance.random() < LONG_SHARE:
        return _long(seed, chance)
    servers = chance.choice((1, 1, 1, 1, 1, 2, 2, 3))
    length = round(hours * chance.uniform(0.5, 1.5), 2)
    return Plan(
        seed=seed,
        hours=length,
        sites=tuple(
            SitePlan(
                str(100 + n),
                chance.choice((2, 6, 20)),
                chance.choice((0.0, 0.0, 0.02, 0.1, 0.5)),
                _mistakes(chance),
                chance.choice((0.0, 0.0, 0.05)),
                bursts=_times(chance, 0.12, length),
            )
            for n in range(chance.choice((1, 1, 2, 3)))
        ),
        servers=servers,
        workers=chance.randint(1, servers),
        mood_hours=chance.choice((0.25, 0.7, 2)),
        act_hours=chance.choice((0.2, 0.7, 2)),
    )


def _long(seed: int, chance: random.Random) -> Plan:
    """Moods of hours, an outage of up to days, few acts."""
    hours = round(12 * 6 ** chance.random(), 2)
    servers = chance.choice((1, 1, 1, 2))
    sites = tuple(
        SitePlan(
            str(100 + n),
            chance.choice((2, 5, 10)),
            chance.choice((0.0, 0.02, 0.1)),
            _mistakes(chance),
            chance.choice((0.0, 0.05)),
            has_nights=True,
            bursts=_times(chance, 0.12, hours),
        )
        for n in range(chance.choice((1, 1, 2)))
    )
    outages = [
        Outage(site.dataset, round(begins, 2), round(hours * chance.choice((0.05, 0.3, 0.9)), 2), mood)
        for site in sites
        for begins in _times(chance, 0.6, hours)
        for mood in (chance.choice(AWAY_MOODS),)
    ]
    return Plan(
        seed=seed,
        hours=hours,
        sites=sites,
        servers=servers,
        workers=servers,
        mood_hours=chance.choice((3, 8)),
        act_hours=chance.choice((3, 8)),
        outages=tuple(outages),
        poll_seconds=120.0,
        longest_pause=240.0,
    )


def _weeks(seed: int, chance: random.Random) -> Plan:
    """A shop that hardly sells, and is left alone: what waits for two days, for seven or for eight is met here."""
    hours = round(200 * 4 ** chance.random(), 2)
    site = SitePlan("100", chance.choice((0.3, 1, 2)), chance.choice((0.0, 0.1)), _mistakes(chance), has_nights=True)
    outages = tuple(
        Outage("100", round(begins, 2), round(chance.choice((30, 60, 170)), 2), chance.choice(AWAY_MOODS))
        for begins in _times(chance, 0.8, hours)
    )
    servers = chance.choice((1, 1, 2))
    return Plan(
        seed=seed,
        hours=hours,
        sites=(site,),
        servers=servers,
        workers=servers,
        mood_hours=chance.choice((12, 40)),
        act_hours=chance.choice((12, 40)),
        outages=outages,
        poll_seconds=300.0,
        longest_pause=600.0,
    )


def _mistakes(chance: random.Random) -> tuple[str, ...]:
    return tuple(chance.sample(MISTAKES, chance.choice((1, 1, 2))))


def _times(chance: random.Random, likely: float, hours: float) -> tuple[float, ...]:
    """None or one, in the first four fifths of the world."""
    return (round(hours * chance.uniform(0, 0.8), 2),) if chance.random() < likely else ()


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
    for outage in plan.outages:
        yield change(plan, outages=tuple(other for other in plan.outages if other is not outage))
    for site in plan.sites:
        if site.bursts:
            quiet = change(site, bursts=())
            yield change(plan, sites=tuple(quiet if other is site else other for other in plan.sites))
    half = len(plan.acts) // 2
    if half > 1:
        yield change(plan, acts=plan.acts[half:])
        yield change(plan, acts=plan.acts[:half])
    for act in plan.acts:
        yield change(plan, acts=tuple(other for other in plan.acts if other != act))
    for mood in plan.moods:
        if mood != "healthy":
            yield change(plan, moods=tuple(other for other in plan.moods if other != mood))
