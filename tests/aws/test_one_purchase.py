"""One paid webhook, however often it comes and whatever dies meanwhile, is one Purchase at Meta.

What can be sent twice, and when, is what `docs/aws.md` says; these tests walk through the orders in which two or three
invocations of the delivery function can take their steps."""

import random

import pytest

from conversion_relay.outbox.sqs_message import encode
from tests.aws.interleaved import Invocation, World, orders, purchase


def explored(world: World, choose, *, kills: int = 0, leap: float = 0.0, invocations: int = 2) -> None:
    """Some order of the beginnings and steps of all invocations, with so many deaths among them and at most one leap in
    time."""
    while world.alive() or len(world.running) < invocations:
        options: list[tuple[str, Invocation | None]] = [("go", one) for one in world.alive()]
        options += [("begin", None)] if len(world.running) < invocations else []
        options += [(how, one) for how in ("kill", "die") for one in world.alive()] if kills else []
        options += [("leap", None)] if leap and world.running else []
        how, one = options[choose(len(options))]
        if one is not None:
            kills -= how != "go"
            one.go(how)
        elif how == "leap":
            world.pass_time(leap)
            leap = 0
        else:
            world.invoke()


def judge(world: World, sends: int | None) -> None:
    """`sends`: how often it may have left at most."""
    assert {event_id for _, event_id in world.sends} <= {"purchase_1"}
    assert world.counted() == 1, world.sends
    assert sends is None or len(world.sends) <= sends, world.sends
    assert world.messages == []


def test_two_copies_of_it_in_any_order_leave_once():
    def explore(choose):
        world = World(2)
        explored(world, choose)
        world.drain()
        judge(world, sends=1)

    assert sum(1 for _ in orders(explore)) > 20


@pytest.mark.parametrize("seed", range(20))
def test_fifty_copies_of_it_in_twelve_invocations_leave_once(seed):
    world = World(50)
    explored(world, random.Random(seed).randrange, invocations=12)
    world.drain()
    judge(world, sends=1)


@pytest.mark.parametrize("timeout", [60.0, 300.0, 900.0])
def test_however_slow_an_invocation_is_no_other_sends_meanwhile(timeout):
    """A claim that ran out before the invocation did would let a second one send."""

    def explore(choose):
        world = World(2, timeout=timeout)
        explored(world, choose, leap=timeout - 15)
        world.drain()
        judge(world, sends=1)

    for _ in orders(explore):
        pass


def test_killed_at_any_step_it_is_not_lost_and_a_repetition_is_metas_to_drop():
    seen = set()

    def explore(choose):
        world = World(2)
        explored(world, choose, kills=1)
        world.drain()
        judge(world, sends=2)
        seen.add(len(world.sends))

    for _ in orders(explore):
        pass
    assert seen == {1, 2}, "twice it leaves when a function dies after Meta's answer and before the mark"


def test_killed_and_repeated_after_meta_forgot_it_is_left_to_a_person():
    """Days later Meta would count the repetition; whether it has the first cannot be known."""
    held = 0

    def explore(choose):
        nonlocal held
        world = World(1)
        explored(world, choose, kills=1, invocations=1)
        world.pass_time(49 * 3_600)
        world.drain()
        assert len(world.sends) <= 1
        assert world.sends or world.held()
        held += world.held()

    for _ in orders(explore):
        pass
    assert held


@pytest.mark.parametrize("seed", range(40))
def test_with_deaths_silence_of_meta_and_leaps_in_time_it_is_counted_once(seed):
    chance = random.Random(seed)
    answers = tuple(chance.choice(["taken", "silent", "away"]) for _ in range(4))
    for _ in range(8):
        world = World(3, timeout=chance.choice([60.0, 300.0]), answers=answers)
        explored(world, chance.randrange, kills=2, leap=chance.choice([20.0, 50.0, 95.0, 250.0]), invocations=3)
        world.drain()
        judge(world, sends=None)


@pytest.mark.parametrize("hours", [0, 1, 47, 49, 24 * 6])
def test_a_webhook_that_is_repeated_for_days_is_the_same_purchase(hours):
    world = World(50)
    world.drain()
    world.pass_time(hours * 3_600)
    world.put(encode("1", world.now, [purchase()]))
    world.drain()
    judge(world, sends=1)


def test_a_person_who_replays_what_was_held_is_obeyed_and_later_copies_are_not():
    world = World(1, answers=("silent",))
    world.invoke().run()
    world.pass_time(49 * 3_600)
    world.drain()
    assert world.held() and len(world.sends) == 1
    world.answers = ["away"]
    world.put(encode("1", world.now, [purchase()], decided=True))
    world.invoke().run()
    world.put(encode("1", world.now, [purchase()]))
    assert len(world.sends) == 1
    world.drain()
    assert len(world.sends) == 2, "the replay leaves once Meta is back; the copy of the webhook stays held or is known"


def test_what_meta_refused_is_free_to_be_replayed_days_later():
    world = World(1, answers=("refused",))
    world.drain()
    assert not world.sends and len(world.dead) == 1
    world.pass_time(60 * 3_600)
    world.put(encode("1", world.now, [purchase()]))
    world.drain()
    judge(world, sends=1)
    assert not world.held()
