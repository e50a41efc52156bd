"""A dataset has one claim under way at a time, and whoever waits for its end hears of it."""

import threading
import time

import pytest

from conversion_relay.delivery.pace import LINGER_SECONDS
from conversion_relay.delivery.turn import Delivery
from conversion_relay.delivery.worker import Worker
from conversion_relay.errors import OutboxUnavailable
from tests.delivery.standins import SETTINGS, Clock, Meta, put, taken
from tests.processes import until


def put_now(outbox, *ids: str) -> None:
    put(outbox, *ids, expires_in=time.time())


def test_while_a_claim_is_under_way_its_dataset_gets_no_other_turn(outbox):
    """A fifth of the claims of a thousand datasets found nothing: what the one before took still waited."""
    clock, awaited = Clock(), []
    delivery = Delivery(outbox, Meta(), SETTINGS, clock=clock, steady_clock=clock)
    delivery.claims.on_awaited = lambda: awaited.append("1")
    put(outbox, "a")
    turn = delivery.next_turn()
    assert turn and delivery.next_turn() is None and delivery.seconds_until_due(9.0) == 9.0
    delivery.deliver(turn)
    assert awaited == ["1"], "whoever asked hears of its end"
    clock.now += LINGER_SECONDS
    put(outbox, "b")
    assert delivery.next_turn()


def test_a_claim_that_fails_is_not_under_way_any_more(outbox, monkeypatch):
    def refuse(*_):
        raise OutboxUnavailable("the disk is full")

    delivery = Delivery(outbox, Meta(), SETTINGS)
    put_now(outbox, "a")
    with monkeypatch.context() as trouble:
        trouble.setattr(outbox, "claim", refuse)
        with pytest.raises(OutboxUnavailable):
            delivery.step()
    assert delivery.next_turn()


def test_what_is_put_during_a_claim_does_not_wait_for_the_end_of_the_turn(outbox, monkeypatch):
    claims, may_end, let_go, claim = [], threading.Event(), threading.Event(), outbox.claim

    def slowly(*asked):
        lease = claim(*asked)
        claims.append(lease)
        may_end.wait(60)
        return lease

    monkeypatch.setattr(outbox, "claim", slowly)
    meta = Meta(lambda ids: (ids != ["a"] or let_go.wait(60)) and taken(ids))
    worker = Worker(Delivery(outbox, meta, SETTINGS), outbox)
    worker.start()
    put_now(outbox, "a")
    until(lambda: claims)
    put_now(outbox, "b")
    may_end.set()
    until(lambda: ["b"] in meta.calls)
    let_go.set()
    worker.stop()
    assert None not in claims, "and no claim found nothing"
