"""How often Meta says no: all of it, or too much of it."""

import pytest

from conversion_relay.delivery.refusals import (
    ALL_REFUSED_CALLS,
    ALL_REFUSED_SECONDS,
    LONGEST_PAUSE,
    PROBE_EVERY,
    WINDOW,
    Refusals,
)
from conversion_relay.meta.graph import Accepted, Refused, Said, Throttled, Unlisted, Unreachable

OK, NO = Accepted(Said(status=200)), Refused(Said(status=400, code=100))
EVERY = ALL_REFUSED_SECONDS / (ALL_REFUSED_CALLS - 1)


def refused(n: int, every: float = EVERY, *, suspects: bool = True) -> Refusals:
    refusals = Refusals()
    for i in range(n):
        refusals.note(NO, 100 + i * every, suspects=suspects)
    return refusals


@pytest.mark.parametrize(
    ("calls", "every", "are_all"),
    [
        (ALL_REFUSED_CALLS, EVERY * 1.01, True),
        (ALL_REFUSED_CALLS - 1, EVERY * 2, False),
        (ALL_REFUSED_CALLS * 3, 0.0, False),
    ],
)
def test_everything_is_refused_after_many_calls_and_some_time(calls, every, are_all):
    assert refused(calls, every).are_all is are_all


def test_the_first_look_at_the_suspects_comes_at_once_since_the_newest_may_be_good():
    refusals = refused(40, 1.0)
    assert refusals.are_all and refusals.rest_until < 100 + 40


def test_one_acceptance_ends_it_at_once():
    refusals = refused(40, 1.0)
    refusals.rest_until = 200 + PROBE_EVERY
    refusals.note(OK, 200, suspects=False)
    assert not refusals.are_all and refusals.rest_until == refusals.fresh_after == 0


@pytest.mark.parametrize("between", [Unreachable("reset", sent=True), Throttled(Said(), 60.0)])
def test_an_outage_is_no_acceptance_and_no_refusal(between):
    refusals = refused(20)
    refusals.note(between, 150, suspects=True)
    assert refusals.in_a_row == 20


def test_fresh_events_that_are_refused_are_sent_more_and_more_slowly_and_suspects_do_not_count():
    refusals, pauses = Refusals(), []
    for n in range(10):
        refusals.note(NO, n, suspects=False)
        pauses.append(round(refusals.fresh_after - n, 2))
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, *[LONGEST_PAUSE] * 4]
    assert refused(10).fresh_after == 0


def test_the_share_is_of_the_last_500_requests_and_its_alert_comes_once():
    refusals = Refusals()
    for _ in range(75):
        refusals.note(Unlisted(Said()), 0, suspects=True)
    assert refusals.share == 0.15 and not refusals.is_news(), "75 of 500 are 15 %"
    refusals.note(NO, 0, suspects=True)
    assert [refusals.is_news() for _ in range(3)] == [True, False, False]
    for _ in range(WINDOW):
        refusals.note(OK, 0, suspects=True)
    assert refusals.share == 0 and not refusals.is_news()
    assert len(refusals.window) == WINDOW
