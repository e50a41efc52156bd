"""What waits for a dataset that is no longer configured ends when Meta takes it no more, and leaves no person."""

import time

import pytest

from conversion_relay.delivery import stranded
from conversion_relay.delivery.meta_clock import MetaClock
from conversion_relay.delivery.turn import Delivery
from conversion_relay.delivery.worker import Worker
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox.verdict import Dead, Hold, Suspect
from tests.delivery.standins import NOW, SETTINGS, Meta, put, states
from tests.processes import until

DAY = 86_400.0


@pytest.fixture
def running(outbox, clock):
    return Delivery(outbox, Meta(), SETTINGS, clock=clock, steady_clock=clock)


def test_it_ends_as_expired_a_week_after_its_time_by_our_own_clock(outbox, clock, running):
    put(outbox, "old", dataset="gone")
    put(outbox, "young", dataset="gone", expires_in=1_500_000)
    clock.now = NOW + 600_000 + 6.9 * DAY
    assert running.expire_stranded() == 0 and states(outbox, "old") == {"pending": 1}
    clock.now = NOW + 600_000 + 7.1 * DAY
    assert running.expire_stranded() == 1
    assert outbox.find("old")[0].state == "expired" and outbox.find("young")[0].state == "pending"
    book = outbox.counts()["gone"]
    assert (book.pending, book.leased, book.expired, book.imbalance) == (1, 0, 1, 0)
    assert running.expire_stranded() == 0


def test_metas_clock_tells_it_to_the_second_and_ours_is_not_believed(outbox, clock, running):
    put(outbox, "old", dataset="gone")
    running._meta_clock.note(NOW + 599_999, clock.now)
    clock.now += 2 * DAY  # its steady clock, too
    assert running.expire_stranded() == 1
    put(outbox, "other", dataset="gone", expires_in=900_000)
    running._meta_clock = MetaClock()
    running._meta_clock.note(NOW, clock.now)
    steady, running._steady_clock = clock.now, lambda: steady
    clock.now = NOW + 5_000_000
    assert running.expire_stranded() == 0


def test_what_is_configured_is_left_to_its_turn(outbox, clock, running):
    put(outbox, "ours")
    clock.now = NOW + 5_000_000
    assert running.expire_stranded() == 0 and states(outbox, "ours") == {"pending": 1}


def test_whatever_it_waited_for(outbox, clock, running):
    put(outbox, "held", "suspect", "fresh", dataset="gone")
    lease = outbox.claim("gone", 3, 60, NOW)
    by_id = {event.event_id: event for event in lease.events}
    ends = [(Hold("ambiguous_late"), [by_id["held"]]), (Suspect(NOW), [by_id["suspect"]])]
    outbox.settle(lease, ends, None, NOW)
    outbox.release(lease)
    clock.now = NOW + 600_000 + 8 * DAY
    assert running.expire_stranded() == 3
    assert states(outbox, "held", "suspect", "fresh") == {"expired": 3}


def test_a_crowd_that_may_still_be_sent_stands_before_it_and_goes_back(outbox, clock, running, monkeypatch):
    monkeypatch.setattr(stranded, "AT_ONCE", 2)
    put(outbox, *(f"sale{n}" for n in range(5)), dataset="gone", name="Purchase", expires_in=2_000_000)
    put(outbox, "old", dataset="gone")
    clock.now = NOW + 600_000 + 8 * DAY
    assert running.expire_stranded() == 1
    assert outbox.counts()["gone"].pending == 5 and outbox.counts()["gone"].leased == 0
    assert [story.attempts for story in outbox.find("sale0")] == [0]


def test_dead_letters_keep_their_own_time(outbox, clock, running):
    put(outbox, "dead", dataset="gone")
    lease = outbox.claim("gone", 1, 60, NOW)
    outbox.settle(lease, [(Dead("meta_100"), lease.events)], None, NOW)
    clock.now = NOW + 2_000_000
    assert running.expire_stranded() == 0 and states(outbox, "dead") == {"dead": 1}


def test_a_run_to_the_end_drops_what_is_too_old_since_nobody_else_may(outbox):
    long_ago = time.time() - 8 * 86_400
    outbox.remember_visitor("1001", Visit(client_ip_address="203.0.113.7"), long_ago)
    put(outbox, "stranded", dataset="gone", expires_in=long_ago - NOW)
    Worker(Delivery(outbox, Meta(), SETTINGS), outbox).drain()
    assert outbox.visitor("1001", long_ago) is None
    assert states(outbox, "stranded") == {"expired": 1}


def test_house_keeping_ends_what_waits_for_a_dataset_that_is_gone(outbox, working):
    put(outbox, "stranded", dataset="gone", expires_in=time.time() - 8 * 86_400 - NOW)
    working(Meta())
    until(lambda: states(outbox, "stranded") == {"expired": 1})
